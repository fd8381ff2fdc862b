"""Recipes of ONNX nodes: each draws operands and attributes; what onnxruntime does not take is drawn again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.differential.draw import Draw, Skip

Drawn = tuple[str, list[Any], dict[str, Any]]
"""The operator, its inputs (values so far, arrays for initialisers, None for absent ones), its attributes."""

Recipe = Callable[[Draw], Drawn]
RECIPES: dict[str, Recipe] = {}


def recipe(*names: str) -> Callable[[Recipe], Recipe]:
    def register(function: Recipe) -> Recipe:
        RECIPES["/".join(names)] = function
        return function

    return register


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, "int64")


FLOAT_UNARY = (
    "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Erf", "Exp", "Floor", "HardSigmoid",
    "HardSwish", "IsInf", "IsNaN", "LeakyRelu", "Log", "Mish", "Reciprocal", "Round", "Selu", "Sigmoid", "Sin", "Sinh",
    "Softplus", "Softsign", "Sqrt", "Tan", "Tanh", "ThresholdedRelu", "Celu", "Elu", "Gelu", "Shrink",
)  # fmt: skip
ATTRIBUTES: dict[str, Callable[[Draw], dict[str, Any]]] = {
    "HardSigmoid": lambda d: d.pick({}, {"alpha": 0.3, "beta": 0.4}),
    "LeakyRelu": lambda d: d.pick({}, {"alpha": 0.2}, {"alpha": -0.5}),
    "ThresholdedRelu": lambda d: d.pick({}, {"alpha": 0.25}),
    "Celu": lambda d: d.pick({}, {"alpha": 2.0}),
    "Elu": lambda d: d.pick({}, {"alpha": 0.5}),
    "Gelu": lambda d: d.pick({}, {"approximate": "tanh"}),
    "Shrink": lambda d: d.pick({}, {"bias": 0.25, "lambd": 0.75}),
    "IsInf": lambda d: d.pick({}, {"detect_negative": 0}),
    "Selu": lambda d: d.pick({}, {"alpha": 1.5, "gamma": 0.75}),
}
for _name in FLOAT_UNARY:
    recipe(_name)(lambda d, name=_name: (name, [d.x("float")], ATTRIBUTES.get(name, lambda d: {})(d)))
for _name in ("Abs", "Neg", "Relu", "Sign", "Identity"):
    recipe(_name)(lambda d, name=_name: (name, [d.x("number")], {}))


def partner(d: Draw, x: Any) -> Any:
    """A value or a constant of x's dtype that broadcasts with it."""
    if d.chance(0.6) or x.dtype == "bool":
        return same(d, x)
    number = np.array(d.pick(2, -1, 1, 3, 0), x.dtype) if x.dtype in ("int64", "int32") else None
    number = np.array(d.pick(2.0, -0.5, 1.0, 0.0), x.dtype) if number is None else number
    return number.reshape(d.pick((), (1,)))


def same(d: Draw, x: Any, tries: int = 6) -> Any:
    """A value of x's dtype that broadcasts with it."""
    for _ in range(tries):
        found = d.like(x)
        if found.dtype == x.dtype:
            return found
    raise Skip


