"""Plugins through which other frameworks call ttc: torch.compile and onnx.backend."""
