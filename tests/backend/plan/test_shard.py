"""Sharding: every form put to the real library, the search beside all ways there are, networks whole."""

from dataclasses import replace
from functools import cache
from math import prod

import numpy as np
import pytest
import torch
from torch import nn

import ttc
from tests.cards import swept
from ttc import backend
from ttc.analysis.cost.call_work import works
from ttc.analysis.memory import Arena
from ttc.backend.plan.shard import _rebuilt, shard
from ttc.backend.plan.sharding.forms import Form, forms, tensors
from ttc.backend.plan.sharding.layouts import Grids, Rows, grids_of, most_in_rows
from ttc.backend.plan.sharding.places import Places
from ttc.backend.plan.sharding.price import Prices
from ttc.backend.plan.sharding.search import Step, Way, _assignment, _Search, cheapest
from ttc.calls.binary import Add
from ttc.calls.call import Call, Workspace, spec_of
from ttc.calls.conv import Conv2d
from ttc.calls.matmul import Linear
from ttc.calls.norm import LayerNorm
from ttc.calls.program_config import by_rows
from ttc.calls.shards import is_sharded
from ttc.calls.target import TARGETS, Target
from ttc.ir import DRAM, DType, Graph, MemoryConfig, Node, Sharding, Spec, verify
from ttc.runtime.check import check, check_many
from ttc.runtime.run.program import parse_program

N150 = TARGETS["n150"]


@cache
def lowered(kind: str, channels: int, out: int, size: int, stride: int, dtype: str = "bf16") -> Graph:
    """One layer over an image of size x size, lowered and in DRAM."""
    torch.manual_seed(0)
    layer = {
        "conv": lambda: nn.Conv2d(channels, out, 3, stride, 1),
        "strided": lambda: nn.Conv2d(channels, out, 1, stride),
        "pointwise": lambda: nn.Sequential(nn.Conv2d(channels, out, 1), nn.ReLU()),
        "pool": lambda: nn.MaxPool2d(3, stride, 1),
    }[kind]()
    found: list[Graph] = []
    kept = backend.PIPELINE
    backend.PIPELINE = tuple(step for step in kept if step is not shard)
    try:
        compiled = ttc.compile(layer, torch.zeros(1, channels, size, size), dtype=dtype)
        found.append(compiled.build.stages["lower"])
    finally:
        backend.PIPELINE = kept
    return found[0]


LAYERS = (
    ("conv", 64, 64, 112, 1),
    ("conv", 128, 128, 56, 2),
    ("conv", 256, 256, 14, 1),
    ("conv", 64, 64, 20, 1),
    ("conv", 3, 64, 224, 2),
    ("strided", 256, 512, 28, 2),
    ("strided", 1024, 2048, 14, 2),
    ("pointwise", 64, 256, 56, 1),
    ("pointwise", 512, 128, 28, 1),
    ("pointwise", 512, 2048, 7, 1),
    ("pool", 64, 64, 112, 2),
)


def formed(graph: Graph) -> Node:
    """The first call that has forms on shards."""
    return next(node for node in graph.nodes if isinstance(node.op, Call) and tensors(node.op))


def grids(graph: Graph, target: Target) -> Grids:
    calls = [node for node in graph.nodes if isinstance(node.op, Call) and tensors(node.op)]
    return grids_of([spec_of(v) for node in calls for v in (*tensors(node.op), *node.results)], target)


def in_form(graph: Graph, node: Node, form: Form) -> str:
    """The program with one call in a form, its tensors brought there and its result brought back."""
    call = node.op
    assert isinstance(call, Call)
    moves = tuple((x, memory) for x, memory in zip(tensors(call), form.operands, strict=True) if memory)
    steps = {node.results[0]: Step(node, moves, form, None)}
    readers = [after for after in graph.nodes if node.results[0] in after.op.operands()]
    if form.result:
        steps.update({after.results[0]: Step(after, ((node.results[0], None),), None, None) for after in readers[:1]})
    return str(verify(_rebuilt(graph, steps, N150)[0]))


def test_slower_offers_that_work_in_less_l1_are_kept():
    """A convolution by blocks of rows is no faster than at once between the same memories, but leaves L1 to shards."""
    graph = lowered("conv", 64, 64, 112, 1)
    call = formed(graph).op
    assert isinstance(call, Conv2d)
    offers = Prices(grids(graph, N150), N150).offers(call)
    found: dict[object, list[tuple[int, float, int]]] = {}
    for offer in offers:
        if config := offer.form.fields.get("conv_config"):
            sides = (*map(id, offer.form.operands), id(offer.form.result))
            needed = offer.workspace.circular_buffers
            found.setdefault(sides, []).append((config.act_block_h_override, offer.seconds, needed))
    pairs = [sorted(group) for group in found.values()]
    assert pairs
    assert all([height > 0 for height, _, _ in group] == [False, True] for group in pairs), pairs
    assert all(whole[1] < few[1] and whole[2] > few[2] for whole, few in pairs), pairs


