"""Passes that find one op in the mathematics of several; comments name each step that a pass recognises."""
