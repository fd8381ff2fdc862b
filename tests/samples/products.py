"""Products and norms."""

from __future__ import annotations

from tests.samples.form import S, Sample
from ttc import ops

MATMUL: list[Sample] = [
    S(ops.Linear, x="f32[1,197,64]", w="weight f32[96,64]", bias="weight f32[96]"),
    S(ops.Linear, x="f32[1,197,64]", w="weight f32[96,64]", bias="weight f32[96]", activation="gelu"),
    *(
        S(ops.Linear, x="f32[2,33,70]", w="weight f32[50,70]", bias="weight f32[50]", activation=name)
        for name in ("relu", "gelu_tanh", "silu", "sigmoid", "tanh")
    ),
    S(ops.Linear, x="f32[64]", w="weight f32[96,64]", bias="weight f32[96]"),
    S(ops.Linear, x="f32[2,3,4,5,64]", w="f32[96,64]"),
    S(ops.Linear, x="weight f32[5,64]", w="f32[96,64]", bias="f32[96]", activation="relu"),
    S(ops.Matmul, a="f32[2,3,40,50]", b="f32[2,3,50,60]"),
    S(ops.Matmul, a="f32[2,3,40,50]", b="weight f32[50,60]"),
    S(ops.Matmul, a="f32[40,50]", b="f32[2,3,50,60]"),
    S(ops.Matmul, a="f32[2,1,40,50]", b="f32[1,3,50,60]"),
    S(ops.Matmul, a="f32[3,40,50]", b="f32[2,3,50,60]"),
    S(ops.Matmul, a="f32[40,50]", b="f32[1,1,50,60]"),
    S(ops.Matmul, a="f32[2,3,4,1,6]", b="f32[2,3,4,6,1]"),
    S(ops.Matmul, a="i64[2,3]", b="i64[3,4]", refused=("bf16", "fp32")),
]

NORM: list[Sample] = [
    S(ops.LayerNorm, x="f32[1,197,768]", w="weight f32[768]", bias="weight f32[768]"),
    S(ops.LayerNorm, x="f32[2,33,50]", w="weight f32[50]", eps=1e-12),
    S(ops.LayerNorm, x="f32[2,33,50]", bias="f32[50]"),
    S(ops.LayerNorm, x="f32[2,3,5,7]", w="weight f32[5,7]", bias="weight f32[5,7]", dims=2),
    S(ops.LayerNorm, x="f32[3,40]", dims=2),
    S(ops.LayerNorm, x="f32[64]"),
    S(ops.RmsNorm, x="f32[1,7,2048]", w="weight f32[2048]", eps=1e-6),
    S(ops.RmsNorm, x="f32[2,3,4,5,50]"),
    S(ops.Softmax, x="f32[1,12,197,197]", dim=3),
    S(ops.Softmax, x="f32[2,3,33,40]", dim=1),
    S(ops.Softmax, x="f32[33,40]", dim=0),
    S(ops.Softmax, x="f32[40]", dim=0),
    S(ops.Softmax, x="f32[2,2,3,4,5]", dim=0),
    S(ops.LogSoftmax, x="f32[2,1000]", dim=1),
    S(ops.LogSoftmax, x="f32[2,3,33,40]", dim=2),
    S(ops.LogSoftmax, x="f32[2,3,33]", dim=0),
]
