"""Two LSTMs, one on the other, become one; near misses do not."""

import numpy as np
import pytest
import torch

import ttc
from tests.cards import EACH_CARD
from tests.mock_cards import check
from tests.passes.check import agree, body, leaves, near_miss, random, retyped
from ttc import ops
from ttc.passes.fuse.stack_lstm import SHORTEST, SMALL, stack_lstm
from ttc.passes.runner import run

BEFORE = """
    %x: f32[6,2,5] = input(name="x")
    %w: f32[1,128,5] = const(ref="w")
    %r: f32[1,128,32] = const(ref="r")
    %b: f32[1,128] = const(ref="b")
    %v: f32[1,128,32] = const(ref="v")
    %s: f32[1,128,32] = const(ref="s")
    %c: f32[1,128] = const(ref="c")
    %p: f32[1,96] = const(ref="p")
    %q: f32[1,32,32] = const(ref="q")
    %n: i64[2] = const(ref="n")
    %z: f32[1,2,32] = full(value=0.0)
    %o: f32[1,2,32] = full(value=0.5)
    %y: f32[6,2,32], %h: f32[1,2,32], %i: f32[1,2,32] = lstm(x=%x, w=%w, r=%r, bias=%b)
    %y1: f32[6,2,32], %h1: f32[1,2,32], %i1: f32[1,2,32] = lstm(x=%y, w=%v, r=%s, bias=%c)
    return "y"=%y1, "h"=%h1, "c"=%i1
"""
FIRST, SECOND = "lstm(x=%x, w=%w, r=%r, bias=%b", "lstm(x=%y, w=%v, r=%s, bias=%c"
STACKED = "[7,2,64]"


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
@pytest.mark.parametrize("zeros", ["", ", h=%z, c=%z"])
def test_the_second_is_a_step_behind(first: bool, second: bool, zeros: str):
    text = BEFORE.replace(FIRST, FIRST if first else FIRST.replace(", bias=%b", ""))
    text = text.replace(SECOND, (SECOND if second else SECOND.replace(", bias=%c", "")) + zeros)
    after = run((stack_lstm,), graph := retyped(text), twice=True)
    (stacked,) = (node.op for node in after.nodes if isinstance(node.op, ops.Lstm))
    assert (stacked.hidden, stacked.x.shape) == (64, (7, 2, 6 if second else 5))
    agree(graph, after)


@pytest.mark.parametrize("ends", [[6, 6], [1, 6], [4, 2], [6, 5]])
def test_the_second_ends_a_step_after_the_first(ends: list[int]):
    """Where both have the same lengths; nothing that stands behind an end is read."""
    text = BEFORE.replace('%n: i64[2] = const(ref="n")', '%n: i64[2] = input(name="n")')
    text = text.replace(FIRST, FIRST + ", lengths=%n").replace(SECOND, SECOND + ", lengths=%n")
    after = run((stack_lstm,), graph := retyped(text), twice=True)
    assert [node.op.hidden for node in after.nodes if isinstance(node.op, ops.Lstm)] == [64]
    x = random(graph.inputs[0].type, "x")
    for sample, end in enumerate(ends):
        x[end:, sample] = torch.nan
    given = {"x": x, "n": torch.tensor(ends)}
    wanted, found = ops.evaluate(graph, given), ops.evaluate(after, given)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        *((op, f"{op}, {given}") for op in (FIRST, SECOND) for given in (
            "lengths=%n",
            "h=%o",
            "c=%o",
            "peephole=%p",
            "projection=%q",
            "reverse=true",
            "clip=0.5",
            "coupled=true",
            'activations=["sigmoid", "relu", "tanh"]',
        )),
        ('%v: f32[1,128,32] = const(ref="v")', '%v: f32[1,128,32] = input(name="v")'),
        ('%s: f32[1,128,32] = const(ref="s")', '%s: f32[1,128,32] = input(name="s")'),
        ('%b: f32[1,128] = const(ref="b")', '%b: f32[1,128] = input(name="b")'),
        ('"c"=%i1', '"c"=%i1, "first"=%y'),
        ('"c"=%i1', '"c"=%i1, "first"=%h'),
        ("lstm(x=%y, w=%v", "lstm(x=%u, w=%v"),
        ("bias=%c)", "bias=%c, h=%h)"),
    ],
)  # fmt: skip
def test_near_misses(old: str, new: str):
    text = BEFORE.replace("%y1:", "%u: f32[6,2,32] = tanh(x=%y)\n    %y1:")
    near_miss(text, old, new, STACKED, stack_lstm)