def test_products_of_an_odd_number_of_rows_may_be_computed_at_once():
    """7 rows of 16 tiles are one at a time in 64, and all in 128; 7 of 19 never."""
    rows = [by_rows((8, 7), 392, 4, columns, None, most).block_rows for columns in (16, 19) for most in (64, 128)]
    assert rows == [1, 7, 1, 1]
    call = formed(lowered("pointwise", 128, 512, 28, 1)).op
    assert isinstance(call, Linear)
    wide = replace(call, input_tensor_a=replace(call.input_tensor_a, type=Spec(DType.bf16, (1, 1, 12544, 128))))
    found = [form.fields["program_config"].block_rows for form in forms(wide, Grids(((8, 7),), ()), N150)]
    assert found == [1, 1, 1, 7, 7, 7]
    narrow = [form.fields["program_config"].block_rows for form in forms(call, Grids(((5, 5),), ()), N150)]
    assert narrow == [1, 1, 1]  # no form twice


@pytest.mark.parametrize("target", ["n150", "p150"])
def test_the_library_takes_every_form_as_predicted(target: str, ttnn_python: str):
    """Specs, device programs and conversions are as said; what is converted is what is interleaved."""
    programs = []
    for layer in LAYERS:
        graph = lowered(*layer)
        node = formed(graph)
        assert isinstance(node.op, Call)
        found = list(forms(node.op, grids(graph, TARGETS[target]), TARGETS[target]))
        uneven = target == "p150" and layer[::2][:2] == (
            "strided",
            2048,
        )  # channels that 11 columns do not share out evenly
        assert bool(found) is not uneven, layer
        programs += [in_form(graph, node, form) for form in found]
    for text, report in zip(programs, check_many(programs, TARGETS[target]), strict=True):
        assert not report.spec_mismatches, f"{report.faults}\n{text}"
        assert report.miscount is None, f"{report.faults}\n{text}"
        assert report.refusal is None or "beyond max L1" in report.refusal or "clash" in report.refusal, report.refusal


BROADCASTS = {
    "a column chooses": "ttnn.where(%c, %x, 0.0)",
    "a column chooses of two": "ttnn.where(%c, %x, %z)",
    "a row is added": "ttnn.add(%x, %r)",
    "a row comes first": "ttnn.subtract(%r, %x)",
    "a column scales": "ttnn.multiply(%x, %c)",
    "a sum": "ttnn.add(%x, %z)",
    "rows scale and shift": "ttnn.addcmul(%r, %x, %s)",
    "a row gates": "ttnn.addcmul(%x, %z, %r)",
    "rows of a snake": "ttnn.snake_beta(%x, %r, %s)",
}
"""Calls on whole tensors %x and %z of [1, 1, N, 64], rows %r and %s, and a column %c."""


@pytest.mark.parametrize(
    ("target", "dtype", "high"),
    [("n150", "bf16", 1536), ("n150", "f32", 416), ("p150", "bf16", 416), ("p150", "f32", 1536)],
)
def test_the_library_takes_rows_and_columns_beside_shards(target: str, dtype: str, high: int, ttnn_python: str):
    """Rows and columns stay interleaved; whole tensors, and the result, lie in shards or not, each by itself."""
    programs = []
    for call in BROADCASTS.values():
        shapes = {"x": f"{high},64", "z": f"{high},64", "r": "1,64", "s": "1,64", "c": f"{high},1"}
        read = [name for name in shapes if f"%{name}" in call]
        inputs = [f'  %{name}: {dtype}[1,1,{shapes[name]}] tile dram = input(name="{name}")' for name in read]
        text = (
            "\n".join(inputs) + f"\n  %y: {dtype}[1,1,{high},64] tile dram = {call[:-1]}, memory_config=MemoryConfig())"
        )
        graph = parse_program(f'graph {{\n{text}\n  return "y"=%y\n}}\n')
        node = formed(graph)
        assert isinstance(node.op, Call)
        wholes = ("%x" in call) + ("%z" in call)
        assert len(tensors(node.op)) == wholes
        found = list(forms(node.op, grids(graph, TARGETS[target]), TARGETS[target]))
        sides = {tuple(map(bool, (*form.operands, form.result))) for form in found}
        assert len(sides) == 2 ** (wholes + 1) - 1, call
        rests = {memory.shard.rest for form in found for memory in form.operands if memory and memory.shard}
        assert rests == ({0} if high == 1536 else {0, 13 % TARGETS[target].grid[0]}), call
        programs += [in_form(graph, node, form) for form in found]
    for text, report in zip(programs, check_many(programs, TARGETS[target]), strict=True):
        assert report.ok, f"{report.faults}\n{text}"


