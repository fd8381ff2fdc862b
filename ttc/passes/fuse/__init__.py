"""Passes that find one op in the mathematics of several: each comments the steps that it recognises."""
