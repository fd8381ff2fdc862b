"""Rules that rewrite an op to a simpler one with the same numbers: by value, shape, index, emptiness."""
