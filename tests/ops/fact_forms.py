"""Small forms of each op, which the facts on its class are tested on: with attributes that may make a difference."""

from __future__ import annotations

from tests.samples.form import S, Sample
from ttc import ops
from ttc.ir import DType, Op

ROW, ROWS, LINE = "f32[8]", "f32[3,8]", "f32[1,2,8]"

UNARY = (
    ops.Abs, ops.Acos, ops.Acosh, ops.Asin, ops.Asinh, ops.Atan, ops.Atanh, ops.Ceil, ops.Cos, ops.Cosh, ops.Erf,
    ops.Erfc, ops.Erfcx,
    ops.Exp, ops.Expm1, ops.Floor, ops.Log, ops.Log1p, ops.Neg, ops.Reciprocal, ops.Round, ops.Rsqrt, ops.Sign, ops.Sin,
    ops.Sinh, ops.Sqrt, ops.Tan, ops.Tanh, ops.Trunc, ops.IsNan, ops.HardSwish, ops.Mish, ops.Relu, ops.Sigmoid,
    ops.Silu, ops.Softsign, ops.Gelu, ops.LeakyRelu, ops.Elu, ops.Softplus, ops.HardSigmoid,
)  # fmt: skip
FLOATING = (
    ops.Add, ops.Sub, ops.Mul, ops.Div, ops.Pow, ops.Maximum, ops.Minimum, ops.Remainder, ops.Fmod, ops.FloorDiv,
    ops.Atan2, ops.Eq, ops.Ne, ops.Lt, ops.Le, ops.Gt, ops.Ge,
)  # fmt: skip
WHOLE = (ops.And, ops.Or, ops.Xor)
MOVED = {
    ops.Reshape: {"shape": (2, 4)},
    ops.Permute: {"dims": (0,)},
    ops.Slice: {"starts": (1,), "ends": (7,), "steps": (2,)},
    ops.Flip: {"dims": (0,)},
    ops.Expand: {"shape": (2, 8)},
    ops.Repeat: {"repeats": (2,)},
}
POOLED = {"kernel": (2,), "stride": (2,), "padding": ((1, 1),), "dilation": (1,)}
WIDE = {"stride": (1,), "padding": ((1, 0),), "dilation": (1,)}

