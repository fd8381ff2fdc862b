"""The table of recipes: a recipe draws operands and attributes, and gives a line of a torch program."""

from __future__ import annotations

from collections.abc import Callable

from tests.differential.draw import Draw

Recipe = Callable[[Draw], str]
RECIPES: dict[str, Recipe] = {}
"""By name. What torch does not take of what a recipe gives is drawn again, so recipes need not be exact."""


def recipe(*names: str) -> Callable[[Recipe], Recipe]:
    def register(function: Recipe) -> Recipe:
        RECIPES["/".join(names)] = function
        return function

    return register


def templates(name: str, *choices: Recipe) -> None:
    """Recipes that are one line each."""
    for number, choice in enumerate(choices):
        RECIPES[f"{name} {number}"] = choice
