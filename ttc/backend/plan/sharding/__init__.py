"""Sharding: the forms of calls on shards, their prices, and the search for the cheapest."""
