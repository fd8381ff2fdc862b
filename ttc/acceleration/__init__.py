"""Chosen modules of a PyTorch model on a device, the model otherwise as it is: what `ttc.accelerate` gives."""
