"""A TTNN function with all its arguments but tensors: made once at set-up, called in every run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ttc.calls.call import Call
from ttc.calls.spelling import arguments, build, resolve, spelled
from ttc.errors import Refusal
from ttc.ir import Value

ERRORS = (RuntimeError, TypeError, ValueError)
"""The kinds of error by which TTNN says that it does not take a call."""


class BoundCall:
    """A call in TTNN's own objects; called with the tensors of `call.operands()`, in order, it gives the results.

    `module` is `ttnn`; `device` goes into the calls that take one. An operand's place among the arguments holds None
    until the call is made. Runs are made of these calls: each line of `__call__` counts.
    """

    def __init__(self, call: Call, module: Any, device: Any):
        positional, keywords = arguments(call)
        numbers = {value: number for number, value in enumerate(call.operands())}

        def ready(item: Any) -> Any:
            return None if isinstance(item, Value) or _of_values(item) else theirs(item, module)

        self._function = resolve(call.mnemonic.removeprefix("ttnn."), module)
        self._positional = [ready(item) for item in positional]
        self._keywords = {name: ready(item) for name, item in keywords.items()}
        if call.needs_device:
            self._keywords["device"] = device
        self._places = [(place, numbers[item]) for place, item in enumerate(positional) if isinstance(item, Value)]
        self._names = [(name, numbers[item]) for name, item in keywords.items() if isinstance(item, Value)]
        self._lists = [(p, [numbers[part] for part in item]) for p, item in enumerate(positional) if _of_values(item)]

    def __call__(self, tensors: Sequence[Any]) -> tuple[Any, ...]:
        """Call TTNN's function; Refusal with TTNN's own words if TTNN does not take the call."""
        positional, keywords = self._positional.copy(), self._keywords
        for place, number in self._places:
            positional[place] = tensors[number]
        for place, several in self._lists:
            positional[place] = [tensors[number] for number in several]
        if self._names:
            keywords = {**keywords, **{name: tensors[number] for name, number in self._names}}
        try:
            result = self._function(*positional, **keywords)
        except ERRORS as error:
            raise Refusal(in_its_own_words(error)) from None
        if result is None:
            return ()
        return tuple(result) if isinstance(result, (tuple, list)) else (result,)


def theirs(attribute: Any, module: Any) -> Any:
    """Return one of our attributes as TTNN's own object."""
    return build(spelled(attribute), module)


def _of_values(item: Any) -> bool:
    return isinstance(item, tuple) and bool(item) and isinstance(item[0], Value)


@contextmanager
def refusals() -> Iterator[None]:
    """Raise errors of TTNN as Refusals in TTNN's own words."""
    try:
        yield
    except ERRORS as error:
        raise Refusal(in_its_own_words(error)) from None


def in_its_own_words(error: Exception) -> str:
    """Return TTNN's message without source line and backtrace; with the arguments where no overload takes them."""
    text = str(error)
    found = re.search(r"\ninfo:\n(.*?)(?:\nbacktrace:|\Z)", text, re.DOTALL)
    if found and found[1].strip():
        return found[1].strip()
    got = re.search(r"^Called with:\s*(.*)", text, re.MULTILINE)
    first = text.strip().partition("\n")[0]
    return f"{first} Called with {got[1]}" if got else first
