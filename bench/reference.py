"""onnxruntime as the benches use it."""

from __future__ import annotations

import onnxruntime


def session(model: str | bytes) -> onnxruntime.InferenceSession:
    """A session on the CPU whose idle threads sleep: spinning, they would slow whatever is timed next."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
