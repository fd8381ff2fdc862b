"""Networks at real sizes and batches on n150: programs, conversions, DRAM, predicted time; the same at -O0."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from math import exp, log
from statistics import fmean, median

import onnx
from onnx import numpy_helper

import ttc
from bench.table import Table
from ttc import models
from ttc.analysis.report import Report, report
from ttc.calls.norm import LayerNorm, RmsNorm
from ttc.compiled.compiled import Compiled
from ttc.models import light
from ttc.pipeline import compile_graph

LAYER = re.compile(r"(?<![A-Za-z])(?:layers?|blocks|h)\.(\d+)\b")
"""A layer's number in the place of a call."""


def convolutional(
    name: str, batch: int, dtype: str = "bf16", target: str = "n150", activations: str | None = None
) -> Compiled:
    """Compile a graph of one image for as many as the batch holds: in its inputs and wherever a reshape states them."""
    model = light.seeded(name)
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for value in (*graph.input, *graph.output):
        if value.name not in weights:
            value.type.tensor_type.shape.dim[0].dim_value = batch
    del graph.value_info[:]
    for node in graph.node:
        shape = numpy_helper.to_array(weights[node.input[1]]).copy() if node.op_type == "Reshape" else None
        if shape is not None and shape[0] == 1 and node.input[0] not in weights:
            shape[0] = batch
            weights[node.input[1]].CopyFrom(numpy_helper.from_array(shape, node.input[1]))
    return ttc.compile(onnx.shape_inference.infer_shapes(model), target=target, dtype=dtype, activations=activations)


def encoder(name: str, batch: int, length: int = 0, dtype: str = "bf16", activations: str | None = None) -> Compiled:
    """Compile an encoder for a batch, and of texts for a length."""
    module, inputs = models.named(name).build("real", fake=name != "minilm")
    rows = {}
    for key, tensor in inputs.items():
        row = tensor[..., :1].expand(-1, length).contiguous() if length else tensor
        rows[key] = row.repeat(batch, *[1] * (row.dim() - 1))
    return ttc.compile(module, kwargs=rows, dtype=dtype, activations=activations)


NETWORKS: Mapping[str, Callable[[], Compiled]] = {
    "ResNet-50, batch 1": partial(convolutional, "resnet50", 1),
    "ResNet-50, batch 16": partial(convolutional, "resnet50", 16),
    "ResNet-50, batch 16, bfp8": partial(convolutional, "resnet50", 16, "bfp8"),
    "ResNet-50, batch 16, all bfp8": partial(convolutional, "resnet50", 16, "bfp8", activations="bfp8"),
    "ViT-B/16, batch 1": partial(encoder, "vit", 1),
    "ViT-B/16, batch 8": partial(encoder, "vit", 8),
    "ViT-B/16, batch 8, bfp8": partial(encoder, "vit", 8, dtype="bfp8"),
    "ViT-B/16, batch 8, all bfp8": partial(encoder, "vit", 8, dtype="bfp8", activations="bfp8"),
    "BERT-base, 128 tokens": partial(encoder, "bert", 1),
    "BERT-base, batch 8 of 384": partial(encoder, "bert", 8, 384),
    "BERT-base, batch 8 of 384, bfp8": partial(encoder, "bert", 8, 384, "bfp8"),
    "BERT-base, batch 8 of 384, all bfp8": partial(encoder, "bert", 8, 384, "bfp8", "bfp8"),
    "MiniLM": partial(encoder, "minilm", 1),
}

PUBLISHED = {
    "ResNet-50, batch 16, all bfp8": 16 / 4700,
    "ViT-B/16, batch 8, all bfp8": 8 / 1370,
    "BERT-base, batch 8 of 384, all bfp8": 8 / 433,
}
"""Seconds of a batch on N150, host included, as published: models.csv, of November 2025 (Sentence-BERT for BERT)."""


def tables() -> Iterator[Table]:
    """Yield the networks' figures, and beside those of -O0."""
    rows, alone = [], []
    for name, build in NETWORKS.items():
        compiled = build()
        rows.append((name, *_figures(compiled), 1e3 * PUBLISHED[name] if name in PUBLISHED else "-"))
        alone.append((name, *ratios(compiled)))
    yield Table("Networks on n150, by the report", HEAD, rows)
    means = [exp(fmean(log(row[column]) for row in alone)) for column in (1, 2, 3)]
    head = ("network", "DRAM bytes", "device programs", "predicted time")
    yield Table("-O0 over default", head, [*alone, ("geometric mean", *means)])


HEAD = ("network", "programs", "conversions", "DRAM / compulsory", "predicted ms", "programs a layer",
        "cores of a layer norm (median)", "published ms")  # fmt: skip


def _figures(compiled: Compiled) -> tuple[str | float, ...]:
    found = compiled.report
    layers: dict[str, int] = {}
    cores = []
    for call in compiled.executable.calls:
        if number := LAYER.search(call.location):
            layers[number[1]] = layers.get(number[1], 0) + call.cost.programs
        if isinstance(call.node.op, (LayerNorm, RmsNorm)):
            cores.append(call.cost.cores)
    return (
        found.device_programs,
        found.layout_conversions,
        found.dram_bytes / found.minimum_dram_bytes,
        found.predicted_seconds * 1e3,
        median(layers.values()) if layers else "-",
        median(cores) if cores else "-",
    )


def ratios(compiled: Compiled) -> tuple[float, float, float]:
    """Return DRAM bytes, programs and predicted time of a model at -O0 by those at the default level."""
    default, alone = compiled.report, at_level_0(compiled)
    return (
        alone.dram_bytes / default.dram_bytes,
        alone.device_programs / default.device_programs,
        alone.predicted_seconds / default.predicted_seconds,
    )


def at_level_0(compiled: Compiled) -> Report:
    """Report on the program of the same model with each op alone."""
    options = replace(compiled.options, optimize=0)
    return report(compile_graph(compiled.build.imported, options).program.graph, options.target)
