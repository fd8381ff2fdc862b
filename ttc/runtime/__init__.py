"""How a program runs: the artifact, sessions, and the devices; needs numpy, and neither torch nor onnx."""
