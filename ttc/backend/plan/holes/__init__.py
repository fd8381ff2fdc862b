"""Holes in L1: what TTNN's allocator leaves free between buffers, and the plans that leave none at the peak."""
