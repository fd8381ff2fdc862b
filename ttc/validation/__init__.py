"""How close a compiled model is to its own framework, as a whole and op by op."""