@pytest.mark.parametrize(
    ("tiles", "target", "found"),
    [
        (181, "n150", ((8, 7), 5)),  # 61 cores with 3 rows of tiles each; a rectangle of 21 has 9
        (181, "p150", ((11, 8), 3)),
        (13, "n150", ((8, 1), 5)),
        (11, "n150", ((8, 1), 3)),
        (11, "p150", None),  # a whole row
        (180, "n150", ((8, 7), 4)),
        (98, "n150", None),  # 49 cores are a square
        (118, "n150", None),  # 59 cores in rows, and 40 in a rectangle
        (119, "n150", ((8, 7), 4)),  # 60 cores in rows
        (7, "n150", None),
        (64, "n150", None),
    ],
)
def test_rows_of_cores_are_tried_where_rectangles_are_far_smaller(tiles: int, target: str, found: object):
    assert most_in_rows(tiles, TARGETS[target]) == found


@pytest.mark.parametrize(("rows", "taken"), [(((8, 3), 3), True), (((8, 1), 6), False)])
def test_a_convolution_lies_on_rows_of_cores_that_ttnn_chooses(rows: Rows, taken: bool):
    """27 rows of tiles lie on 27 cores; on 14, that another tensor lies on, TTNN would move them."""
    node = formed(lowered("conv", 64, 64, 29, 1))
    assert isinstance(node.op, Conv2d)
    found = list(forms(node.op, Grids((), (), (), (rows,)), N150))
    assert bool(found) is taken