FORMS: list[Sample] = [
    *(S(kind, x=ROW) for kind in UNARY),
    S(ops.Gelu, x=ROW, approximate=True),
    S(ops.LeakyRelu, x=ROW, slope=-0.5),
    S(ops.Elu, x=ROW, alpha=-1.0),
    S(ops.Elu, x=ROW, alpha=20.0),
    S(ops.HardSigmoid, x=ROW, alpha=-0.2),
    S(ops.Softplus, x=ROW, beta=2.0, threshold=1.5),
    S(ops.Clamp, x=ROW, low=-1.0, high=2.0),
    S(ops.Clamp, x=ROW, low=0.5),
    S(ops.Clamp, x=ROW, high=-2.0),
    S(ops.Not, x="bool[8]"),
    S(ops.Not, x="bool[1]"),
    *(S(ops.Cast, x=ROW, dtype=dtype) for dtype in (DType.f32, DType.bf16, DType.f16, DType.bool, DType.i32)),
    S(ops.BitCast, x="i32[8]", dtype=DType.f32, ranges={"x": (0x7F800001, 0x7FFFFFFF)}),
    S(ops.BitCast, x="i32[8]", dtype=DType.f32, ranges={"x": (-(2**31), 2**31 - 1)}),
    *(S(kind, a=ROW, b=ROW) for kind in FLOATING),
    *(
        S(kind, a=f"i32[{n}]", b=f"i32[{n}]", ranges={"a": (-99, 99), "b": (-99, 99)})
        for kind in WHOLE
        for n in (1, 2, 40)
    ),
    S(ops.Gcd, a="i32[40]", b="i32[40]", ranges={"a": (0, 2), "b": (0, 2)}),
    S(ops.Gcd, a="i32[40]", b="i32[40]", ranges={"a": (-99, -1), "b": (-60, -59)}),
    *(
        S(kind, a=f"i32[{n}]", b=f"i32[{n}]", ranges={"a": (-99, 99), "b": (1, 3)})
        for kind in (ops.ShiftLeft, ops.ShiftRight)
        for n in (1, 2, 40)
    ),
    S(ops.ShiftRight, a="i32[2]", b="i32[2]", ranges={"a": (50, 99), "b": (1, 3)}),
    S(ops.Where, condition="bool[8]", a=ROW, b=ROW),
    *(S(kind, x="f32[3,16]", dims=(1,)) for kind in (ops.Sum, ops.Mean, ops.Max, ops.Min, ops.Prod)),
    *(S(kind, x="f32[3,16]", dim=1) for kind in (ops.Argmax, ops.Cumsum, ops.Cumprod)),
    S(ops.Topk, x=ROWS, k=3, dim=1),
    S(ops.Topk, x=ROWS, k=3, dim=1, largest=False),
    *(S(kind, x=ROW, **fields) for kind, fields in MOVED.items()),
    S(ops.Permute, x=ROWS, dims=(1, 0)),
    S(ops.Concat, xs=[ROW, ROW], dim=0),
    S(ops.Pad, x=ROW, pads=((1, 2),), mode="constant", value=3.0),
    S(ops.Pad, x=ROW, pads=((1, 2),), mode="reflect"),
    S(ops.Upsample, x=LINE, scales=(3,)),
    S(ops.Upsample, x=LINE, scales=(3,), mode="linear"),
    S(ops.Embedding, w=ROWS, index="i64[4]", ranges={"index": (0, 3)}),
    S(ops.Gather, x=ROWS, index="i64[2,8]", dim=0, ranges={"index": (0, 3)}),
    *(
        S(ops.Scatter, x=ROWS, index="i64[2,8]", updates="f32[2,8]", dim=0, reduce=way, ranges={"index": (0, 3)})
        for way in ("", "add")
    ),
    S(ops.FillBlocks, pool="f32[3,1,4,2]", new="f32[1,1,4,2]", blocks="i64[1]", ranges={"blocks": (-1, 3)}),
    S(
        ops.WriteRows,
        pool="f32[3,1,4,2]",
        new="f32[2,1,1,2]",
        table="i64[2,1]",
        positions="i64[2]",
        ranges={"table": (0, 3), "positions": (-1, 4)},
    ),
    S(
        ops.PagedAttention,
        q="f32[1,2,3,4]",
        keys="f32[3,1,4,4]",
        values="f32[3,1,4,4]",
        table="i64[1,2]",
        positions="i64[1]",
        ranges={"table": (0, 3), "positions": (0, 5)},
    ),
    S(ops.OneHot, index="i64[4]", depth=5, ranges={"index": (0, 5)}),
    S(ops.Matmul, a=ROWS, b="f32[8,2]"),
    *(S(ops.Linear, x=ROWS, w="f32[2,8]", bias="f32[2]", activation=name) for name in ("", "tanh", "relu")),
    S(ops.Conv, x=LINE, w="f32[3,2,3]", **WIDE),
    S(ops.ConvTranspose, x=LINE, w="f32[2,3,3]", output_padding=(0,), **WIDE),
    S(ops.MaxPool, x=LINE, **POOLED),
    S(ops.AvgPool, x=LINE, **POOLED),
    S(ops.AvgPool, x=LINE, count_padding=False, **POOLED),
    *(S(ops.LayerNorm, x=ROWS, w="f32[8]", bias="f32[8]", eps=eps) for eps in (1e-5, 0.0)),
    *(S(ops.RmsNorm, x=ROWS, w="f32[8]", eps=eps) for eps in (1e-5, 0.0)),
    *(S(ops.GroupNorm, x=LINE, w="f32[2]", bias="f32[2]", eps=eps) for eps in (1e-5, 0.0)),
    *(
        S(ops.BatchNorm, x=LINE, eps=eps, **dict.fromkeys(("w", "bias", "mean", "var"), "f32[2]"))
        for eps in (1e-5, 0.0)
    ),
    S(ops.Softmax, x=ROWS, dim=1),
    S(ops.LogSoftmax, x=ROWS, dim=1),
    S(ops.Attention, q="f32[1,1,3,4]", k="f32[1,1,5,4]", v="f32[1,1,5,4]", mask="f32[3,5]"),
    S(ops.Attention, q="f32[1,1,3,4]", k="f32[1,1,5,4]", v="f32[1,1,5,4]", mask="0 in bool[3,5]"),
    *(S(ops.Rotary, x=ROWS, cos=ROWS, sin=ROWS, pairs=pairs) for pairs in (False, True)),
    S(
        ops.Lstm,
        x="f32[3,2,4]",
        w="f32[1,16,4]",
        r="f32[1,16,4]",
        activations=["sigmoid", "affine(2.0, 0.5)", "affine(2.0, 0.5)"],
    ),
    S(ops.Gru, x="f32[3,2,4]", w="f32[1,12,4]", r="f32[1,12,4]", activations=["sigmoid", "affine(2.0, 0.5)"]),
    S(ops.Lstm, x="f32[3,2,4]", w="f32[1,16,4]", r="f32[1,16,4]"),
    S(ops.Gru, x="f32[3,2,4]", w="f32[1,12,4]", r="f32[1,12,4]"),
    S(ops.Rnn, x="f32[3,2,4]", w="f32[1,4,4]", r="f32[1,4,4]"),
    S(ops.Rnn, x="f32[3,2,4]", w="f32[1,4,4]", r="f32[1,4,4]", activations=["affine(2.0, 0.5)"]),
    S(ops.Stft, x="f32[1,16]", window="f32[8]", hop=2),
    S(ops.Istft, real="f32[1,5,9]", imag="f32[1,5,9]", window="1.0 in f32[8]", hop=2, start=4, length=12),
    S(ops.Skew, x="f32[1,3,8]", slope=1, offset=-1, size=4),
]

OF_KIND: dict[type[Op], list[Sample]] = {}
for form in FORMS:
    OF_KIND.setdefault(form.kind, []).append(form)
