"""Which math fidelity each call gets, by card and by the storage of its operands."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

import ttc
from ttc.calls.attention import ScaledDotProductAttention
from ttc.calls.call import Call, ComputeKernelConfig, MathFidelity
from ttc.calls.conv import Conv2d
from ttc.calls.conv_transpose import ConvTranspose2d
from ttc.calls.fidelity import MOST, fidelity_named, reason, with_fidelity
from ttc.calls.matmul import Linear, Matmul
from ttc.calls.target import TARGETS
from ttc.calls.unary import Relu
from ttc.compiled.compiled import Compiled
from ttc.errors import InputError
from ttc.ir import Builder, DType, Graph, Input, Spec, Value, bodies

LoFi, HiFi2, HiFi3, HiFi4 = MathFidelity
N150, P150 = TARGETS["n150"], TARGETS["p150"]
bf16, f32, bfp8, bfp4 = DType.bf16, DType.f32, DType.bfp8, DType.bfp4


def value(dtype: DType) -> Value:
    return Builder()(Input(Spec(dtype, (32, 32)), "x"))


def chosen(call: Call, target=N150, stated=None) -> MathFidelity:
    return with_fidelity(call, target, stated).compute.math_fidelity


@pytest.mark.parametrize(
    ("left", "right", "on_wormhole", "on_blackhole"),
    [
        (bf16, bf16, HiFi3, HiFi4),
        (f32, f32, HiFi3, HiFi4),
        (bf16, bfp8, HiFi2, HiFi2),
        (bf16, bfp4, LoFi, LoFi),
        (f32, bfp8, HiFi2, HiFi2),
        (bfp8, bf16, HiFi2, HiFi2),
        (bfp4, bf16, HiFi2, HiFi2),  # one pass would read 5 of the 8 bits on the right
        (bfp8, bfp4, LoFi, LoFi),
        (bfp4, bfp8, HiFi2, HiFi2),
    ],
)
def test_a_product_has_the_passes_for_its_sides(left, right, on_wormhole, on_blackhole):
    for call in (Matmul(value(left), value(right)), Linear(value(left), value(right))):
        assert chosen(call, N150) is on_wormhole
        assert chosen(call, P150) is on_blackhole


def test_a_stated_fidelity_is_kept_and_all_else_of_the_call_too():
    config = ComputeKernelConfig(HiFi4, math_approx_mode=True, packer_l1_acc=False)
    call = Matmul(value(bf16), value(bfp8), transpose_b=True, compute_kernel_config=config)
    found = with_fidelity(call, N150, HiFi3)
    assert found.compute == ComputeKernelConfig(HiFi3, math_approx_mode=True, packer_l1_acc=False)
    assert found.transpose_b
    relu = Relu(value(bf16))
    assert with_fidelity(relu, N150, LoFi) is relu
    unstated = Matmul(value(bf16), value(bf16), compute_kernel_config=None)
    assert with_fidelity(unstated, N150) == unstated


def test_names():
    assert [fidelity_named(name, N150) for name in ("LoFi", "HiFi2", "HiFi3")] == [LoFi, HiFi2, HiFi3]
    assert fidelity_named("HiFi4", P150) is HiFi4
    assert fidelity_named(HiFi2, N150) is HiFi2
    with pytest.raises(InputError, match=r"'HiFi4' on n150, where .* wrong numbers; choose from LoFi, HiFi2, HiFi3$"):
        fidelity_named("HiFi4", N150)
    with pytest.raises(InputError, match=r"'hifi2'; choose from LoFi, HiFi2, HiFi3, HiFi4$"):
        fidelity_named("hifi2", P150)
    for strange in (2, [], {"HiFi2": 1}):
        with pytest.raises(InputError, match="no fidelity is called"):
            fidelity_named(strange, P150)
    assert MOST.keys() == {target.arch for target in TARGETS.values()}


def test_reasons():
    def of(left: DType, right: DType, stated: MathFidelity | None = None) -> str:
        return reason(with_fidelity(Matmul(value(left), value(right)), N150, stated), N150)

    assert of(bf16, bf16) == "HiFi3, the most that is right with sums in fp32 on wormhole_b0"
    assert of(bf16, bfp8) == "HiFi2 for block formats"
    assert of(bf16, bf16, LoFi) == "LoFi as asked for"
    assert reason(Relu(value(bf16)), N150) == ""


class Net(nn.Module):
    """Every family of calls that states its arithmetic."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.back = nn.Conv2d(32, 32, 3, padding=1), nn.ConvTranspose2d(32, 32, 2, stride=2)
        self.attention = nn.MultiheadAttention(32, 2, batch_first=True)
        self.norm, self.out = nn.LayerNorm(32), nn.Linear(32, 32)

    def forward(self, x):
        x = self.back(self.conv(x)).flatten(2).mT
        x = self.norm(self.attention(x, x, x, need_weights=False)[0])
        return self.out(x).softmax(-1), (x @ x.mT).sum(-1)


