from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import ttc
from tests.passes.check import agree, graph_of, leaves, rewrites
from ttc import ops
from ttc.frontend.export import export
from ttc.passes.decompose.decompose import decompose
from ttc.passes.fuse.fuse_skew import fuse_skew
from ttc.passes.runner import run
from ttc.validation.accuracy import scaled_error

SCORES = """
    %q: f32[2,16,8] = input(name="q")
    %t: f32[1,9,8] = const(ref="t")
    %0: f32[1,31,8] = pad(x=%t, pads=[[0, 0], [11, 11], [0, 0]])
    %1: f32[1,8,31] = permute(x=%0, dims=[0, 2, 1])
    %2: f32[2,16,31] = matmul(a=%q, b=%1)
    %3: f32[2,16,32] = pad(x=%2, pads=[[0, 0], [0, 0], [0, 1]])
    %4: f32[2,512] = reshape(x=%3, shape=[2, 512])
    %5: f32[2,527] = pad(x=%4, pads=[[0, 0], [0, 15]])
    %6: f32[2,17,31] = reshape(x=%5, shape=[2, 17, 31])
    %7: f32[2,16,16] = slice(x=%6, starts=[0, 0, {start}], ends=[2, 16, {end}])
    return "y"=%7
"""


def test_scores_of_distances_become_scores_of_pairs():
    rewrites(
        fuse_skew,
        SCORES.format(start=15, end=31),
        """
        %q: f32[2,16,8] = input(name="q")
        %t: f32[1,9,8] = const(ref="t")
        %t_0: f32[1,8,9] = permute(x=%t, dims=[0, 2, 1])
        %7: f32[2,16,9] = matmul(a=%q, b=%t_0)
        %7_0: f32[2,16,16] = skew(x=%7, slope=-1, offset=4, size=16)
        return "y"=%7_0
        """,
    )


def test_a_dimension_that_is_lost_on_the_way_is_lost_after_the_shear():
    text = SCORES.format(start=15, end=31).replace("[2,16,8]", "[2,1,16,8]").replace("[1,8,31]", "[1,1,8,31]")
    text = (
        text.replace("[1,9,8]", "[1,1,9,8]")
        .replace("[1,31,8]", "[1,1,31,8]")
        .replace("dims=[0, 2, 1]", "dims=[0, 1, 3, 2]")
    )
    text = text.replace("pads=[[0, 0], [11, 11], [0, 0]]", "pads=[[0, 0], [0, 0], [11, 11], [0, 0]]")
    text = text.replace("[2,16,31] = matmul", "[2,1,16,31] = matmul").replace("[2,16,32]", "[2,1,16,32]")
    graph = graph_of(text.replace("pads=[[0, 0], [0, 0], [0, 1]]", "pads=[[0, 0], [0, 0], [0, 0], [0, 1]]"))
    after = run((fuse_skew,), graph)
    assert "skew(" in str(after)
    assert [value.shape for _, value in after.outputs] == [(2, 16, 16)]
    agree(graph, after)


def test_other_cuts_are_no_shears():
    leaves(fuse_skew, SCORES.format(start=3, end=19))


def test_every_other_row_of_a_table_is_no_cut():
    strided = '%w: f32[1,62,8] = const(ref="t")\n%0: f32[1,31,8] = slice(x=%w, starts=[0, 0, 0], ends=[1, 62, 8]{})'
    lines = SCORES.format(start=15, end=31).strip().splitlines()
    table = "\n".join([lines[0], strided.format(", steps=[1, 2, 1]"), *lines[3:]])
    after = str(run((fuse_skew,), graph_of(table)))
    assert "skew(" in after
    assert "steps=[1, 2, 1]" in after
    cut = table.replace(", steps=[1, 2, 1]", "").replace("[1,62,8]", "[1,33,8]").replace("62", "31")
    assert "slice(" not in str(run((fuse_skew,), graph_of(cut)))


def test_a_table_with_other_rows_in_a_second_form_stays():
    text = SCORES.format(start=15, end=31).replace("[1,9,8]", "[1,9,4]").replace("%0: f32[1,31,8]", "%00: f32[1,62,4]")
    text = text.replace("[[0, 0], [11, 11], [0, 0]]", "[[0, 0], [26, 27], [0, 0]]")
    reshaped = text.replace("%1: f32", "%0: f32[1,31,8] = reshape(x=%00, shape=[1, 31, 8])\n%1: f32")
    after = str(run((fuse_skew,), graph_of(reshaped)))
    assert "skew(" in after
    assert "f32[1,62,4] = pad(" in after


