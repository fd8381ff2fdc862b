"""Rewriting rules, each offered the ops of the classes that it is written for."""

from __future__ import annotations

from collections.abc import Callable
from inspect import unwrap
from typing import TYPE_CHECKING, Any, TypeAlias, get_type_hints

from ttc.ir.graph import Op, Value

if TYPE_CHECKING:
    from ttc.ir.builder import Builder

Rule: TypeAlias = "Callable[[Any, Builder], Value | tuple[Value, ...] | None]"
"""A rule `(op, builder)`: it is offered ops of the classes that the annotation of its first parameter names."""


class Rules:
    """Rules in order, and for each class of ops those that ops of this class are offered to."""

    def __init__(self, *rules: Rule):
        self._rules = tuple((rule, offered_classes(rule)) for rule in rules)
        self._of: dict[type[Op], tuple[Rule, ...]] = {}

    def of(self, op: Op) -> tuple[Rule, ...]:
        """Return the rules that an op is offered to, in order."""
        found = self._of.get(type(op))
        if found is None:
            found = tuple(rule for rule, classes in self._rules if isinstance(op, classes))
            self._of[type(op)] = found
        return found


def offered_classes(rule: Rule) -> Any:
    """Return the class, or the union of classes, of a rule's first parameter; `Op` where it has no annotation."""
    function = unwrap(rule)
    if "offered" not in function.__dict__:
        function.__dict__["offered"] = get_type_hints(function).get(function.__code__.co_varnames[0], Op)
    return function.__dict__["offered"]


def answer(op: Op, rules: Rules, builder: Builder) -> tuple[Value, ...]:
    """Return the answer of the first rule that answers for `op`; () if no rule does."""
    for rule in rules.of(op):
        found = rule(op, builder)
        if found is not None:
            return found if isinstance(found, tuple) else (found,)
    return ()
