"""Reductions."""

from __future__ import annotations

from tests.samples.form import S, Sample
from ttc import ops

REDUCE: list[Sample] = [
    S(ops.Sum, x="f32[2,33,65]", dims=[2]),
    S(ops.Sum, x="f32[2,33,65]", dims=[0, 2], keep=True),
    S(ops.Sum, x="f32[2,33,65]", dims=[0, 1, 2]),
    S(ops.Sum, x="i64[2,33]", dims=[1], keep=True),
    S(ops.Sum, x="bool[2,33]", dims=[1]),
    S(ops.Mean, x="f32[1,197,64]", dims=[1]),
    S(ops.Mean, x="f32[2,3,33,65]", dims=[2, 3], keep=True),
    S(ops.Mean, x="f32[65]", dims=[0]),
    S(ops.Max, x="f32[2,33,65]", dims=[1]),
    S(ops.Max, x="f32[3,2,2,33,65]", dims=[1, 4], keep=True),
    S(ops.Max, x="i64[2,33]", dims=[0]),
    S(ops.Min, x="f32[2,33,65]", dims=[2], keep=True),
    S(ops.Min, x="bool[2,33]", dims=[1]),
    S(ops.Prod, x="f32[2,5,65]", dims=[1], ranges={"x": (0.5, 1.5)}),
    S(ops.Prod, x="f32[2,5,6]", dims=[0, 2], keep=True, ranges={"x": (0.5, 1.5)}),
    S(ops.Prod, x="bool[2,33]", dims=[1]),
    S(ops.Prod, x="i64[2,3]", dims=[1], refused=("bf16", "fp32")),
    S(ops.Argmax, x="f32[2,33,65]", dim=2, ranges={"x": "distinct"}),
    S(ops.Argmax, x="f32[2,33,65]", dim=1, keep=True, ranges={"x": "distinct"}),
    S(ops.Argmax, x="f32[2,3,33,65]", dim=0, ranges={"x": "distinct"}),
    S(ops.Argmax, x="i64[2,77]", dim=1),
    S(ops.Argmax, x="i64[2,77]", dim=0),
    S(ops.Argmax, x="i64[2,33,5]", dim=1, keep=True),
    S(ops.Cumsum, x="f32[2,33,65]", dim=2),
    S(ops.Cumsum, x="f32[2,33,65]", dim=0),
    S(ops.Cumsum, x="i64[2,77]", dim=1),
    S(ops.Cumsum, x="f32[3,65]", dim=0, reverse=True, exclusive=True),
    S(ops.Cumsum, x="f32[2,700,3]", dim=1, reverse=True),  # in blocks
    S(ops.Cumsum, x="f32[768]", dim=0, exclusive=True),
    S(ops.Cumsum, x="i64[2,700]", dim=1, reverse=True),
    S(ops.Cumprod, x="f32[2,33,65]", dim=2, ranges={"x": (0.9, 1.1)}),
    S(ops.Cumprod, x="f32[2,33]", dim=0),
    S(ops.Topk, x="f32[2,33,65]", k=5, dim=2, ranges={"x": "distinct"}),
    S(ops.Topk, x="f32[2,33,65]", k=3, dim=1, largest=False, ranges={"x": "distinct"}),
    S(ops.Topk, x="i64[2,33]", k=3, dim=1),
    S(ops.Stft, x="f32[2,100]", window="weight f32[20]", hop=5),
    S(ops.Stft, x="f32[1,150]", window="weight f32[64]", hop=30, onesided=False, normalized=True),
    S(ops.Istft, real="f32[2,11,9]", imag="f32[2,11,9]", window="1.0 in f32[20]", hop=5, start=10, length=40),
    S(ops.Istft, real="f32[1,33,9]", imag="f32[1,33,9]", window="0.5 in f32[64]", hop=30, start=0, length=310),
]