def test_weights_of_pairs_become_weights_of_distances():
    rewrites(
        fuse_skew,
        """
        %p: f32[2,16,16] = input(name="p")
        %t: f32[1,9,8] = const(ref="t")
        %0: f32[2,16,31] = pad(x=%p, pads=[[0, 0], [0, 0], [0, 15]])
        %1: f32[2,496] = reshape(x=%0, shape=[2, 496])
        %2: f32[2,512] = pad(x=%1, pads=[[0, 0], [16, 0]])
        %3: f32[2,16,32] = reshape(x=%2, shape=[2, 16, 32])
        %4: f32[2,16,31] = slice(x=%3, starts=[0, 0, 1], ends=[2, 16, 32])
        %5: f32[1,31,8] = pad(x=%t, pads=[[0, 0], [11, 11], [0, 0]])
        %6: f32[2,16,8] = matmul(a=%4, b=%5)
        return "y"=%6
        """,
        """
        %p: f32[2,16,16] = input(name="p")
        %t: f32[1,9,8] = const(ref="t")
        %6: f32[2,16,9] = skew(x=%p, slope=1, offset=-4, size=9)
        %6_0: f32[2,16,8] = matmul(a=%6, b=%t)
        return "y"=%6_0
        """,
    )


class Relative(nn.Module):
    """Self-attention with embeddings of clipped distances, for keys and for values, as VITS has it.

    `lead` puts a dimension of one in front of tables and all else, as OpenVoice has it.
    """

    def __init__(self, window: int, lead: bool = False, channels: int = 8):
        super().__init__()
        self.window, self.lead = window, lead
        self.keys = nn.Parameter(torch.randn(1, 2 * window + 1, channels) / 3)
        self.values = nn.Parameter(torch.randn(1, 2 * window + 1, channels) / 3)

    def table(self, rows, steps):
        more = max(steps - (self.window + 1), 0)
        first = max((self.window + 1) - steps, 0)
        rows = F.pad(rows, (0, 0, more, more))[:, first : first + 2 * steps - 1]
        return rows.unsqueeze(0) if self.lead else rows

    def forward(self, q, v):
        q, v = (x.unsqueeze(0) if self.lead else x for x in (q, v))
        *heads, steps, _ = q.shape
        distances = q @ self.table(self.keys, steps).transpose(-2, -1)
        flat = F.pad(F.pad(distances, (0, 1)).reshape(*heads, -1), (0, steps - 1))
        weights = torch.softmax(flat.view(*heads, steps + 1, 2 * steps - 1)[..., :steps, steps - 1 :] + q @ q.mT, -1)
        flat = F.pad(F.pad(weights, (0, steps - 1)).view(*heads, -1), (steps, 0))
        found = weights @ v + flat.view(*heads, steps, 2 * steps)[..., 1:] @ self.table(self.values, steps)
        return found.squeeze(0) if self.lead else found


@pytest.mark.parametrize(("steps", "window", "lead"), [*product((2, 5, 16, 33), (1, 4, 10), (False, True))])
def test_attention_by_relative_positions(steps, window, lead):
    torch.manual_seed(0)
    graph = export(Relative(window, lead).eval(), (torch.randn(2, steps, 8), torch.randn(2, steps, 8))).graph
    fused = run((fuse_skew,), graph, twice=True)
    agree(graph, fused)
    skews = [node.op for node in fused.nodes if isinstance(node.op, ops.Skew)]
    assert [(op.slope, op.offset, op.size) for op in skews] == [(-1, window, steps), (1, -window, 2 * window + 1)]
    kinds = {type(node.op) for node in fused.nodes}
    assert not kinds & {ops.Pad, ops.Slice}


@pytest.mark.parametrize("lead", [False, True])
def test_attention_by_relative_positions_in_buckets(lead):
    torch.manual_seed(1)
    model = Relative(4, lead).eval()
    named = {"q": {1: "T"}, "v": {1: "T"}}
    args = (torch.randn(2, 16, 8),) * 2
    compiled = ttc.compile(model, args, dynamic_shapes=named, lengths={"T": [8, 32]}, dtype="fp32")
    for steps in (3, 8, 9, 17, 31):
        q, v = torch.randn(2, steps, 8), torch.randn(2, steps, 8)
        with torch.no_grad():
            wanted = model(q, v)
        assert scaled_error(compiled(q, v).numpy(), wanted.numpy()) <= 1e-5


@pytest.mark.parametrize(
    ("slope", "offset", "size", "rows", "columns"),
    [*product((-1, 1), (-7, -1, 0, 3, 12), (1, 6, 20), (1, 5), (1, 9))],
)
def test_decomposed(slope, offset, size, rows, columns):
    graph = graph_of(f"""
        %x: f32[2,{rows},{columns}] = input(name="x")
        %y: f32[2,{rows},{size}] = skew(x=%x, slope={slope}, offset={offset}, size={size})
        return "y"=%y
    """)
    after = run((decompose,), graph)
    assert not any(isinstance(node.op, ops.Skew) for node in after.nodes)
    agree(graph, after)