@pytest.mark.parametrize(("channels", "size"), [(256, 14), (64, 112)])
def test_a_block_convolution_shares_its_channels_out(channels: int, size: int):
    """Convolutions are priced by the columns of cores that their operands and results lie on, and by their blocks."""
    graph = lowered("conv", channels, channels, size, 1)
    node = formed(graph)
    assert isinstance(node.op, Call)
    for form in forms(node.op, grids(graph, N150), N150):
        given = parse_program(in_form(graph, node, form))
        found = works(next(node for node in given.nodes if isinstance(node.op, Conv2d)), N150)[0][0]
        lies = form.result or form.operands[0]
        assert lies is not None
        assert lies.shard is not None
        across = lies.shard.grid[0] if lies.sharding is Sharding.BLOCK_SHARDED else 1
        assert (found.get("num_cores_c_out") or 1) == across, form
        given_shard = form.operands[0] and form.operands[0].shard
        turns = given_shard.grid[0] if given_shard and across > 1 else found.get("num_cores_c_in") or 1
        assert (found.get("num_cores_c_in") or 1) == turns, form
        assert found.get("act_block_w_ntiles") == 3 * -(-channels // 32 // int(turns)), form  # a row of the kernel
        assert found.get("act_block_h_ntiles") == form.fields["conv_config"].act_block_h_override / 32, form


ADDED = """graph {
  %x: bf16[1,1,784,128] tile dram = input(name="x")
  %w: bf16[128,512] tile dram = const(ref="w")
  %v: bf16[512,512] tile dram = const(ref="v")
  %a: bf16[1,1,784,512] tile dram = ttnn.linear(%x, %w, core_grid=CoreGrid(y=8, x=8))
  %b: bf16[1,1,784,512] tile dram = ttnn.linear(%a, %v, activation="relu", core_grid=CoreGrid(y=8, x=8))
  %c: bf16[1,1,784,512] tile dram = ttnn.add(%a, %b)
  %d: bf16[1,1,784,512] tile dram = ttnn.relu(%c)
  return "y"=%d
}
"""


def every_way_past(search: _Search, position: int, node: Node, way: Way) -> list[Way]:
    """All ways past a call, each under the assignment that it leads to, however dear."""
    leaving = dict.fromkeys(value for value in node.op.operands() if value in way.memories)
    choices = search._choices(position, node)
    if choices is None:
        past = search._plainly(position, node, way, leaving)
        return [past] if past else []
    found = list(search._past(position, node, way, choices, leaving, {}))
    assert all(key == _assignment(past.memories) for key, past in found)
    return [past for _, past in found]


def test_the_search_finds_the_cheapest_of_all_ways():
    graph = parse_program(ADDED)
    prices = Prices(grids(graph, N150), N150)
    search = _Search(graph, prices, {})
    ways = [search.start]
    for position, node in enumerate(graph.nodes):
        ways = [past for way in ways for past in every_way_past(search, position, node, way)]
    steps = cheapest(graph, prices)
    assert len(ways) > 500
    best = min(ways, key=lambda way: way.seconds)
    found = []
    while best.step is not None:
        found.append(best.step)
        best = best._replace(step=best.step.before)
    assert [(step.node, step.form, step.moves) for step in steps] == [
        (step.node, step.form, step.moves) for step in reversed(found)
    ]


def test_a_sum_lies_in_place_of_an_operand_that_nobody_reads_again(ttnn_python: str):
    """Either operand; not one that has another reader."""
    graph = parse_program(ADDED)
    node = next(node for node in graph.nodes if isinstance(node.op, Add))
    assert isinstance(node.op, Add)
    found = [form for form in forms(node.op, grids(graph, N150), N150) if form.into is not None]
    assert {form.into for form in found} == {0, 1}
    programs = [in_form(graph, node, form) for form in found]
    assert all("output_tensor=" in text for text in programs)
    assert all(report.ok for report in check_many(programs[:4], N150))
    prices = Prices(grids(graph, N150), N150)
    for text, places in ((ADDED, {0, 1, None}), (ADDED.replace("ttnn.relu(%c)", "ttnn.add(%c, %a)"), {1, None})):
        graph = parse_program(text)
        search = _Search(graph, prices, {})
        ways = [search.start]
        at = next(at for at, node in enumerate(graph.nodes) if isinstance(node.op, Add))
        past = every_way_past(search, at, graph.nodes[at], ways[0])
        assert {way.step.form.into for way in past if way.step and way.step.form} == places


def test_without_room_nothing_lies_in_shards():
    graph = parse_program(ADDED)
    prices = Prices(grids(graph, N150), N150)
    assert cheapest(graph, prices)
    assert not cheapest(graph, prices, {node.results[0]: 2**21 for node in graph.nodes})


def test_shards_that_save_too_little_are_left_out(monkeypatch: pytest.MonkeyPatch):
    graph = parse_program(ADDED)
    prices = Prices(grids(graph, N150), N150)
    assert cheapest(graph, prices)
    monkeypatch.setattr("ttc.backend.plan.sharding.search.WORTH", 0.9)
    assert not cheapest(graph, prices)


def test_a_program_without_calls_on_shards_is_left_as_it_is():
    graph = parse_program("""graph {
      %x: bf16[4,64] tile dram = input(name="x")
      %y: bf16[4,64] tile dram = ttnn.softmax(%x, 1)
      return "y"=%y
    }""")
    assert shard(graph, N150) is graph


def test_layouts_on_few_cores_are_left_out():
    spec = Spec(DType.bf16, (1, 1, 784, 512))
    found = Grids(((5, 5), (7, 1)), ((8, 7), (4, 7), (2, 2))).all(spec)
    assert sorted(prod(memory.shard.grid) for memory in found if memory.shard) == [25, 28, 56]


class Bottleneck(nn.Module):
    def __init__(self, channels: int, inner: int, stride: int):
        super().__init__()
        out = 4 * inner
        self.path = nn.Sequential(
            nn.Conv2d(channels, inner, 1),
            nn.ReLU(),
            nn.Conv2d(inner, inner, 3, stride, 1),
            nn.ReLU(),
            nn.Conv2d(inner, out, 1),
        )
        self.short = nn.Conv2d(channels, out, 1, stride) if channels != out else nn.Identity()

    def forward(self, x):
        return torch.relu(self.path(x) + self.short(x))


def stages() -> nn.Module:
    torch.manual_seed(0)
    stem = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    blocks = [Bottleneck(64, 64, 1), Bottleneck(256, 64, 1), Bottleneck(256, 128, 2), Bottleneck(512, 128, 1)]
    return nn.Sequential(stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()


X = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def plain():
    """The same stages without sharding."""
    kept = backend.PIPELINE
    backend.PIPELINE = tuple(step for step in kept if step is not shard)
    try:
        return ttc.compile(stages(), X)
    finally:
        backend.PIPELINE = kept


@pytest.mark.parametrize("target", ["n150", "p150"])
def test_bottlenecks_stay_in_shards(target: str, ttnn_python: str):
    compiled = ttc.compile(stages(), X, target=target)
    predicted, found = compiled.report, check(compiled.build.program, TARGETS[target])
    assert found.ok, found.faults
    assert (predicted.device_programs, predicted.layout_conversions) == (found.device_programs, found.conversions)
    assert predicted.layout_conversions <= 6
    assert found.peak_l1_per_core <= predicted.l1_with_circular_buffers


def test_a_large_batch_finds_its_room_in_l1(ttnn_python: str):
    """At batch 16 shards, halos and circular buffers fill L1: the real allocator takes them where they were planned."""
    torch.manual_seed(0)
    stem = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    model = nn.Sequential(stem, Bottleneck(64, 64, 1), Bottleneck(256, 64, 1)).eval()
    compiled = ttc.compile(model, torch.zeros(16, 3, 224, 224), dtype="bfp8")
    predicted, found = compiled.report, check(compiled.build.program, N150)
    assert found.ok, found.faults
    assert (predicted.device_programs, predicted.layout_conversions) == (found.device_programs, found.conversions)
    calls = [(node.op, node.results[0]) for node in compiled.build.program.graph.nodes if isinstance(node.op, Conv2d)]
    assert all(is_sharded(spec_of(call.input_tensor)) or is_sharded(spec_of(value)) for call, value in calls)
    assert predicted.dram_bytes < 5 * predicted.minimum_dram_bytes


def test_ways_with_more_room_are_kept():
    """A dearer way stays if the cheaper one, once its values have moved there, leaves less room."""
    graph = parse_program(ADDED)
    search = _Search(graph, Prices(grids(graph, N150), N150), {})
    value = graph.nodes[3].results[0]
    one, other = list(search._prices.grids.all(spec_of(value)))[:2]

    def lying(memory: MemoryConfig, above: int, seconds: float) -> Way:
        found = Places(Arena(2**20)).running(
            value, search._size(value, memory), Workspace(l1=(above,) if above else ())
        )
        assert found is not None
        return Way({value: memory}, found[0], seconds)

    first = lying(one, 2**18, 1.0)
    assert not search._better(lying(other, 2**18, 2.0), first)
    assert search._better(lying(other, 2**18, 0.9), first)
    assert search._better(lying(one, 0, 2.0), first)
    assert not search._better(lying(one, 2**18, 2.0), first)


def test_shards_save_programs_traffic_and_time_and_change_no_number(plain):
    sharded = ttc.compile(stages(), X)
    before, after = plain.report, sharded.report
    assert after.device_programs <= 0.85 * before.device_programs
    assert after.dram_bytes < 0.6 * before.dram_bytes
    assert after.predicted_seconds < 0.8 * before.predicted_seconds
    np.testing.assert_array_equal(sharded.run(X.numpy())["output"], plain.run(X.numpy())["output"])


def test_inputs_and_outputs_stay_interleaved():
    compiled = ttc.compile(nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.ReLU()).eval(), torch.zeros(1, 64, 56, 56))
    graph = compiled.build.program.graph
    assert all(spec_of(value).memory == DRAM for value in (*graph.inputs, *(value for _, value in graph.outputs)))
    assert not any(is_sharded(spec_of(value)) for _, value in graph.outputs)


class Block(nn.Module):
    """A layer of a vision transformer, with residual sums beside its norms."""

    def __init__(self, width: int):
        super().__init__()
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        heads = (*x.shape[:2], -1, 32)
        q, k, v = (part.view(heads).transpose(1, 2) for part in self.qkv(self.before(x)).chunk(3, -1))
        y = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
        x = x + self.out(y)
        return x + self.down(nn.functional.gelu(self.up(self.after(x))))


@pytest.mark.parametrize("target", ["n150", swept("p150")])
def test_layers_of_a_transformer_stay_in_shards(target: str, ttnn_python: str):
    """Norms run on the cores of blocks; the only moves are before the first layer and after the last."""
    torch.manual_seed(0)
    model, x = nn.Sequential(Block(256), Block(256)).eval(), torch.randn(1, 256, 256)
    compiled = ttc.compile(model, x, target=target)
    predicted, found = compiled.report, check(compiled.build.program, TARGETS[target])
    assert found.ok, found.faults
    assert (predicted.device_programs, predicted.layout_conversions) == (found.device_programs, found.conversions)
    assert predicted.layout_conversions <= 2
    assert predicted.device_programs <= 2 * 10 + 1
    norms = [node.results[0] for node in compiled.build.program.graph.nodes if isinstance(node.op, LayerNorm)]
    shards = [spec_of(value).memory.shard for value in norms]
    assert [shard and prod(shard.grid) for shard in shards] == [None, 64, 64, 64]  # the input is read as given
    assert found.peak_l1_per_core <= predicted.l1_with_circular_buffers
