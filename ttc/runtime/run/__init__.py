"""A program's run: order of steps, devices, conversions at the edges, sessions."""
