"""All that is known of one op, or of an operator or TTNN call that ops are made of or become."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from ttc import backend
from ttc.commands.support import Support, refusals, supported
from ttc.errors import InputError
from ttc.frontend.export.table import REFUSED, TABLE
from ttc.frontend.onnx.refused import REASONS
from ttc.frontend.onnx.table import entries
from ttc.ir import Op

WIDTH = 110
"""Characters of a line."""


def described(name: str) -> str:
    """Describe everything of this name: op, ONNX and aten operators, TTNN call. InputError if nothing has the name."""
    plain = _plain(name)
    listed = supported()
    sections = [_op(support) for support in listed if _plain(support.kind.mnemonic) == plain]
    sections += [_operator("ONNX", key, listed) for key in sorted(entries()) if plain == _plain(key)]
    sections += [_operator("aten", key, listed) for key in sorted(TABLE) if plain in (_plain(key), _packet(key))]
    sections += [_call(key, listed) for key in sorted(_calls(listed)) if plain in (_plain(key), _last(key))]
    refused = {("ONNX", key): reason for (_, key), reason in REASONS.items()}
    refused |= {("aten", key): reason for key, reason in REFUSED.items()}
    sections += [[f"{of} {key}: not supported: {why}"] for (of, key), why in refused.items() if _plain(key) == plain]
    if not sections:
        raise InputError(_unknown(name, listed))
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def _op(support: Support) -> list[str]:
    """Describe an op: meaning, fields, the operators that become it, its calls, element types, and refusals."""
    kind = support.kind
    rule = backend.RULES.get(kind)
    calls = support.calls or (("nothing: it is decomposed, or known when compiling",) if rule is None else ())
    return [
        *_meaning(kind),
        *_row("written", [_signature(kind)]),
        *_row("of ONNX", support.onnx),
        *_row("of aten", support.aten),
        *_row("becomes", calls),
        *_row("in types", support.dtypes),
        *_rows("refused", refusals(rule) if rule else []),
    ]


def _operator(of: str, key: str, listed: Sequence[Support]) -> list[str]:
    """Describe an operator of ONNX or aten: the ops that its reading makes, and the refusals of the reading."""
    function = entries()[key].function if of == "ONNX" else TABLE[key]
    names = [s.kind.mnemonic for s in listed if key in (s.onnx if of == "ONNX" else s.aten)]
    return [f"{of} {key}", *_row("read as", names), *_rows("refused", refusals(function))]


def _call(key: str, listed: Sequence[Support]) -> list[str]:
    """Describe a TTNN call: its meaning, and the ops that become it."""
    users = [support.kind.mnemonic for support in listed if key in support.calls]
    return [*_meaning(Op.registry[key]), *_row("used by", users)]


def _meaning(kind: type[Op]) -> list[str]:
    """Give the name of an op or a call, and its docstring."""
    first, *more = (inspect.getdoc(kind) or "").split("\n")
    return [f"{kind.mnemonic}: {first}", *(f"  {line}" for line in more if line)]


def _calls(listed: Sequence[Support]) -> set[str]:
    return {call for support in listed for call in support.calls}


def _signature(kind: type[Op]) -> str:
    """Write an op's operands and attributes as a Python signature."""
    parameters = str(inspect.signature(kind)).rpartition(" -> ")[0].replace("'", "")
    return kind.mnemonic + parameters


def _row(label: str, words: Sequence[str]) -> list[str]:
    """Put words behind a label, in as many lines as the words take; none for no words."""
    lead = f"  {label:<10}"
    text = ", ".join(words)
    wrapped = textwrap.wrap(text, WIDTH, initial_indent=lead, subsequent_indent=" " * 12, break_on_hyphens=False)
    return wrapped if words else []


def _rows(label: str, sentences: Iterable[str]) -> list[str]:
    """Put sentences behind a label, each in a line of its own."""
    rows = [_row("" if number else label, [sentence]) for number, sentence in enumerate(sentences)]
    return [line for row in rows for line in row]


def _plain(name: str) -> str:
    """Strip a name of what people write differently: the kind of operator, capitals, underscores."""
    for kind in ("aten.", "onnx.", "ai.onnx."):
        name = name.removeprefix(kind)
    return name.replace("_", "").lower()


def _packet(name: str) -> str:
    """Strip an aten name of its overload."""
    return _plain(name.partition(".")[0])


def _last(name: str) -> str:
    """Strip a call's name of its module."""
    return _plain(name.rpartition(".")[2])


def _unknown(name: str, listed: Sequence[Support]) -> str:
    """Report that no op has the name, and which names are near."""
    names = [support.kind.mnemonic for support in listed]
    known = {_plain(key): key for key in (*_calls(listed), *TABLE, *entries(), *names)}
    near = [known[key] for key in get_close_matches(_plain(name), known)]
    hint = f"; did you mean {' or '.join(near)}?" if near else "; `ttc ops` lists what there is"
    return f"no op, operator or TTNN call is called {name!r}{hint}"
