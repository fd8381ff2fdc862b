"""The emulator beside onnxruntime and torch eager: one run of a prepared model, batch 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch

import ttc
from bench.reference import session
from bench.timing import Row, compare
from ttc.compiled.compiled import Compiled
from ttc.models import light, minilm, named


def rows() -> Iterator[Row]:
    yield _resnet()
    yield _minilm()
    yield _vit()


def _resnet() -> Row:
    proto = light.seeded("resnet50")
    reference = session(proto.SerializeToString())
    (value,) = reference.get_inputs()
    inputs = {value.name: np.random.default_rng(0).standard_normal(value.shape).astype(np.float32)}
    contenders = {
        "emulator bf16": _runner(ttc.compile(proto), inputs),
        "emulator fp32": _runner(ttc.compile(proto, dtype="fp32"), inputs),
        "onnxruntime fp32": lambda: reference.run(None, inputs),
    }
    return compare("run light_resnet50", contenders)


def _minilm() -> Row:
    module, inputs = minilm.MODEL.build()
    return _beside_torch("run MiniLM, 32 tokens", module, inputs)


def _vit() -> Row:
    module, inputs = named("vit").build("real")
    return _beside_torch("run ViT-B/16", module, inputs)


def _beside_torch(what: str, module: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> Row:
    arrays = {name: tensor.numpy() for name, tensor in inputs.items()}

    def eager() -> None:
        with torch.no_grad():
            module(**inputs)

    contenders = {
        "emulator bf16": _runner(ttc.compile(module, kwargs=inputs), arrays),
        "emulator fp32": _runner(ttc.compile(module, kwargs=inputs, dtype="fp32"), arrays),
        "torch eager fp32": eager,
    }
    return compare(what, contenders)


def _runner(compiled: Compiled, inputs: dict[str, np.ndarray]) -> Callable[[], object]:
    return partial(compiled.session("emulator").run, inputs)
