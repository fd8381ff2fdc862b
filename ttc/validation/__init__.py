"""Validation of a compiled model against its own framework, as a whole and op by op."""
