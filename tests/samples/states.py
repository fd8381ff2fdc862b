"""Rows that are written into a state."""

from __future__ import annotations

from tests.samples.form import Pattern, Sample
from ttc import ops


def written(name: str, size: int, width: int, heads: int = 2) -> Pattern:
    """A row of a state that is written at a position."""
    cache, row = f"f32[1,{heads},{size},{width}]", f"f32[1,{heads},1,{width}]"
    text = f"""graph {{
  %cache: {cache} = input(name="@state.cache")
  %row: {row} = input(name="row")
  %position: i64[1] = input(name="position")
  %line: i64[1,1,{size},1] = literal(data={list(range(size))})
  %place: i64[1,1,1,1] = reshape(x=%position, shape=[1, 1, 1, 1])
  %here: bool[1,1,{size},1] = eq(a=%place, b=%line)
  %new: {cache} = where(condition=%here, a=%row, b=%cache)
  return "output"=%new, "@state.cache"=%new
}}"""
    return Pattern(ops.Where, {"name": name}, {"position": (0, size)}, text=text)


STATES: list[Sample] = [
    written("a row written into a state", 40, 48),
    written("a row written into a state of whole tiles", 64, 64),
    written("a row written into a state of more heads than cores", 33, 32, heads=128),
]
