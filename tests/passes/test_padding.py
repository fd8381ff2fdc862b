"""Padding safety on models as PyTorch exports them: results, text, what is refused."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.passes.check import body, graph_of
from tests.passes.padded_models import SIZES, check, module, padded, time_last
from ttc import ops
from ttc.errors import Refusal, Refused
from ttc.ir import Op, TensorType, Value
from ttc.ir.lengths import Length
from ttc.ops.padding import transfer_of
from ttc.passes.padding import Readings, infer_lengths, mask, pad


def window() -> torch.Tensor:
    return torch.hann_window(8)


CASES = {
    "mirrored convolution": module(lambda x, c: c(time_last(x)), nn.Conv1d(4, 8, 5, padding=2, padding_mode="reflect")),
    "convolution in two dimensions": module(lambda x, c: c(x[:, None]), nn.Conv2d(1, 3, 3, stride=2, padding=1)),
    "instance norm": module(lambda x, c: c(time_last(x)), nn.InstanceNorm1d(4, affine=True)),
    "standard deviation": module(lambda x: x.std(1)),
    "sum over a length by its size": module(lambda x: x.sum(1) / x.shape[1] ** 0.5),
    "largest of all": module(lambda x: F.adaptive_max_pool1d(time_last(x), 1)),
    "pool of all": module(lambda x: F.avg_pool1d(time_last(x), x.shape[1])),
    "average without padding": module(lambda x: F.avg_pool1d(time_last(x), 3, 2, 1, count_include_pad=False)),
    "attention": module(lambda x, a: a(x, x, x), nn.MultiheadAttention(4, 2, batch_first=True)),
    "attention, time first": module(
        lambda x, a: a(x.transpose(0, 1), x.transpose(0, 1), x.transpose(0, 1))[0], nn.MultiheadAttention(4, 2)
    ),
    "attention of what comes before": module(
        lambda x: F.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None], is_causal=True)
    ),
    "transformer": module(lambda x, t: t(x), nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)),
    "recurrence": module(lambda x, r: r(x), nn.GRU(4, 3, 2, batch_first=True, bidirectional=True)),
    "interpolation": module(lambda x: F.interpolate(time_last(x), scale_factor=2, mode="linear")),
    "the last step": module(lambda x: x[:, -1]),
    "the last two": module(lambda x: x[:, -2:]),
    "differences": module(lambda x: (x[:, 1:] - x[:, :-1]).abs().mean(1)),
    "the first half": module(lambda x: x[:, : x.shape[1] // 2].sum(1)),
    "roll": module(lambda x: x.roll(1, 1)),
    "prefix sum from the end": module(lambda x: x.flip(1).cumsum(1).flip(1)),
    "something after the end": module(lambda x: torch.cat([x, x.new_ones(x.shape[0], 2, 4)], 1).cumsum(1)),
    "positions": module(lambda x, e: x + e(torch.arange(x.shape[1])), nn.Embedding(64, 4)),
    "positions from the end": module(lambda x, e: x + e(torch.arange(x.shape[1]).flip(0)), nn.Embedding(64, 4)),
    "a ramp over the length": module(lambda x: x * torch.linspace(0, 1, x.shape[1])[:, None]),
    "frames": module(lambda x: x.unfold(1, 4, 2).mean(-1)),
    "spectrum": module(lambda x: torch.view_as_real(torch.stft(x[..., 0], 8, 2, window=window(), return_complex=True))),
    "signal of a spectrum": module(
        lambda x: torch.istft(torch.stft(x[..., 0], 8, 2, window=window(), return_complex=True), 8, 2, window=window())
    ),
    "the largest": module(lambda x: (x.topk(2, dim=1).values, x.argmax(1).float())),
    "merged with the batch": module(lambda x, w: w(x.reshape(-1, 4)).reshape(x.shape).mean(1), nn.Linear(4, 4)),
    "positions of a length of its own": module(
        lambda x, c: torch.arange((y := c(c(time_last(x)))).shape[2]) - y, nn.Conv1d(4, 4, 3, stride=3)
    ),
    "a place along the length": module(
        lambda x: x * torch.zeros(x.shape[1]).scatter(0, x.sum((0, 2)).argmax(0, keepdim=True), 1.0).cumsum(0)[:, None]
    ),
    "unit length": module(lambda x: F.normalize(x, dim=1)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bucket_gives_what_the_exact_length_gives(name):
    model = CASES[name]
    found = padded(model)
    for length in (5, 10, 16):
        if all(own.at({"T": length}) >= least for own, least in found.least):
            check(model, found, length)


# ---------------------------------------------------------------- text


def test_the_program_with_its_masks():
    text = """
        %x: f32[1,4,{0}] = input(name="x")
        %w: f32[8,4,3] = const(ref="w")
        %y: f32[1,8,{1}] = conv(x=%x, w=%w, stride=[2], padding=[[1, 1]], dilation=[1])
        %m: f32[1,8] = mean(x=%y, dims=[2])
        return "m"=%m
    """
    graphs = [graph_of(text.replace("{0}", str(n)).replace("{1}", str((n + 1) // 2))) for n in (4, 5, 7)]
    found = pad(graphs, [{"T": n} for n in (4, 5, 7)])
    assert body(found.graph) == "\n".join(
        [
            '%x: f32[1,4,4] = input(name="x")',
            '%T: i64[1] = input(name="T")',
            '%w: f32[8,4,3] = const(ref="w")',
            "%y: i64[1,1,4] = literal(data=[0, 1, 2, 3])",
            "%y_0: i64[1,1,1] = reshape(x=%T, shape=[1, 1, 1])",
            "%valid.4: bool[1,1,4] = lt(a=%y, b=%y_0)",
            "%y_1: f32[] = full(value=0.0)",
            "%x.valid: f32[1,4,4] = where(condition=%valid.4, a=%x, b=%y_1)",
            "%y_2: f32[1,8,2] = conv(x=%x.valid, w=%w, stride=[2], padding=[[1, 1]], dilation=[1])",
            "%m: i64[1,1,2] = literal(data=[0, 1])",
            "%m_0: i64[] = full(value=1)",
            "%m_1: i64[1] = add(a=%T, b=%m_0)",
            "%m_2: i64[] = full(value=2)",
            "%m_3: i64[1] = floor_div(a=%m_1, b=%m_2)",
            "%m_4: i64[1,1,1] = reshape(x=%m_3, shape=[1, 1, 1])",
            "%valid.2: bool[1,1,2] = lt(a=%m, b=%m_4)",
            "%m_5: f32[] = full(value=0.0)",
            "%y_2.valid: f32[1,8,2] = where(condition=%valid.2, a=%y_2, b=%m_5)",
            "%m_6: f32[1,8] = sum(x=%y_2.valid, dims=[2])",
            "%m_7: i64[1,1] = reshape(x=%m_3, shape=[1, 1])",
            "%m_8: f32[1,1] = cast(x=%m_7, dtype=f32)",
            "%m_9: f32[1,8] = div(a=%m_6, b=%m_8)",
            'return "m"=%m_9',
        ]
    )
    assert [str(mask) for mask in found.masks] == [
        "%x, 0 beyond T: a convolution reads over the end of the length (%y)",
        "%y_2, 0 beyond (T + 1)//2: a reduction over the length (%m)",
    ]


# ---------------------------------------------------------------- refusals


POOLS = {ops.FillBlocks, ops.PagedAttention, ops.WriteRows}
"""Ops that padding is never carried through: serving compiles a program for each number of tokens."""


def test_every_op_has_a_rule():
    """Constants are no ops of a rule: what they are at each length is known. Pools of blocks have exact sizes alone."""
    kinds = {item for item in vars(ops).values() if isinstance(item, type) and issubclass(item, Op)}
    assert len(kinds) > 100
    assert {kind for kind in kinds if not has_transfer(kind)} == {ops.Full, ops.Literal, *POOLS}


def has_transfer(kind: type[Op]) -> bool:
    try:
        return bool(transfer_of(kind))
    except Refusal:
        return False


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (module(lambda x: x.repeat(1, 2, 1)), "repeat .*: it repeats a length"),
        (module(lambda x: x.reshape(-1, 4)), "merged a length with"),
        (module(lambda x: x.reshape(-1, 4)[torch.arange(20) * 1]), "merged a length with"),
        (module(lambda x: x * (torch.arange(x.shape[1]) == x.shape[1] - 1)[:, None]), "its numbers follow a length"),
        (module(lambda x: x[:, : x.shape[1] ** 2 // 20]), "follows no length that ttc knows"),
        (module(lambda x: x * torch.hann_window(x.shape[1])[:, None]), "its numbers follow a length"),
        (module(lambda x: torch.stack([x[:, i].sum() for i in range(x.shape[1])])), "in another way at each length"),
        (module(lambda x: F.interpolate(time_last(x), size=20)), "cannot be compiled"),
    ],
)
def test_what_cannot_be_shown_is_refused(model, message):
    with pytest.raises(Refused, match=message):
        padded(model)


@pytest.mark.parametrize("pads", [(6, 0), (0, 6), (6, 2)])
def test_a_mirrored_edge_needs_what_it_mirrors(pads):
    """Six elements beside the first or the last are seven with it: torch takes no fewer."""
    found = padded(module(lambda x: F.pad(time_last(x), pads, mode="reflect")))
    assert (Length.named("T"), 7) in found.least


def test_lengths_are_inferred_by_type_rules_and_leave_the_program():
    """One annotated graph of all readings: each size that follows a length says so, in types and in attributes."""
    graphs = [graph_of(CUT.replace("{0}", str(n)).replace("{1}", str(n - 2))) for n in SIZES]
    annotated = infer_lengths(Readings(graphs, [{"T": n} for n in SIZES]))
    (_, y), T = annotated.graph.outputs[0], Length.named("T")
    assert [getattr(size, "length", None) for size in y.shape] == [None, T - 2]
    assert [getattr(size, "length", None) for size in y.op.ends] == [None, T - 2]  # type: ignore[attr-defined]
    assert annotated.reasons == ()
    assert not annotated.guessed
    program = mask(annotated).graph
    assert {type(size) for value in program.values() for size in value.shape} == {int}
    assert {type(size) for node in program.nodes for size in getattr(node.op, "ends", ())} == {int}


CUT = """
    %x: f32[1,{0}] = input(name="x")
    %y: f32[1,{1}] = slice(x=%x, starts=[0, 0], ends=[1, {1}], steps=[1, 1])
    return "y"=%y
