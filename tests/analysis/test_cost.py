"""Predicted times: the published products, and what each kind of call counts."""

import pytest

from ttc.analysis.cost import DISPATCH_SECONDS, cost
from ttc.calls.target import TARGETS
from ttc.ir import Node
from ttc.runtime.run.program import parse_program

N150, P150 = TARGETS["n150"], TARGETS["p150"]


def call(body: str) -> Node:
    """The last call of a program."""
    return parse_program(f"graph {{ {body} return }}").nodes[-1]


def product(size: int, fidelity: str = "HiFi2", memory: str = "dram") -> Node:
    square = f"bf16[{size},{size}] tile {memory}"
    return call(f"""
      %a: {square} = input(name="a")
      %b: {square} = input(name="b")
      %y: {square} = ttnn.matmul(%a, %b, compute_kernel_config=ComputeKernelConfig(math_fidelity={fidelity}))
    """)


PUBLISHED = {512: 20.0e-6, 1024: 69.0e-6, 2048: 299e-6, 4096: 2009e-6}
"""Seconds on N150 for bf16 HiFi2 products of this size, operands in DRAM, traced."""


@pytest.mark.parametrize(("size", "seconds"), PUBLISHED.items())
def test_published_products_within_nine_percent(size: int, seconds: float):
    assert cost(product(size), N150).seconds == pytest.approx(seconds, rel=0.09)


def test_fidelity_costs_in_proportion_and_l1_costs_no_dram():
    seconds = [cost(product(4096, fidelity), N150).seconds - DISPATCH_SECONDS for fidelity in ("HiFi2", "HiFi4")]
    assert seconds[1] == pytest.approx(2 * seconds[0])
    assert cost(product(512, memory="l1"), N150).dram_bytes == 0
    assert cost(product(512), N150).dram_bytes == 3 * 512 * 512 * 2
    assert cost(product(512), N150).flops == 2 * 512**3
    assert cost(product(4096), P150).seconds < cost(product(4096), N150).seconds


@pytest.mark.parametrize(
    ("body", "programs", "products", "dram_bytes"),
    [
        (
            """%x: bf16[33,64] tile dram = input(name="x")
               %w: bf16[64,65] tile dram = input(name="w")
               %y: bf16[33,65] tile dram = ttnn.linear(%x, %w, activation="gelu")""",
            2,
            2 * 2 * 3,
            2048 * (2 * 2 + 2 * 3 + 2 * 3),
        ),
        (
            """%x: bf16[2,32,64] tile dram = input(name="x")
               %w: bf16[2,96,32] tile dram = input(name="w")
               %y: bf16[2,64,96] tile l1 = ttnn.matmul(%x, %w, transpose_a=true, transpose_b=true)""",
            1,
            2 * 2 * 1 * 3,
            2048 * (2 * 2 + 2 * 3),
        ),
        (
            """%x: bf16[64,64] tile dram = input(name="x")
               %y: bf16[2,32,64] tile dram = ttnn.reshape(%x, [2, 32, 64])""",
            0,
            0,
            0,
        ),
        (
            """%x: bf16[320,64] tile dram = input(name="x")
               %y: bf16[64,64] tile dram = ttnn.slice(%x, [32, 0], [96, 64], [1, 1])""",
            1,
            0,
            2 * 4 * 2048,
        ),
        (
            """%i: u32[1,32] row_major dram = input(name="i")
               %w: bf16[5000,64] row_major dram = const(ref="w")
               %y: bf16[1,32,64] tile dram = ttnn.embedding(%i, %w, layout=TILE)""",
            1,
            0,
            32 * 4 + 2 * 32 * 64 * 2,
        ),
        (
            """%x: bf16[64,64] tile dram = input(name="x")
               %y: bf16[64,64] tile dram = ttnn.add(%x, %x)""",
            1,
            0,
            2 * 4 * 2048,
        ),
        (
            """%q: bf16[1,2,64,32] tile dram = input(name="q")
               %k: bf16[1,2,96,32] tile dram = input(name="k")
               %y: bf16[1,2,64,32] tile dram =
                 ttnn.transformer.scaled_dot_product_attention(%q, %k, %k, is_causal=false)""",
            1,
            2 * 2 * 2 * 3,
            2048 * 2 * (2 + 3 + 2),
        ),
    ],
)
def test_what_a_call_counts(body: str, programs: int, products: int, dram_bytes: int):
    found = cost(call(body), N150)
    assert (found.programs, found.tile_products, found.dram_bytes) == (programs, products, dram_bytes)
    assert found.seconds >= programs * DISPATCH_SECONDS


def test_few_tiles_use_few_cores():
    one = call("""
      %x: bf16[32,4096] tile l1 = input(name="x")
      %w: bf16[4096,32] tile l1 = input(name="w")
      %y: bf16[32,32] tile l1 = ttnn.matmul(%x, %w)
    """)
    many = call("""
      %x: bf16[32,4096] tile l1 = input(name="x")
      %w: bf16[4096,2048] tile l1 = input(name="w")
      %y: bf16[32,2048] tile l1 = ttnn.matmul(%x, %w)
    """)
    assert cost(one, N150).seconds == pytest.approx(cost(many, N150).seconds)


@pytest.mark.parametrize(
    ("node", "bound"),
    [
        (product(512), "DRAM"),
        (product(4096), "matrix engine"),
        (product(32), "dispatch"),
        (
            call("""%x: bf16[64,64] tile dram = input(name="x")
                    %y: bf16[2,32,64] tile dram = ttnn.reshape(%x, [2, 32, 64])"""),
            "",
        ),
    ],
)
def test_the_largest_part_of_the_time_bounds_it(node: Node, bound: str):
    found = cost(node, N150)
    assert found.bound == bound
    parts = {
        "dispatch": found.programs * DISPATCH_SECONDS,
        "DRAM": found.dram_seconds,
        "matrix engine": found.matrix_seconds,
    }
    assert max(parts.values()) == parts.get(bound, 0)
    assert found.seconds == parts["dispatch"] + max(parts["DRAM"], parts["matrix engine"])


def test_a_call_that_runs_more_often_is_bound_by_the_same():
    once, often = cost(product(4096), N150), cost(product(4096), N150).repeated(3)
    assert (often.times, often.programs, often.dram_bytes) == (3, 3, 3 * once.dram_bytes)
    assert often.seconds == pytest.approx(3 * once.seconds)
    assert often.bound == once.bound
