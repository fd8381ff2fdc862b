"""Rewrites of ops to simpler ones with the same numbers: by value, shape, index, emptiness."""
