"""Front ends, which read files and modules as ops: `onnx` and `export`."""