def test_both_directions_stay_as_they_are():
    text = BEFORE.replace("[1,128,32] = const", "[2,128,32] = const").replace("[1,128,5]", "[2,128,5]")
    text = text.replace("[1,128] = const", "[2,128] = const").replace("%v: f32[2,128,32]", "%v: f32[2,128,64]")
    leaves(stack_lstm, body(retyped(text)))


@pytest.mark.parametrize("layer", ["w", "v"])
def test_another_hidden_size_stays_as_it_is(layer: str):
    """The first of 64, or the second."""
    text = BEFORE.replace("[1,128,5]", "[1,256,5]").replace("%r: f32[1,128,32]", "%r: f32[1,256,64]")
    text = text.replace("%b: f32[1,128]", "%b: f32[1,256]").replace("%v: f32[1,128,32]", "%v: f32[1,128,64]")
    if layer == "v":
        text = BEFORE.replace("%v: f32[1,128,32]", "%v: f32[1,256,32]").replace("%c: f32[1,128]", "%c: f32[1,256]")
        text = text.replace("%s: f32[1,128,32]", "%s: f32[1,256,64]")
    leaves(stack_lstm, body(retyped(text)))


@pytest.mark.parametrize(("hidden", "stacks"), [(31, False), (32, True), (33, False), (512, True), (544, False)])
def test_whole_tiles_that_l1_holds(hidden: int, stacks: bool):
    assert SMALL == 16 * 512**2
    text = BEFORE.replace("32]", f"{hidden}]").replace("96]", f"{3 * hidden}]").replace("128", f"{4 * hidden}")
    after = stack_lstm(retyped(text))
    assert body(after).count("lstm(") == (1 if stacks else 2)


@pytest.mark.parametrize(("steps", "stacks"), [(SHORTEST, True), (SHORTEST - 1, False)])
def test_few_steps_stay_as_they_are(steps: int, stacks: bool):
    after = stack_lstm(retyped(BEFORE.replace("f32[6,2,5]", f"f32[{steps},2,5]")))
    assert (f"[{steps + 1},2,64]" in body(after)) == stacks


def test_of_three_layers_two_are_one():
    text = BEFORE.replace(
        "return",
        "%y2: f32[6,2,32], %h2: f32[1,2,32], %i2: f32[1,2,32] = lstm(x=%y1, w=%v, r=%r, bias=%b)\n    return",
    ).replace('"y"=%y1, "h"=%h1, "c"=%i1', '"y"=%y2')
    after = run((stack_lstm,), graph := retyped(text), twice=True)
    assert [node.op.hidden for node in after.nodes if isinstance(node.op, ops.Lstm)] == [64, 32]
    agree(graph, after, tolerance=1e-5)  # random weights of 1 make much of the last bits


class Layers(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(64, 64, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lstm(x)[0] + x


@pytest.mark.parametrize("target", EACH_CARD)
def test_half_the_steps_of_two_loops(target: str, ttnn_python: str):
    torch.manual_seed(0)
    model, x = Layers(), torch.randn(9, 1, 64)
    compiled = ttc.compile(model, (x,), target=target, dtype="fp32")
    text = str(compiled.build.program.graph)
    assert text.count(" = loop(count=10") == 1
    report = check(compiled.build.program)
    assert report.ok, report
    (found,) = compiled.run({"x": x.numpy()}, "emulator").values()
    assert np.abs(found - model(x).detach().numpy()).max() <= 1e-6