"""


EVERY_OTHER = """
    %x: f32[1,{0}] = input(name="x")
    %part: f32[1,{1}] = slice(x=%x, starts=[0, 0], ends=[1, {1}], steps=[1, 1])
    %turned: f32[1,{1}] = flip(x=%part, dims=[1])
    %y: f32[1,{1}] = relu(x={2})
    %z: f32[1,{1}] = exp(x=%y)
    return "z"=%z
"""


def test_what_hangs_on_different_ops_is_cut_off_and_told_once():
    """Of a roll by 9, say, nothing is left at a size of 9; what reads the result is in no annotated graph."""
    texts = [EVERY_OTHER.format(n, n - 2, "%part" if n % 2 else "%turned") for n in SIZES]
    annotated = infer_lengths(Readings(list(map(graph_of, texts)), [{"T": n} for n in SIZES]))
    ((culprit, reason),) = annotated.reasons
    assert culprit == "the model"
    assert reason == "%turned is computed in another way at each length: flip at T=16, slice at T=13, slice at T=11"
    assert not annotated.graph.outputs


def test_an_op_without_a_rule_is_refused():
    @dataclass(frozen=True)
    class Unknown(Op):
        """An op that nobody has thought about, and that is not elementwise by its class."""

        x: Value

        def infer(self) -> TensorType:
            return self.x.type

    graphs = [
        graph_of(f'%x: f32[2,{n}] = input(name="x")\n%y: f32[2,{n}] = unknown(x=%x)\nreturn "y"=%y') for n in SIZES
    ]
    try:
        with pytest.raises(Refused, match="nothing is known of what it makes of padding"):
            pad(graphs, [{"T": n} for n in SIZES])
    finally:
        del Op.registry[Unknown.mnemonic]
