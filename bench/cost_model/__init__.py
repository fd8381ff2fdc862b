"""Judging of the cost model by published times."""
