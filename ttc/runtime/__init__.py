"""The run of a program: the artifact, sessions, and the devices; needs numpy, and neither torch nor onnx."""
