"""Compile time beside onnxruntime's session creation, from the same file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import onnx

import ttc
from bench.reference import session
from bench.timing import Row, compare
from ttc.models import light, minilm


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        resnet = Path(folder) / "resnet50.onnx"
        onnx.save(light.seeded("resnet50"), resnet)
        sentences = Path(folder) / "minilm.onnx"
        minilm.export_onnx(sentences, minilm.tokenize(["A sentence."]))
        for name, path in (("light_resnet50", resnet), ("MiniLM", sentences)):
            yield compare(
                f"compile {name} (.onnx)",
                {"ttc.compile": partial(ttc.compile, path), "onnxruntime": partial(session, str(path))},
            )
