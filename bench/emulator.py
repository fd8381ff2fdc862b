"""The emulator beside onnxruntime: one run of a prepared model, batch 1."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from math import exp, log
from pathlib import Path
from statistics import fmean

import numpy as np
from torch import Tensor, nn

import ttc
from bench.reference import session
from bench.table import Table, of_times
from bench.timing import Row, compare
from ttc.compiled.compiled import Compiled
from ttc.models import light, minilm, named

REFERENCE = "onnxruntime fp32"


def tables() -> Iterator[Table]:
    """Yield the times, and the geometric means over the models."""
    found = list(rows())
    yield of_times("Emulator", found)
    names = [name for name in found[0].seconds if name != REFERENCE]
    means = [exp(fmean(log(row.seconds[name] / row.seconds[REFERENCE]) for row in found)) for name in names]
    yield Table(f"Emulator over {REFERENCE}, geometric mean", ("what", "ratio"), list(zip(names, means, strict=True)))


def rows() -> Iterator[Row]:
    yield _resnet()
    yield _beside_onnxruntime("run MiniLM, 32 tokens", *minilm.MODEL.build())
    for name, what in (("vit", "run ViT-B/16"), ("bert", "run BERT-base, 128 tokens")):
        module, inputs = named(name).build("real")
        yield _beside_onnxruntime(what, module.eval(), inputs)


def _resnet() -> Row:
    proto = light.seeded("resnet50")
    reference = session(proto.SerializeToString())
    (value,) = reference.get_inputs()
    inputs = {value.name: np.random.default_rng(0).standard_normal(value.shape).astype(np.float32)}
    contenders = {
        "emulator bf16": _runner(ttc.compile(proto), inputs),
        "emulator fp32": _runner(ttc.compile(proto, dtype="fp32"), inputs),
        REFERENCE: lambda: reference.run(None, inputs),
    }
    return compare("run light_resnet50", contenders)


def _beside_onnxruntime(what: str, module: nn.Module, inputs: dict[str, Tensor]) -> Row:
    arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        minilm.write_onnx(module, inputs, path)
        reference = session(str(path))
    given = {value.name: arrays[value.name] for value in reference.get_inputs()}
    contenders = {
        "emulator bf16": _runner(ttc.compile(module, kwargs=inputs), arrays),
        "emulator fp32": _runner(ttc.compile(module, kwargs=inputs, dtype="fp32"), arrays),
        REFERENCE: lambda: reference.run(None, given),
    }
    return compare(what, contenders)


def _runner(compiled: Compiled, inputs: dict[str, np.ndarray]) -> Callable[[], object]:
    return partial(compiled.session("emulator").run, inputs)
