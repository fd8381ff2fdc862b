"""Passes over a program of calls: uploads, layouts, memory, deallocation."""
