"""Values without elements become literals, and with them what reads nothing else."""

import pytest

from tests.passes.check import leaves, rewrites
from ttc.passes.simplify.simplify import simplify


@pytest.mark.parametrize(
    ("op", "result"),
    [
        ("%y: f32[0,2] = relu(x=%x)", "%y: f32[0,2] = literal(data=[])"),
        ("%y: f32[1,2] = pad(x=%x, pads=[[0, 1], [0, 0]], value=1.5)", "%y_0: f32[1,2] = full(value=1.5)"),
        ("%y: f32[2] = sum(x=%x, dims=[0])", "%y_0: f32[2] = full(value=0.0)"),
    ],
)
def test_what_reads_only_empty_values_is_known(op: str, result: str):
    rewrites(
        simplify,
        f"""
        %x: f32[0,2] = input(name="x")
        {op}
        return "y"=%y
        """,
        f"""
        %x: f32[0,2] = input(name="x")
        {result}
        return "y"={result.partition(":")[0]}
        """,
    )


def test_empty_parts_of_a_concatenation_are_left_out():
    rewrites(
        simplify,
        """
        %x: f32[0,2] = input(name="x")
        %z: f32[3,2] = input(name="z")
        %c: f32[3,2] = concat(xs=[%x, %z, %x], dim=0)
        %y: f32[3,2] = relu(x=%c)
        return "y"=%y
        """,
        """
        %x: f32[0,2] = input(name="x")
        %z: f32[3,2] = input(name="z")
        %y: f32[3,2] = relu(x=%z)
        return "y"=%y
        """,
    )


def test_the_other_parts_stay_a_concatenation():
    rewrites(
        simplify,
        """
        %x: f32[0,2] = input(name="x")
        %z: f32[3,2] = input(name="z")
        %w: f32[1,2] = input(name="w")
        %y: f32[4,2] = concat(xs=[%z, %x, %w], dim=0)
        return "y"=%y
        """,
        """
        %x: f32[0,2] = input(name="x")
        %z: f32[3,2] = input(name="z")
        %w: f32[1,2] = input(name="w")
        %y: f32[4,2] = concat(xs=[%z, %w], dim=0)
        return "y"=%y
        """,
    )


def test_an_input_without_elements_stays():
    leaves(
        simplify,
        """
        %x: f32[0,2] = input(name="x")
        return "y"=%x
        """,
    )
