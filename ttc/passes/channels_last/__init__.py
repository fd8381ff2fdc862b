"""Spatial ops in rows, [1, 1, N*H*W, C]: the form in which TTNN's convolutions read and write."""
