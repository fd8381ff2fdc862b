"""Mutation testing: small changes to the source of ttc, each of which some narrow test must notice."""
