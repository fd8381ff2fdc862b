import pytest
import torch
import torch.nn.functional as F

from tests.frontend.exporting import each_agrees
from ttc.frontend.export import export

torch.manual_seed(0)
X, Y = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
WHOLE = torch.randint(1, 9, (2, 3, 4))


def test_functions_of_one_operand():
    names = "abs atan asinh cos cosh erf erfc exp exp2 expm1 neg relu sigmoid sign sgn sin sinh tan tanh ceil"
    names += " floor round trunc frac square isnan isinf isfinite logical_not angle"
    calls = [f"torch.{name}(x)" for name in names.split()]
    each_agrees("\n".join([*calls, "torch.round(x, decimals=2)", "-x", "x.clone()", "x.detach()"]), x=X)


def test_functions_defined_on_a_part_of_the_line():
    names = ["log", "log1p", "log2", "log10", "sqrt", "rsqrt", "reciprocal", "acosh"]
    each_agrees("\n".join(f"torch.{name}(x)" for name in names), x=X.abs() + 1.1)
    each_agrees("torch.asin(x)\ntorch.acos(x)\ntorch.atanh(x)", x=X.sigmoid())


def test_not_a_number_and_infinity_are_found():
    x = torch.tensor([1.0, torch.nan, torch.inf, -torch.inf, 0.0])
    each_agrees("torch.isnan(x)\ntorch.isinf(x)\ntorch.isfinite(x)\ntorch.nan_to_num(x)\nx.clamp(-1, 1)", x=x)


def test_integers_become_floats_where_torch_makes_them_so():
    exported = each_agrees(
        """
        torch.sin(i)
        torch.sqrt(i)
        torch.sigmoid(i)
        torch.reciprocal(i)
        torch.abs(i)
        torch.neg(i)
        torch.floor(i)
        torch.round(i)
        ~i
        torch.bitwise_not(i > 3)
        torch.isnan(i)
        torch.isfinite(i)
        """,
        i=WHOLE,
    )
    assert "cast(x=%i, dtype=f32)" in str(exported.graph)


def test_activations():
    each_agrees(
        """
        F.gelu(x)
        F.gelu(x, approximate="tanh")
        F.silu(x)
        F.mish(x)
        F.hardswish(x)
        F.hardsigmoid(x)
        F.hardtanh(x)
        F.hardtanh(x, -0.2, 0.7)
        F.relu6(x)
        F.leaky_relu(x, 0.2)
        F.elu(x)
        F.elu(x, 0.5)
        F.selu(x)
        F.celu(x, 2.0)
        F.celu(x, -2.0)
        torch.ops.aten.elu(x, 1.5, 2, -1)
        torch.ops.aten.elu(x, 1.5, 2, 0)
        torch.ops.aten.elu(x, 1.5, 2, 0.7)
        F.softplus(x)
        F.softplus(x, 2.0, 1.0)
        F.logsigmoid(x)
        F.threshold(x, 0.1, 9.0)
        F.hardshrink(x)
        F.softshrink(x)
        F.softsign(x)
        F.tanhshrink(x)
        F.glu(x)
        F.glu(x, 0)
        F.prelu(x, torch.tensor([0.1, 0.2, 0.3]))
        F.prelu(x[0, 0, 0] - 9, torch.tensor(0.5))
        F.softmin(x, 1)
        F.dropout(x, 0.5, False)
        """,
        x=X,
    )


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (F.logsigmoid, ["neg", "softplus", "neg"]), (F.celu, ["elu"]), (F.elu, ["elu"]), (F.gelu, ["gelu"]),
        (F.hardsigmoid, ["hard_sigmoid"]), (F.hardswish, ["hard_swish"]), (F.leaky_relu, ["leaky_relu"]),
        (F.mish, ["mish"]), (F.relu6, ["clamp"]), (F.silu, ["silu"]), (F.softplus, ["softplus"]),
    ],
)  # fmt: skip
def test_what_torch_can_decompose_stays_one_op(function, wanted):
    class Applied(torch.nn.Module):
        def forward(self, x):
            return function(x)

    assert [node.op.mnemonic for node in export(Applied(), (X,), {}).graph.nodes] == ["input", *wanted]


