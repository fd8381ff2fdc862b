"""Random programs against torch and onnxruntime."""
