"""The operators of onnxruntime's domain, which its optimisers and its quantiser write."""

from ttc.frontend.onnx.microsoft import attention, fused, quantized  # noqa: F401  (each module registers its operators)