def test_arithmetic():
    each_agrees(
        """
        x + y
        x - y
        x * y
        x / y
        x // y
        x % y
        torch.fmod(x, y)
        torch.maximum(x, y)
        torch.minimum(x, y)
        torch.max(x, y)
        torch.min(x, y)
        torch.atan2(x, y)
        x.abs() ** y
        x**2
        2**x
        1 - x
        2.5 / x
        x + 3
        x + y[0]
        x[:, :1] * y[..., :1]
        torch.add(x, y, alpha=3)
        torch.sub(x, y, alpha=0.5)
        torch.rsub(x, y, alpha=2)
        torch.div(x, y, rounding_mode="floor")
        torch.div(x, y, rounding_mode="trunc")
        torch.float_power(x, 2)
        torch.lerp(x, y, 0.3)
        torch.lerp(x, y, y)
        torch.addcmul(x, x, y, value=2)
        torch.addcdiv(x, x, y)
        x.clamp(-1, 0.5)
        x.clamp(min=y)
        x.clamp(y - 1, y + 1)
        x.clamp_min(0.1)
        x.clamp_max(0.1)
        """,
        x=X,
        y=Y,
    )


def test_common_divisors():
    negative = torch.tensor([0, -12, 18, -(2**31)])
    each_agrees("torch.gcd(i, j)\ntorch.gcd(i, j[0])\ntorch.gcd(j, 0 * j)", i=WHOLE, j=WHOLE - 5)
    each_agrees("torch.gcd(i, j)\ni.gcd(j.to(torch.int32))", i=negative, j=torch.tensor([0, 8, 27, 6]))


def test_comparisons_and_logic():
    each_agrees(
        """
        x > y
        x >= y
        x < y
        x <= y
        x == y
        x != y
        x > 0
        x == 0
        (x > 0) & (y > 0)
        (x > 0) | (y > 0)
        (x > 0) ^ (y > 0)
        ~(x > 0)
        torch.logical_and(x, y)
        torch.logical_or(x > 0, y)
        torch.logical_xor(x, y)
        torch.where(x > 0, x, y)
        x.masked_fill(x > 0, 9.0)
        x.masked_fill(x > 0, torch.tensor(2.0))
        """,
        x=X,
        y=Y,
    )


def test_mixed_dtypes_are_promoted_as_torch_promotes_them():
    each_agrees(
        """
        i + x
        i + 1
        i + 1.5
        i * b
        b + b
        b * 2
        i / 2
        i / i
        i // 2
        i % 3
        x + i.sum()
        i + x.sum()
        i > 2.5
        i > 2
        b == 1
        b + x
        i**2
        i & 3
        torch.div(i, 2, rounding_mode="trunc")
        torch.div(i, 2, rounding_mode="floor")
        i.to(torch.int32) + i
        i.to(torch.int32) + 1
        i.to(torch.int8) * i.to(torch.uint8)
        x.half() + 1.5
        x.half() + x.sum()
        x.half() * x
        x.double() + x
        x.bfloat16() + 1
        torch.where(b, i, x)
        torch.where(b, 1.0, x)
        torch.where(b, x, 0)
        torch.where(b, 1, 2.5)
        torch.clamp(i, 2.5, 7)
        torch.clamp(i, 2, 7)
        torch.maximum(i, x)
        torch.cat([i, x])
        torch.stack([i, x])
        i.sum()
        b.sum()
        b.sum(1)
        i.float().mean()
        i.cumsum(1)
        b.cumsum(0)
        x.cumprod(1)
        i.prod(1)
        i.type_as(x)
        i.to(x)
        x.to(torch.bool)
        """,
        i=WHOLE,
        x=X,
        b=X > 0,
    )


def test_other_floats():
    each_agrees(
        """
        x + 1
        x * 2.5
        x / 3
        F.gelu(x)
        F.layer_norm(x, (4,))
        x.softmax(-1)
        x @ x.mT
        x.float() * 2
        x.sum()
        x.mean(1)
        """,
        x=X.half(),
        tolerance=2e-3,
    )
    each_agrees("x + 1\nx * 2.5\nF.gelu(x)\nx @ x.mT\nx.float() + x\ntorch.arange(3).double()", x=X.double())


def test_arithmetic_of_booleans():
    """A product is `and`, as the smaller is; the larger is `or`, and so is a sum."""
    each_agrees(
        """
        torch.add(x > 0, x < 1)
        torch.add(x > 0, x < -1, alpha=False)
        torch.add(x > 0, x < -1, alpha=2)
        torch.add(x > 0, True, alpha=0)
        (x > 0) * (x < 1)
        (x > 0) * True
        torch.maximum(x > 0, x < -1)
        torch.minimum(x > 0, x < 1)
        (x > 0) * x
        (x > 0) * 3
        """,
        x=torch.linspace(-2, 2, 9),
    )
