"""Tiny models of all families that transformers knows, through the whole compiler."""
