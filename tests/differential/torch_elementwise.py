"""Recipes of elementwise ops, reductions and orders as torch spells them."""

from __future__ import annotations

from tests.differential.draw import Draw, Skip
from tests.differential.torch_recipes import recipe, templates

PLAIN = (
    "abs acos acosh asin asinh atan atanh cos cosh erf erfc exp expm1 exp2 log log1p log2 log10 neg reciprocal relu "
    "rsqrt sigmoid sign sin sinh sqrt square tan tanh ceil floor round trunc frac sgn isnan isinf isfinite "
    "logical_not bitwise_not positive"
)
ACTIVATIONS = (
    "hardswish mish silu gelu relu6 selu celu elu softplus logsigmoid hardshrink softshrink tanhshrink softsign "
    "hardtanh hardsigmoid leaky_relu"
)
FUNCTIONS = (
    "add sub mul div true_divide pow remainder fmod maximum minimum fmax fmin atan2 arctan2 floor_divide float_power "
    "eq ne lt le gt ge logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor multiply subtract divide "
    "max min rsub"
)
OPERATORS = ("+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "**", "&", "|", "^")

for _name in PLAIN.split():
    recipe(_name)(lambda d, name=_name: f"torch.{name}({d.x()})")
for _name in ACTIVATIONS.split():
    recipe(_name)(lambda d, name=_name: f"F.{name}({d.x('float')})")
for _name in FUNCTIONS.split():

    @recipe(_name)
    def _function(d: Draw, name: str = _name) -> str:
        x = d.x()
        other = d.like(x, "any") if d.chance(0.7) else d.number()
        pair = (x, other) if d.chance(0.6) else (other, x)
        return f"torch.{name}({pair[0]}, {pair[1]})"


for _name in OPERATORS:

    @recipe(f"operator {_name}")
    def _operator(d: Draw, name: str = _name) -> str:
        x = d.x()
        other = d.like(x, "any") if d.chance(0.5) else d.number()
        left, right = (x, other) if d.chance(0.5) else (other, x)
        return f"{left} {name} ({right})"


templates(
    "clamp",
    lambda d: f"torch.clamp({d.x('number')}, {d.pick(-1, -0.5, None)}, {d.pick(1, 0.75, 3)})",
    lambda d: f"{d.x('number')}.clamp_min({d.pick(0, -0.25)})",
    lambda d: f"{d.x('number')}.clamp_max({d.pick(0, 1.25)})",
)


@recipe("clamp.Tensor")
def clamp_tensor(d: Draw) -> str:
    x = d.x("float")
    return f"torch.clamp({x}, {d.like(x, 'float')}, {d.pick(None, d.like(x, 'float'))})"


@recipe("div.rounding")
def div_rounding(d: Draw) -> str:
    x = d.x("number")
    other = d.like(x, "number") if d.chance(0.5) else d.pick(2, 3, -4, 0.75)
    return f"torch.div({x}, {other}, rounding_mode={d.pick('trunc', 'floor', None)!r})"


@recipe("alpha")
def alpha(d: Draw) -> str:
    x = d.x("number")
    return f"torch.{d.pick('add', 'sub', 'rsub')}({x}, {d.like(x, 'number')}, alpha={d.pick(2, -1, 3)})"


@recipe("where")
def where(d: Draw) -> str:
    condition = d.x("bool")
    a = d.like(condition, "any") if d.chance(0.7) else d.number()
    b = d.like(condition, "any") if d.chance(0.7) else d.number()
    return f"torch.where({condition}, {a}, {b})"


@recipe("masked_fill")
def masked_fill(d: Draw) -> str:
    x = d.x()
    value = {"bool": "True", "int64": "-3", "int32": "7"}.get(x.dtype, d.pick("0.5", "-1e4", "0", "-1e30"))
    return f"{x}.masked_fill({d.like(x, 'bool')}, {value})"


@recipe("addcmul", "addcdiv")
def addc(d: Draw) -> str:
    x = d.x("float")
    values = f"{x}, {d.like(x, x_kind(x))}, {d.like(x, x_kind(x))}, value={d.pick(1, 0.5, -2)}"
    return f"torch.{d.pick('addcmul', 'addcdiv')}({values})"


def x_kind(x) -> str:
    return "f32" if x.dtype == "float32" else "float"


@recipe("lerp")
def lerp(d: Draw) -> str:
    x = d.x("float")
    return f"torch.lerp({x}, {d.like(x, x_kind(x))}, {d.pick(0.25, d.like(x, x_kind(x)))})"


templates(
    "parameters of activations",
    lambda d: f"F.gelu({d.x('float')}, approximate='tanh')",
    lambda d: f"F.elu({d.x('float')}, {d.pick(0.5, 2.0)})",
    lambda d: f"F.celu({d.x('float')}, {d.pick(0.5, 2.0)})",
    lambda d: f"F.softplus({d.x('float')}, {d.pick(0.5, 2)}, {d.pick(1, 20)})",
    lambda d: f"F.hardtanh({d.x('number')}, {d.pick(-0.5, -2)}, {d.pick(0.5, 1)})",
    lambda d: f"F.leaky_relu({d.x('float')}, {d.pick(0.3, -0.5, 0)})",
    lambda d: f"F.threshold({d.x('number')}, {d.pick(0, 0.5)}, {d.pick(-1, 20)})",
    lambda d: f"F.hardshrink({d.x('float')}, {d.pick(0.1, 1)})",
    lambda d: f"F.softshrink({d.x('float')}, {d.pick(0.1, 1)})",
    lambda d: f"torch.round({d.x('float')}, decimals={d.pick(0, 1, 2, -1)})",
    lambda d: f"F.dropout({d.x('float')}, 0.5, False)",
    lambda d: f"torch.nan_to_num({d.x()}, {d.pick(0.0, 2.0)})",
)


@recipe("glu")
def glu(d: Draw) -> str:
    x = d.x("float", (1, 6), lambda v: any(size % 2 == 0 for size in v.shape))
    return f"F.glu({x}, {d.pick(*(axis for axis, size in enumerate(x.shape) if size % 2 == 0))})"


@recipe("prelu")
def prelu(d: Draw) -> str:
    x = d.x("float", (1, 5))
    channels = x.shape[1] if x.rank > 1 else 1
    return f"F.prelu({x}, {d.given(x.dtype, (d.pick(1, channels),))})"


@recipe("cast")
def cast(d: Draw) -> str:
    dtype = d.pick("float32", "float32", "int64", "int32", "bool", *d.dtypes)
    return d.pick(f"{d.x()}.to(torch.{dtype})", f"{d.x()}.type_as({d.x()})", f"torch.clone({d.x()})")


# ---------------------------------------------------------------- reductions

SUMS = ("sum", "mean", "amax", "amin", "all", "any", "logsumexp", "nansum")
ALONG_ONE = ("prod", "argmax", "argmin", "cumsum", "cumprod", "softmax", "log_softmax", "max", "min")

for _name in SUMS:

    @recipe(_name)
    def _sums(d: Draw, name: str = _name) -> str:
        x = d.x("float" if name in ("mean", "logsumexp") else "any")
        if d.chance(0.15) and name not in ("logsumexp",):
            return f"torch.{name}({x})"
        return f"torch.{name}({x}, {d.axes(x)}, keepdim={d.chance(0.5)})"


for _name in ALONG_ONE:

    @recipe(_name)
    def _along(d: Draw, name: str = _name) -> str:
        x = d.x("float" if "softmax" in name else "any")
        if name in ("prod", "argmax", "argmin", "max", "min") and d.chance(0.2):
            return f"torch.{name}({x})"
        keep = f", keepdim={d.chance(0.5)}" if name in ("prod", "argmax", "argmin", "max", "min") else ""
        part = d.pick("", "", ".values", ".indices") if name in ("max", "min") else ""
        return f"torch.{name}({x}, {d.axis(x)}{keep}){part}"


@recipe("std", "var", "var_mean", "std_mean")
def deviation(d: Draw) -> str:
    x = d.x("float", (1, 6))
    name = d.pick("std", "var", "var_mean", "std_mean")
    return f"torch.{name}({x}, {d.axes(x)}, correction={d.pick(0, 1)}, keepdim={d.chance(0.5)})"


@recipe("norm")
def norm(d: Draw) -> str:
    x = d.x("float", (1, 6))
    order = d.pick("1", "2", "3", "0", "float('inf')", "-float('inf')", "0.5")
    return d.pick(
        f"torch.linalg.vector_norm({x}, {order}, {d.axes(x)}, {d.chance(0.5)})",
        f"torch.norm({x}, {d.pick(1, 2)}, {d.axis(x)}, {d.chance(0.5)})",
        f"F.normalize({x}, dim={d.axis(x)})",
    )


@recipe("sort", "topk", "argsort")
def order(d: Draw) -> str:
    """Values in order; of indices what they pick, as torch does not say which of equal elements comes first."""
    x = d.x("number", (1, 5))
    axis, down = d.axis(x), d.chance(0.5)
    return d.pick(
        f"torch.sort({x}, dim={axis}, descending={down}).values",
        f"torch.topk({x}, {d.integer(1, x.shape[axis])}, {axis}, {down}, True).values",
        f"torch.gather({x}, {axis}, torch.argsort({x}, {axis}, {down}))",
        f"torch.gather({x}, {axis}, torch.topk({x}, {d.integer(1, x.shape[axis])}, {axis}, {down}).indices)",
    )


@recipe("cosine_similarity")
def cosine_similarity(d: Draw) -> str:
    x = d.x("f32", (1, 4))
    return f"F.cosine_similarity({x}, {d.like(x, 'f32')}, dim={d.axis(x)})"


@recipe("with dtype")
def with_dtype(d: Draw) -> str:
    x = d.x("any", (1, 5))
    name, dtype = d.pick("sum", "prod", "cumsum", "softmax", "mean"), d.pick("float32", "int64", *d.dtypes)
    if dtype == "bool":
        raise Skip
    return f"torch.{name}({x}, {d.axis(x)}, dtype=torch.{dtype})"
