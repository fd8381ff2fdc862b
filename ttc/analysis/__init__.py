"""Analyses of a program of calls without running it: lifetimes, memory, cost, report, its Python source."""
