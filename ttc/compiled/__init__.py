"""A model, compiled: what `ttc.compile` and `ttc.load` give, and what it is made of."""