for _name in ("Add", "Sub", "Mul", "Div", "Pow", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"):

    @recipe(_name)
    def _binary(d: Draw, name: str = _name) -> Drawn:
        x = d.x("number")
        pair = [x, partner(d, x)]
        return name, pair if d.chance(0.6) else pair[::-1], {}


@recipe("Mod")
def mod(d: Draw) -> Drawn:
    x = d.x("number")
    whole = x.dtype in ("int64", "int32")
    divisor = np.array(d.pick(3, -4, 7), x.dtype) if whole or d.chance(0.5) else partner(d, x)
    return "Mod", [x, divisor], {"fmod": 1 if not whole else d.pick(0, 1)}


for _name in ("Max", "Min", "Sum", "Mean"):

    @recipe(_name)
    def _variadic(d: Draw, name: str = _name) -> Drawn:
        x = d.x("float" if name in ("Sum", "Mean") else "number")
        return name, [x, *(partner(d, x) for _ in range(d.integer(0, 2)))], {}


for _name in ("And", "Or", "Xor"):
    recipe(_name)(lambda d, name=_name: (name, [x := d.x("bool"), same(d, x)], {}))
for _name in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
    recipe(_name)(lambda d, name=_name: (name, [x := d.x("int"), same(d, x)], {}))
recipe("Not")(lambda d: ("Not", [d.x("bool")], {}))
recipe("BitwiseNot")(lambda d: ("BitwiseNot", [d.x("int")], {}))
recipe("PRelu")(lambda d: ("PRelu", [x := d.x("float"), same(d, x)], {}))


@recipe("Where")
def where(d: Draw) -> Drawn:
    condition = d.x("bool")
    a = d.like(condition, "number")
    return "Where", [condition, a, partner(d, a)], {}


@recipe("Clip")
def clip(d: Draw) -> Drawn:
    x = d.x("number")
    low, high = (np.array(n, x.dtype) for n in (d.pick(-1, 0, -3), d.pick(1, 2, 5)))
    return "Clip", [x, d.pick(low, None), d.pick(high, None)], {}


@recipe("Cast")
def cast(d: Draw) -> Drawn:
    to = {"float32": 1, "int64": 7, "int32": 6, "bool": 9, "float16": 10, "float64": 11}
    x = d.x()
    if d.chance(0.3):
        return "CastLike", [x, d.x()], {}
    return "Cast", [x], {"to": to[d.pick("float32", "int64", "bool", *d.dtypes)]}


# ---------------------------------------------------------------- reductions

for _name in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"):

    @recipe(f"Reduce{_name}")
    def _reduce(d: Draw, name: str = f"Reduce{_name}") -> Drawn:
        x = d.x("float" if "Log" in name or "Mean" in name else "number")
        axes = ints(*d.axes(x)) if x.rank and d.chance(0.85) else d.pick(None, ints())
        attributes = {"keepdims": d.pick(0, 1)}
        if axes is not None and not axes.size:
            attributes["noop_with_empty_axes"] = d.pick(0, 1)
        return name, [x, axes], attributes


@recipe("ArgMax", "ArgMin")
def arg(d: Draw) -> Drawn:
    x = d.x("number", (1, 5))
    attributes = {"axis": d.axis(x), "keepdims": d.pick(0, 1), "select_last_index": d.pick(0, 0, 1)}
    return d.pick("ArgMax", "ArgMin"), [x], attributes


@recipe("Softmax", "LogSoftmax", "Hardmax")
def softmax(d: Draw) -> Drawn:
    x = d.x("float", (1, 5))
    return d.pick("Softmax", "LogSoftmax", "Hardmax"), [x], d.pick({"axis": d.axis(x)}, {})


@recipe("CumSum")
def cumsum(d: Draw) -> Drawn:
    x = d.x("number", (1, 5))
    axis = np.array(d.axis(x), "int64")
    return "CumSum", [x, axis], {"exclusive": d.pick(0, 1), "reverse": d.pick(0, 1)}


@recipe("TopK")
def topk(d: Draw) -> Drawn:
    x = d.x("float", (1, 4))
    axis = d.axis(x)
    return "TopK:2", [x, ints(d.integer(1, x.shape[axis]))], {"axis": axis, "largest": d.pick(0, 1)}


@recipe("LpNormalization")
def lp_normalization(d: Draw) -> Drawn:
    x = d.x("f32", (1, 4))
    return "LpNormalization", [x], {"axis": d.axis(x), "p": d.pick(1, 2)}


# ---------------------------------------------------------------- movement


@recipe("Reshape")
def reshape(d: Draw) -> Drawn:
    x = d.x("any", (1, 5))
    sizes = list(x.shape)
    match d.integer(0, 3):
        case 0 if x.rank > 1:
            at = d.integer(0, x.rank - 2)
            sizes[at : at + 2] = [-1]
        case 1:
            sizes = [-1]
        case 2:
            sizes.insert(d.integer(0, x.rank), 1)
        case _:
            at = d.integer(0, x.rank - 1)
            divisor = d.pick(*(n for n in range(1, sizes[at] + 1) if sizes[at] % n == 0))
            sizes[at : at + 1] = [divisor, sizes[at] // divisor]
    if d.chance(0.3) and -1 not in sizes:
        sizes[0] = 0 if sizes[0] == x.shape[0] else sizes[0]
    return "Reshape", [x, ints(*sizes)], {}


@recipe("Transpose")
def transpose(d: Draw) -> Drawn:
    x = d.x("any", (1, 6))
    return "Transpose", [x], d.pick({"perm": d.random.sample(range(x.rank), x.rank)}, {})


@recipe("Squeeze", "Unsqueeze", "Flatten")
def squeeze(d: Draw) -> Drawn:
    x = d.x("any", (1, 5))
    if 1 in x.shape and d.chance(0.5):
        return "Squeeze", [x, d.pick(None, ints(x.shape.index(1)), ints(x.shape.index(1) - x.rank))], {}
    if d.chance(0.4):
        return "Flatten", [x], {"axis": d.integer(-x.rank, x.rank)}
    return "Unsqueeze", [x, d.pick(ints(d.integer(-x.rank - 1, x.rank)), ints(0, -1))], {}


@recipe("Expand", "Tile")
def expand(d: Draw) -> Drawn:
    x = d.x("any", (1, 4))
    if d.chance(0.5):
        return "Tile", [x, ints(*(d.pick(1, 1, 2, 3) for _ in x.shape))], {}
    sizes = [d.pick(2, 3, 1) if size == 1 else d.pick(size, 1) for size in x.shape]
    return "Expand", [x, ints(*d.pick(sizes, [2, *sizes], sizes[1:] or [1]))], {}


@recipe("Concat")
def concat(d: Draw) -> Drawn:
    x = d.x("any", (1, 5))
    same = [v for v in d.vars if v.shape == x.shape and v.dtype == x.dtype]
    return "Concat", [x, *(d.pick(*same) for _ in range(d.integer(0, 2)))], {"axis": d.axis(x)}


@recipe("Split")
def split(d: Draw) -> Drawn:
    x = d.x("any", (1, 4), lambda v: max(v.shape) > 1)
    axis = d.pick(*(i for i, size in enumerate(x.shape) if size > 1))
    first = d.integer(1, x.shape[axis] - 1)
    return "Split:2", [x, ints(first, x.shape[axis] - first)], {"axis": axis - d.pick(0, x.rank)}


@recipe("Slice")
def slice_(d: Draw) -> Drawn:
    x = d.x("any", (1, 5))
    axes = d.axes(x)
    starts, ends, steps = [], [], []
    for axis in axes:
        size = x.shape[axis]
        step = d.pick(1, 1, 2, 3, -1, -2)
        starts.append(d.integer(-size, size) if step > 0 else d.pick(-1, size + 3, size - 1))
        ends.append(d.pick(size, 2**63 - 1, d.integer(-size, size)) if step > 0 else d.pick(-(2**63), -size - 1, 0))
        steps.append(step)
    return "Slice", [x, ints(*starts), ints(*ends), ints(*axes), ints(*steps)], {}


@recipe("Pad")
def pad(d: Draw) -> Drawn:
    x = d.x("number", (1, 4))
    mode = d.pick("constant", "constant", "edge", "reflect", "wrap")
    pads = [d.pick(0, 0, 1, 2) for _ in range(2 * x.rank)]
    value = np.array(d.pick(0, 2, -1), x.dtype) if mode == "constant" else None
    return "Pad", [x, ints(*pads), value], {"mode": mode}


@recipe("Gather", "GatherElements")
def gather(d: Draw) -> Drawn:
    x = d.x("any", (1, 4))
    axis = d.axis(x)
    size = x.shape[axis]
    if d.chance(0.5):
        index = d.new("int64", d.pick((), (3,), (2, 2)), str(size))
        return "Gather", [x, d.pick(index, ints(-1, 0)), ], {"axis": axis}  # fmt: skip
    sizes = [d.integer(1, s) for s in x.shape]
    return "GatherElements", [x, d.new("int64", tuple(sizes), str(size))], {"axis": axis}


@recipe("GatherND")
def gather_nd(d: Draw) -> Drawn:
    x = d.x("any", (1, 4))
    index = np.array([[d.integer(-s, s - 1) for s in x.shape[: d.integer(1, x.rank)]]])
    return "GatherND", [x, index], {}


@recipe("ScatterElements", "ScatterND")
def scatter(d: Draw) -> Drawn:
    x = d.x("number", (1, 3))
    axis = d.axis(x)
    if d.chance(0.5):
        rows = d.random.sample(range(x.shape[0]), d.integer(1, x.shape[0]))
        updates = d.given(x.dtype, (len(rows), *x.shape[1:]))
        return "ScatterND", [x, np.array(rows)[:, None], updates], {"reduction": d.pick("none", "add", "max", "mul")}
    sizes = tuple(d.integer(1, s) for s in x.shape)
    index = d.new("int64", sizes, str(x.shape[axis]))
    return "ScatterElements", [x, index, d.given(x.dtype, sizes)], {"axis": axis, "reduction": "add"}


@recipe("OneHot", "EyeLike", "Shape", "Size", "ConstantOfShape", "Range")
def made(d: Draw) -> Drawn:
    x = d.x()
    values = np.array(d.pick([0, 1], [-2, 3]), d.pick("float32", "int64"))
    return d.pick(
        ("OneHot", [d.new("int64", d.shape(d.integer(1, 2)), "5"), ints(5), values], {"axis": d.pick(-1, 0)}),
        ("EyeLike", [d.x("number", 2)], {"k": d.pick(0, 1, -1)}),
        ("Shape", [x], d.pick({}, {"start": d.pick(0, 1, -1)})),
        ("Size", [x], {}),
        ("Range", [np.array(n, "int64") for n in d.pick((0, 7, 2), (5, -3, -1))], {}),
        ("Range", [np.array(n, "float32") for n in d.pick((0, 2, 0.25), (1.5, -1, -0.5))], {}),
        ("ConstantOfShape", [ints(*d.shape(2))], {}),
    )


@recipe("Trilu", "DepthToSpace", "SpaceToDepth", "ReverseSequence")
def arrangement(d: Draw) -> Drawn:
    if d.chance(0.4):
        return "Trilu", [d.x("number", (2, 4)), np.array(d.integer(-2, 2))], {"upper": d.pick(0, 1)}
    x = d.x("f32", 4)
    if x.shape[1] % 4 == 0:
        return "DepthToSpace", [x], {"blocksize": 2, "mode": d.pick("DCR", "CRD")}
    if x.shape[2] % 2 == x.shape[3] % 2 == 0:
        return "SpaceToDepth", [x], {"blocksize": 2}
    lengths = ints(*(d.integer(1, x.shape[0]) for _ in range(x.shape[1])))
    return "ReverseSequence", [x, lengths], {"time_axis": 0, "batch_axis": 1}


# ---------------------------------------------------------------- products and layers


def weight(d: Draw, *shape: int) -> np.ndarray:
    source = np.random.default_rng(d.integer(0, 10**6))
    return (source.standard_normal(shape) * 0.5).astype("float32")


@recipe("MatMul", "Gemm", "Einsum")
def matmul(d: Draw) -> Drawn:
    x = d.x("f32", (1, 4))
    inner, columns = x.shape[-1], d.pick(1, 3, 8, 33)
    lead = d.pick((), x.shape[:-2])
    if x.rank == 2 and d.chance(0.5):
        turned = d.chance(0.5)
        w = weight(d, columns, inner) if turned else weight(d, inner, columns)
        bias = d.pick(None, weight(d, columns), weight(d, 1), weight(d, x.shape[0], 1))
        return "Gemm", [x, w, bias], {"transB": int(turned), "alpha": d.pick(1.0, 0.5), "beta": d.pick(1.0, 2.0)}
    if x.rank == 3 and d.chance(0.3):
        return "Einsum", [x, weight(d, inner, columns)], {"equation": d.pick("abc,cd->abd", "abc,cd->dba", "abc,cd->d")}
    return "MatMul", [x, d.pick(weight(d, *lead, inner, columns), d.given("float32", (*lead, inner, columns)))], {}


@recipe("Conv", "ConvTranspose")
def conv(d: Draw) -> Drawn:
    dims = d.pick(1, 2, 2, 3)
    x = d.x("f32", dims + 2)
    channels = x.shape[1]
    groups = d.pick(1, *(n for n in range(1, channels + 1) if channels % n == 0))
    kernel = [d.pick(1, 2, 3) for _ in range(dims)]
    attributes = {
        "group": groups, "strides": [d.pick(1, 1, 2) for _ in kernel], "dilations": [d.pick(1, 1, 2) for _ in kernel],
        "pads": [d.pick(0, 0, 1) for _ in range(2 * dims)],
    }  # fmt: skip
    if d.chance(0.2):
        del attributes["pads"]
        attributes["auto_pad"] = d.pick("SAME_UPPER", "SAME_LOWER", "VALID")
    per_group = d.pick(1, 2)
    if d.chance(0.6):
        w = weight(d, groups * per_group, channels // groups, *kernel)
        return "Conv", [x, w, d.pick(None, weight(d, groups * per_group))], attributes
    w = weight(d, channels, per_group, *kernel)
    if "pads" in attributes:
        attributes["output_padding"] = [d.integer(0, step - 1) for step in attributes["strides"]]
    return "ConvTranspose", [x, w, d.pick(None, weight(d, groups * per_group))], attributes


@recipe("MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool")
def pool(d: Draw) -> Drawn:
    dims = d.pick(1, 2, 2, 3)
    x = d.x("f32", dims + 2)
    if d.chance(0.25):
        return d.pick("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), [x], {}
    name = d.pick("MaxPool", "AveragePool", "LpPool")
    kernel = [d.pick(1, 2, 3) for _ in range(dims)]
    attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": [d.pick(1, 2) for _ in kernel]}
    attributes["pads"] = [d.integer(0, size // 2) for size in (*kernel, *kernel)]
    if name != "LpPool":
        attributes["ceil_mode"] = d.pick(0, 0, 1)
    if name == "AveragePool":
        attributes["count_include_pad"] = d.pick(0, 1)
    return name, [x], attributes


@recipe("Resize")
def resize(d: Draw) -> Drawn:
    x = d.x("f32", (3, 4))
    mode = d.pick("nearest", "linear", "linear", "cubic" if x.rank == 4 else "linear")
    place = d.pick("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
    attributes: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": place}
    if mode == "nearest":
        attributes["nearest_mode"] = d.pick("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
    lead = x.shape[:2]
    if d.chance(0.5):
        return "Resize", [x, None, None, ints(*lead, *(d.integer(1, 9) for _ in x.shape[2:]))], attributes
    scales = np.array([1, 1, *(d.pick(2, 0.5, 1.5, 3) for _ in x.shape[2:])], "float32")
    return "Resize", [x, None, scales], attributes


@recipe("LayerNormalization", "InstanceNormalization", "GroupNormalization", "BatchNormalization", "LRN")
def norm(d: Draw) -> Drawn:
    x = d.x("f32", (3, 4))
    channels = x.shape[1]
    w, bias = weight(d, channels), weight(d, channels)
    groups = d.pick(*(n for n in range(1, channels + 1) if channels % n == 0))
    axis = d.integer(-x.rank, -1)
    return d.pick(
        (
            "LayerNormalization",
            [x, weight(d, *x.shape[axis:]), d.pick(None, weight(d, *x.shape[axis:]))],
            {"axis": axis},
        ),
        ("InstanceNormalization", [x, w, bias], {"epsilon": d.pick(1e-5, 1e-2)}),
        ("GroupNormalization", [x, w, bias], {"num_groups": groups}),
        ("BatchNormalization", [x, w, bias, weight(d, channels), np.abs(weight(d, channels)) + 0.5], {}),
        ("LRN", [x], {"size": d.pick(1, 2, 3, 4), "alpha": 0.1}),
        ("MeanVarianceNormalization", [x], {"axes": d.random.sample(range(x.rank), 2)}),
    )


@recipe("LSTM", "GRU", "RNN")
def recurrent(d: Draw) -> Drawn:
    x = d.x("f32", 3, lambda v: v.numel <= 1024)
    name = d.pick("LSTM", "GRU", "RNN")
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[name]
    direction, hidden = d.pick("forward", "reverse", "bidirectional"), d.pick(1, 4, 8)
    count = 2 if direction == "bidirectional" else 1
    operands = [x, weight(d, count, gates * hidden, x.shape[2]), weight(d, count, gates * hidden, hidden)]
    operands.append(d.pick(None, weight(d, count, 2 * gates * hidden)))
    if d.chance(0.3):
        operands.append(np.array([d.integer(1, x.shape[0]) for _ in range(x.shape[1])], "int32"))
    attributes = {"hidden_size": hidden, "direction": direction}
    if name == "GRU":
        attributes["linear_before_reset"] = d.pick(0, 1)
    return name, operands, attributes


@recipe("QuantizeLinear")
def quantize(d: Draw) -> Drawn:
    x = d.x("f32", (1, 4))
    return "Quantize:", [x, np.array(0.25, "float32"), np.array(d.pick(0, 3), d.pick("int8", "uint8"))], {}
