"""Passes over a program of calls: uploads, layouts, copies, memory, deallocation."""
