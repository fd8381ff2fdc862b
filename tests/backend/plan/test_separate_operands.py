"""Buffers that calls would read twice: program text before and after, numbers, and the real library's word."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ttc
from tests.ir.loops import LOOP
from tests.mock_cards import check_many
from ttc import backend
from ttc.backend.plan.separate_operands import separate_operands
from ttc.calls.lints import lint
from ttc.calls.target import TARGETS
from ttc.ir import verify
from ttc.runtime.run.program import parse_program

N150 = TARGETS["n150"]
X = "bf16[64,64] tile dram"


def program(*lines: str, outputs: str) -> str:
    inputs = [f'%x: {X} = input(name="x")', f'%z: {X} = input(name="z")']
    return "\n".join(["graph {", *inputs, *lines, f"return {outputs}", "}"])


def changed(text: str) -> list[str]:
    """The lines between the inputs and the end, after the pass, which leaves nothing to do or to find."""
    found = verify(separate_operands(verify(parse_program(text)), N150))
    assert separate_operands(found, N150) is found
    assert list(lint(found, N150)) == []
    return [line.strip() for line in str(found).splitlines()[3:-2]]


COPY = f"%x.copy: {X} = ttnn.clone(%x, memory_config=MemoryConfig())"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"%y: {X} = ttnn.add(%x, %x)", [f"%y: {X} = ttnn.multiply(%x, 2.0)"]),
        (
            f'%y: {X} = ttnn.add(%x, %x, output_tensor=%z, activations=[UnaryWithParam(op_type="RELU")])',
            [f'%y: {X} = ttnn.multiply(%x, 2.0, output_tensor=%z, activations=[UnaryWithParam(op_type="RELU")])'],
        ),
        (
            f'%y: {X} = ttnn.add(%x, %x, input_tensor_b_activations=[UnaryWithParam(op_type="RELU")])',
            [COPY, f'%y: {X} = ttnn.add(%x, %x.copy, input_tensor_b_activations=[UnaryWithParam(op_type="RELU")])'],
        ),
        (f"%y: {X} = ttnn.multiply(%x, %x)", [f"%y: {X} = ttnn.square(%x)"]),
        (
            f'%y: {X} = ttnn.multiply(%x, %x, activations=[UnaryWithParam(op_type="RELU")])',
            [COPY, f'%y: {X} = ttnn.multiply(%x, %x.copy, activations=[UnaryWithParam(op_type="RELU")])'],
        ),
        (f"%y: {X} = ttnn.subtract(%x, %x)", [COPY, f"%y: {X} = ttnn.subtract(%x, %x.copy)"]),
        (f"%y: {X} = ttnn.where(%x, %x, 0.0)", [COPY, f"%y: {X} = ttnn.where(%x, %x.copy, 0.0)"]),
        (f"%y: {X} = ttnn.lerp(%z, %x, %x)", [COPY, f"%y: {X} = ttnn.lerp(%z, %x, %x.copy)"]),
        (
            "%y: bf16[2,64,64] tile dram = ttnn.concat([%v, %v], 0)",
            ["%y: bf16[2,64,64] tile dram = ttnn.repeat(%v, [2, 1, 1], memory_config=MemoryConfig())"],
        ),
    ],
)  # fmt: skip
def test_a_value_is_read_once_where_a_call_does_that_and_copied_elsewhere(before: str, after: list[str]):
    view = ["%v: bf16[1,64,64] tile dram = ttnn.reshape(%x, [1, 64, 64])"] if "%v" in before else []
    assert changed(program(*view, before, outputs='"y"=%y')) == view + after


@pytest.mark.parametrize(
    "line",
    [
        f"%y: {X} = ttnn.add(%x, %z)",
        f"%y: {X} = ttnn.add(%x, 2.0)",
        f"%y: {X} = ttnn.add(%x, %z, output_tensor=%x)",  # in place
        f"%y: {X} = ttnn.lerp(%x, %z, 0.5)".replace("lerp", "where"),
        "%y: bf16[128,64] tile dram = ttnn.concat([%x, %z], 0)",
    ],
)
def test_different_buffers_stay(line: str):
    text = program(line, outputs='"y"=%y')
    graph = verify(parse_program(text))
    assert separate_operands(graph, N150) is graph


def test_parts_of_tiles_are_copied_not_repeated():
    lines = changed(program("%y: bf16[64,80] tile dram = ttnn.concat([%s, %s], 1)", outputs='"y"=%y').replace(
        "%y:", "%s: bf16[64,40] tile dram = ttnn.slice(%x, [0, 0], [64, 40], [1, 1])\n%y:", 1))  # fmt: skip
    assert lines[1:] == [
        "%s.copy: bf16[64,40] tile dram = ttnn.clone(%s, memory_config=MemoryConfig())",
        "%y: bf16[64,80] tile dram = ttnn.concat([%s, %s.copy], 1)",
    ]


def test_views_are_their_buffer_and_one_copy_serves_all_readers():
    lines = changed(
        program(
            "%v: bf16[1,64,64] tile dram = ttnn.reshape(%x, [1, 64, 64])",
            "%a: bf16[1,64,64] tile dram = ttnn.maximum(%x, %v)",
            "%b: bf16[1,64,64] tile dram = ttnn.minimum(%x, %v)",
            "%m: bf16[1,64,64] tile dram = ttnn.where(%x, %v, %v)",
            outputs='"a"=%a, "b"=%b, "m"=%m',
        )
    )
    assert [line.partition("= ")[2] for line in lines[1:]] == [
        "ttnn.clone(%v, memory_config=MemoryConfig())",
        "ttnn.maximum(%x, %v.copy)",
        "ttnn.minimum(%x, %v.copy)",
        "ttnn.clone(%v, memory_config=MemoryConfig())",
        "ttnn.where(%x, %v.copy, %v.copy_0)",
    ]


def test_what_is_written_in_place_meanwhile_is_copied_anew():
    lines = changed(
        program(
            f"%a: {X} = ttnn.subtract(%x, %x)",
            f"%n: {X} = ttnn.add(%a, %z, output_tensor=%x)",
            f"%b: {X} = ttnn.subtract(%n, %n)",
            outputs='"b"=%b',
        )
    )
    assert [line.partition("= ")[2].partition(",")[0] for line in lines if "clone" in line] == [
        "ttnn.clone(%x",
        "ttnn.clone(%n",
    ]


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("ttnn.add(%p, %t, ", "ttnn.subtract(%p, %p, ", "%p.copy: bf16[1,1,2,64] tile dram = ttnn.clone(%p"),
        ("scanned=[%x]", "scanned=[%y0]", "%y0.copy: bf16[4,1,2,64] tile dram = ttnn.clone(%y0"),
    ],
)
def test_in_loops_and_around_them(old: str, new: str, wanted: str):
    """The body's inputs are buffers of their own, since the loop's operands are."""
    assert old in LOOP
    before = verify(parse_program(LOOP.replace(old, new)))
    assert any("reads the buffer" in fault for fault in lint(before, N150))
    after = verify(separate_operands(before, N150))
    assert wanted in str(after)
    assert list(lint(after, N150)) == []


class Twice(torch.nn.Module):
    def forward(self, x):
        a = torch.relu(x + x)
        b = torch.cat([a, a], 2)
        heads = torch.nn.functional.scaled_dot_product_attention(x[None], x[None], x[None])
        return b, torch.maximum(b, b.reshape(b.shape)) - b * b, (x - x) * (x == x), heads


@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
@pytest.mark.parametrize("target", ["n150", "p150"])
def test_models_that_read_a_value_twice(target: str, dtype: str, ttnn_python: str):
    x = torch.randn(2, 40, 64)
    compiled = ttc.compile(Twice(), (x,), target=target, dtype=dtype)
    (report,) = check_many([str(compiled.executable.program.graph)], TARGETS[target])
    assert report.ok, report.faults
    assert report.device_programs == compiled.report.device_programs
    for found, wanted in zip(compiled.run([x.numpy()]).values(), Twice()(x), strict=True):
        scale = max(1.0, float(wanted.abs().max()))
        np.testing.assert_allclose(found, wanted, atol=scale * (1e-5 if dtype == "fp32" else 2e-2))


class Whole(torch.nn.Module):
    def forward(self, x):
        return x + x, x * x


def test_integers_are_doubled_and_squared():
    x = torch.tensor([[3, -7, 0, 2**14]], dtype=torch.int32)
    for found, wanted in zip(ttc.compile(Whole(), (x,)).run([x.numpy()]).values(), Whole()(x), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_program_that_reads_a_value_twice_is_not_compiled(monkeypatch: pytest.MonkeyPatch):
    kept = tuple(step for step in backend.PIPELINE if step is not separate_operands)
    monkeypatch.setattr(backend, "PIPELINE", kept)
    with pytest.raises(AssertionError, match=r"ttnn\.add reads the buffer of %x twice \(in: %"):
        ttc.compile(Twice(), (torch.randn(2, 40, 64),))
