"""Casts by the calls that compute: program text before and after, near misses, and the real library's word."""

import pytest

from tests.mock_cards import check_many
from ttc.backend.plan.cast_in_calls import cast_in_calls
from ttc.calls.target import TARGETS, Target
from ttc.ir import Graph, verify
from ttc.runtime.run.program import parse_program

N150 = TARGETS["n150"]
INPUTS = """
    %i: i32[1,40] tile dram = input(name="i")
    %n: i32[1,1] tile dram = input(name="n")
    %a: f32[2,40] tile dram = input(name="a")
    %b: f32[2,40] tile dram = input(name="b")
    %r: f32[1,40] tile dram = input(name="r")
    %h: bf16[2,40] tile dram = input(name="h")
    %s: bf16[1,40] tile dram = input(name="s")
"""


def program(body: str) -> Graph:
    return verify(parse_program(f"graph {{ {INPUTS} {body} }}"))


def planned(graph: Graph) -> Graph:
    found = verify(cast_in_calls(graph, N150))
    assert cast_in_calls(found, N150) is found
    return found


def called(graph: Graph) -> list[str]:
    """The lines of a program's calls."""
    return [line.strip() for line in str(graph).splitlines() if "ttnn." in line]


MASK = "%m: i32[1,40] tile dram = ttnn.lt(%i, %n)"
MADE: dict[str, tuple[str, list[str]]] = {
    "a comparison, reshaped": (
        f"""{MASK}
        %c: i32[40,1] tile dram = ttnn.reshape(%m, [40, 1])
        %y: bf16[40,1] tile dram = ttnn.typecast(%c, bf16)
        %f: bf16[1,40] tile dram = ttnn.typecast(%m, bf16)
        return "y"=%y, "f"=%f""",
        [
            "%m: bf16[1,40] tile dram = ttnn.lt(%i, %n, dtype=bf16)",
            "%c: bf16[40,1] tile dram = ttnn.reshape(%m, [40, 1])",
        ],
    ),
    "two dtypes of a comparison with one number": (
        """%m: i32[1,40] tile dram = ttnn.lt(%i, 3)
        %y: bf16[1,40] tile dram = ttnn.typecast(%m, bf16)
        %f: f32[1,40] tile dram = ttnn.typecast(%m, f32)
        return "y"=%y, "f"=%f""",
        [
            "%m: bf16[1,40] tile dram = ttnn.lt(%i, 3, dtype=bf16)",
            "%m_0: f32[1,40] tile dram = ttnn.lt(%i, 3, dtype=f32)",
        ],
    ),
    "read as computed, too": (
        """%m: i32[1,40] tile dram = ttnn.add(%i, 3)
        %y: bf16[1,40] tile dram = ttnn.typecast(%m, bf16)
        return "y"=%y, "m"=%m""",
        [
            "%m: bf16[1,40] tile dram = ttnn.add(%i, 3, dtype=bf16)",
            "%m_0: i32[1,40] tile dram = ttnn.add(%i, 3)",
        ],
    ),
    "read as computed, too, of a row": (
        """%m: f32[2,40] tile dram = ttnn.multiply(%a, %r)
        %y: bf16[2,40] tile dram = ttnn.typecast(%m, bf16)
        return "y"=%y, "m"=%m""",
        [
            "%m: bf16[2,40] tile dram = ttnn.multiply(%a, %r, dtype=bf16)",
            "%m_0: f32[2,40] tile dram = ttnn.multiply(%a, %r)",
        ],
    ),
    "of an operand that is overwritten before the cast": (
        """%m: f32[2,40] tile dram = ttnn.subtract(%a, %r)
        %o: f32[2,40] tile dram = ttnn.add(%a, %b, output_tensor=%a)
        %y: bf16[2,40] tile dram = ttnn.typecast(%m, bf16)
        return "y"=%y, "o"=%o""",
        [
            "%m: bf16[2,40] tile dram = ttnn.subtract(%a, %r, dtype=bf16)",
            "%o: f32[2,40] tile dram = ttnn.add(%a, %b, output_tensor=%a)",
        ],
    ),
    "of two full operands": (
        """%m: f32[2,40] tile dram = ttnn.multiply(%a, %b)
        %y: bf16[2,40] tile dram = ttnn.typecast(%m, bf16)
        return "y"=%y""",
        ["%m: bf16[2,40] tile dram = ttnn.multiply(%a, %b, dtype=bf16)"],
    ),
    "a comparison of 16 bits": (
        """%m: bf16[2,40] tile dram = ttnn.logical_or(%h, %s)
        %y: f32[2,40] tile dram = ttnn.typecast(%m, f32)
        return "y"=%y""",
        ["%m: f32[2,40] tile dram = ttnn.logical_or(%h, %s, dtype=f32)"],
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_calls_cast(name: str):
    body, lines = MADE[name]
    assert called(planned(program(body))) == lines


@pytest.mark.parametrize("target", [TARGETS["n150"], TARGETS["p150"]], ids=["n150", "p150"])
def test_the_library_gives_these_dtypes(target: Target):
    graphs = [str(planned(program(body))) for body, _ in MADE.values()]
    assert all(report.ok for report in check_many(graphs, target))


@pytest.mark.parametrize(
    "body",
    [
        # a sum of 16 bits may be rounded before it is widened
        """%m: bf16[2,40] tile dram = ttnn.add(%h, %s)
        %y: f32[2,40] tile dram = ttnn.typecast(%m, f32)
        return "y"=%y""",
        # of operands of two dtypes one has 16 bits
        """%m: f32[2,40] tile dram = ttnn.add(%a, %h)
        %y: bf16[2,40] tile dram = ttnn.typecast(%m, bf16)
        return "y"=%y""",
        # to indices and other integers
        """%m: i32[1,40] tile dram = ttnn.add(%i, %n)
        %y: u32[1,40] tile dram = ttnn.typecast(%m, u32)
        return "y"=%y""",
        # not the call's own: it has no such argument
        """%m: f32[2,40] tile dram = ttnn.atan2(%a, %b)
        %y: bf16[2,40] tile dram = ttnn.typecast(%m, bf16)
        return "y"=%y""",
        # another function after the call's
        """%m: f32[2,40] tile dram = ttnn.add(%a, %b, activations=[UnaryWithParam(op_type="RELU")])
        %y: bf16[2,40] tile dram = ttnn.typecast(%m, bf16)
        return "y"=%y""",
        # computed again it would read two whole operands
        """%m: f32[2,40] tile dram = ttnn.add(%a, %b)
        %y: bf16[2,40] tile dram = ttnn.typecast(%m, bf16)
        return "y"=%y, "m"=%m""",
        # computed again it would be reshaped again, too
        """%m: i32[1,40] tile dram = ttnn.lt(%i, 3)
        %c: i32[40,1] tile dram = ttnn.reshape(%m, [40, 1])
        %y: bf16[40,1] tile dram = ttnn.typecast(%c, bf16)
        return "y"=%y, "m"=%m""",
        """%m: i32[1,40] tile dram = ttnn.lt(%i, 3)
        %c: i32[40,1] tile dram = ttnn.reshape(%m, [40, 1])
        %y: bf16[40,1] tile dram = ttnn.typecast(%c, bf16)
        return "y"=%y, "c"=%c""",
        # the result of the cast goes to other memory
        """%m: i32[1,40] tile dram = ttnn.lt(%i, %n)
        %y: bf16[1,40] tile l1 = ttnn.typecast(%m, bf16, memory_config=MemoryConfig(buffer=L1))
        return "y"=%y""",
        # casts already
        """%m: f32[1,40] tile dram = ttnn.lt(%i, %n, dtype=f32)
        %y: bf16[1,40] tile dram = ttnn.typecast(%m, bf16)
        return "y"=%y""",
    ],
)
def test_others_stay(body: str):
    graph = program(body)
    assert cast_in_calls(graph, N150) is graph


def test_a_result_in_a_given_tensor_stays():
    graph = program(
        """%m: f32[2,40] tile dram = ttnn.add(%a, %b, output_tensor=%a)
        %y: bf16[2,40] tile dram = ttnn.typecast(%m, bf16)
        return "y"=%y"""
    )
    assert cast_in_calls(graph, N150) is graph
