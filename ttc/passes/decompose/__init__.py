"""Ops that TTNN has no call for, written in ops that it has calls for."""
