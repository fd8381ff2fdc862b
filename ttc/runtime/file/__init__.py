"""The .ttc artifact: one safetensors file, read and written without running code."""
