"""How a file or module becomes ops: `onnx` and `export`."""