def compiled(**options) -> Compiled:
    return ttc.compile(Net().eval(), torch.zeros(1, 32, 4, 4), **options)


def calls(graph: Graph) -> Iterator[Call]:
    for node in graph.nodes:
        if isinstance(node.op, Call):
            yield node.op
        for body in bodies(node.op):
            yield from calls(body)


def fidelities(program: Compiled) -> dict[type[Call], set[MathFidelity]]:
    found: dict[type[Call], set[MathFidelity]] = {}
    for call in calls(program.build.program.graph):
        if call.compute:
            found.setdefault(type(call), set()).add(call.compute.math_fidelity)
    return found


@pytest.mark.parametrize("dtype", ["bf16", "fp32", "bfp8", "bfp4"])
def test_wormhole_never_makes_four_passes(dtype: str):
    found = fidelities(compiled(dtype=dtype))
    assert {Conv2d, ConvTranspose2d, Linear, Matmul if dtype == "fp32" else ScaledDotProductAttention} <= found.keys()
    assert HiFi4 not in set.union(*found.values())
    weights = {"bfp8": HiFi2, "bfp4": LoFi}.get(dtype, HiFi3)
    assert found[Linear] == found[Conv2d] == {weights}
    on_blackhole = fidelities(compiled(dtype=dtype, target="p150"))
    assert on_blackhole[Linear] == {{"bfp8": HiFi2, "bfp4": LoFi}.get(dtype, HiFi4)}


def test_one_fidelity_for_all_calls_on_request():
    program = compiled(fidelity="HiFi2")
    assert set.union(*fidelities(program).values()) == {HiFi2}
    assert "calls HiFi2 as asked for" in str(program.report)
    with pytest.raises(InputError, match="wrong numbers"):
        compiled(fidelity="HiFi4")


def test_the_report_counts_the_fidelities_with_their_reasons():
    counts = compiled(dtype="bfp8").report.to_dict()["calls_by_fidelity"]
    assert counts.keys() == {
        "HiFi3, the most that is right with sums in fp32 on wormhole_b0",
        "HiFi2 for block formats",
    }
    assert counts["HiFi2 for block formats"] >= 4


@pytest.mark.parametrize("layer", [nn.Conv2d(1, 1, 1, bias=False), nn.ConvTranspose2d(1, 1, 1, bias=False)])
def test_convolutions_are_emulated_in_their_passes(layer: nn.Module):
    nn.init.ones_(layer.weight)
    x = torch.full((1, 1, 4, 4), 7.96875)  # 8 significant bits, of which the first pass reads 7
    for fidelity, read in [("HiFi2", 7.9375), ("HiFi3", 7.96875)]:
        program = ttc.compile(layer, x, dtype="fp32", fidelity=fidelity)
        (found,) = program.run([x.numpy()], mode="tensix").values()
        assert (found == read).all()
