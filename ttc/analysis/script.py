"""A program as a stand-alone Python file of TTNN calls that needs `ttnn` and numpy only.

A call is a statement, and behind a call stands a comment of each result: shape, element type, layout and memory.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from typing import Any

from ttc.analysis.liveness import Liveness
from ttc.analysis.script_text import HEADER, MAIN, READER, RUNNERS
from ttc.calls.call import Call, spec_of
from ttc.calls.host import HostOp
from ttc.calls.layout import Deallocate
from ttc.calls.loop import Loop, StepCall
from ttc.calls.spelling import Made, arguments, quoted, spelled, text
from ttc.errors import Refusal
from ttc.ir import HOST, Const, Graph, Input, MemoryConfig, Node, Spec, Step, TensorType, Value, bodies
from ttc.ir.graph import snake_case
from ttc.ir.names import take_name
from ttc.ir.state import state_name

RESERVED = frozenset(
    {
        "ttnn",
        "np",
        "json",
        "argparse",
        "time",
        "device",
        "given",
        "compute",
        "w",
        "t",
        "upload",
        "download",
        "results",
        "run",
        "range",
        "float",
    }
)
"""Names that the file itself uses, beside its configurations, which are in capitals."""

INDENT = "    "

WIDTH = 120
"""Characters of a line, at which a call's arguments go on in the next."""

PART = re.compile(r"[A-Za-z0-9_./:-]{0,80}?\.\d{1,6}(?=\.)")
"""A weight's reference up to its first number, in characters that can stand in a comment."""


def script(graph: Graph, trace_bytes: int = 0) -> str:
    """Print a program as Python source, with an estimate of its trace's size; Refusal if the host does an op."""
    for node in graph.nodes:
        if isinstance(node.op, HostOp):
            raise Refusal(f"the host does {node.op.name}, which a stand-alone program of TTNN calls cannot")
    return "".join(_Script(graph).parts(trace_bytes))


class _Script:
    """Names that one file gives to values and configurations."""

    def __init__(self, graph: Graph):
        self.graph, self.liveness = graph, Liveness(graph)
        self.states = {value: name for name, value in graph.states.items()}
        self.names = _identifiers(graph)
        self.constants: dict[str, str] = {}  # a configuration's text -> its name
        self.inner: dict[Value, Value] = {}  # a loop's body's input -> what the loop hands it

    def parts(self, trace_bytes: int) -> Iterator[str]:
        run = list(self._run())  # first, as it finds the configurations
        prepared = list(self._prepared())
        weights = list(self._weights())
        inputs, outputs = list(self._inputs()), list(self._outputs())
        yield HEADER
        yield "".join(f"\n{name} = {made}" for made, name in self.constants.items())
        yield f"\n\nTRACE_BYTES = {trace_bytes}\n"
        for name, lines in (("INPUTS", inputs), ("OUTPUTS", outputs), ("WEIGHTS", weights)):
            yield f"\n{name} = {{\n{''.join(lines)}}}\n"
        yield READER
        yield "".join(f"    {line}\n" for line in (*prepared, "return w"))
        yield "\n\ndef compute(device, given, w):\n"
        yield '    """The results of a run from tensors on the device, which stay, and weights."""\n'
        yield "".join(f"    {line}\n" if line else "\n" for line in run)
        yield RUNNERS + MAIN

    # ------------------------------------------------------------ lines

    def _inputs(self) -> Iterator[str]:
        for value in (value for value in self.graph.inputs if value not in self.states):
            assert isinstance(value.op, Input)
            name, spec = value.op.name, spec_of(value)
            yield f"    {quoted(name)}: ({spec.shape}, {_kind(spec)}, {self._form(spec)}),\n"

    def _outputs(self) -> Iterator[str]:
        for name, value in self._shown():
            spec = spec_of(value)
            yield f"    {quoted(name)}: ({spec.shape}, {text(spelled(spec.dtype))}, {text(spelled(spec.layout))}),\n"

    def _weights(self) -> Iterator[str]:
        for node in self.graph.nodes:
            if isinstance(node.op, Const):
                value = node.results[0]
                yield f"    {quoted(value.name)}: ({quoted(node.op.ref)}, {self._form(spec_of(value))}),\n"
        for value, name in self.states.items():  # what the first run begins with
            yield f"    {quoted(name)}: ({quoted(name)}, {self._form(spec_of(value))}),\n"

    def _prepared(self) -> Iterator[str]:
        """Yield the lines of the calls that depend on weights alone."""
        for node in self.graph.nodes:
            if isinstance(node.op, Call) and node.results and self.liveness.kept(node.results[0]):
                yield from self._statement(node, *self._call(node.op), depth=1)

    def _run(self) -> Iterator[str]:
        part = ""
        for node in self.graph.nodes:
            if isinstance(node.op, Const) or (node.results and self._in_weights(node.results[0])):
                continue
            if isinstance(node.op, Deallocate) and isinstance(node.op.tensor.op, Input):
                continue  # whoever has made an input frees it
            where = _part(node)
            if where and where != part:
                part = where
                yield from ("", f"# {part}")
            yield from self._lines(node, depth=1)
        results = f"{{{', '.join(f'{quoted(name)}: {self._value(value)}' for name, value in self._shown())}}}"
        if not self.states:
            yield f"return {results}"
            return
        left = {name: self._value(value) for name, value in self.graph.outputs if state_name(name) is not None}
        yield f"results = {results}"
        yield "# where the next run begins"
        yield f"{', '.join(f'w[{quoted(name)}]' for name in left)} = {', '.join(left.values())}"
        yield "return results"

    def _shown(self) -> list[tuple[str, Value]]:
        """List the outputs that a user sees."""
        return [(name, value) for name, value in self.graph.outputs if state_name(name) is None]

    def _in_weights(self, value: Value) -> bool:
        """Return whether a value stands among the weights: computed once, or what the run before has left."""
        return value in self.states or self.liveness.kept(value)

    def _lines(self, node: Node, depth: int) -> Iterator[str]:
        """Yield the lines of a node `depth` blocks inside the file; those of a loop's body are indented."""
        if not isinstance(node.op, Loop):
            yield from self._input(node) if isinstance(node.op, Input) else self._made(node, depth)
            return
        loop = node.op
        self.inner.update(zip(loop.body.inputs, loop.operands(), strict=True))
        yield f"for t in range({loop.count}):"
        for inner in loop.body.nodes:
            if not isinstance(inner.op, Input):
                yield from (INDENT + line for line in self._lines(inner, depth + 1))
        for value, buffer in zip(node.results, loop.written, strict=True):
            yield f"{self._value(value)} = {self._value(buffer)}"

    def _statement(self, node: Node, function: str, arguments: list[str], depth: int) -> Iterator[str]:
        """Yield a call of `function` with its results: one line, or several where it is too long for one."""
        targets = ", ".join(map(self._value, node.results))
        start = f"{targets} = {function}(" if node.results else f"{function}("
        end = f")  # {'; '.join(_described(spec_of(value)) for value in node.results)}" if node.results else ")"
        line = f"{start}{', '.join(arguments)}{end}"
        width = WIDTH - len(INDENT) * depth
        yield from [line] if len(line) <= width else [start, *_filled(arguments, width), end]

    def _input(self, node: Node) -> Iterator[str]:
        (value,) = node.results
        assert isinstance(node.op, Input)
        yield f"{self._value(value)} = given[{quoted(node.op.name)}]  # {_described(spec_of(value))}"

    def _made(self, node: Node, depth: int) -> Iterator[str]:
        assert isinstance(node.op, Call)
        return self._statement(node, *self._call(node.op), depth)

    def _call(self, call: Call) -> tuple[str, list[str]]:
        """Return a call's function and its arguments."""
        if isinstance(call, StepCall):
            call = call.at(Step())
        positional, keywords = arguments(call)
        parts = [self._argument(item) for item in positional]
        parts += [f"{name}={self._argument(item)}" for name, item in keywords.items()]
        return call.mnemonic, parts + (["device=device"] if call.needs_device else [])

    # ------------------------------------------------------------ words

    def _argument(self, item: Any) -> str:
        if isinstance(item, Value):
            return self._value(item)
        if isinstance(item, tuple) and item and isinstance(item[0], Value):
            return f"[{', '.join(map(self._value, item))}]"
        word = spelled(item)
        if not isinstance(word, Made):
            return text(word)
        return self._constant(text(word), snake_case(type(item).__name__).upper())

    def _constant(self, made: str, kind: str) -> str:
        if made not in self.constants:
            taken = sum(1 for name in self.constants.values() if re.fullmatch(rf"{kind}(_\d+)?", name))
            self.constants[made] = f"{kind}_{taken + 1}" if taken else kind
        return self.constants[made]

    def _value(self, value: Value) -> str:
        value = self._outer(value)
        if self._in_weights(value):
            return f"w[{quoted(self.states.get(value, value.name))}]"
        return self.names[value]

    def _outer(self, value: Value) -> Value:
        """Return the value that a loop gives its body under this name; `value` itself if it is not a body's input."""
        while value in self.inner:
            value = self.inner[value]
        return value

    def _form(self, spec: Spec) -> str:
        memory = "None" if spec.memory == HOST else self._memory(spec.memory)
        return f"{text(spelled(spec.dtype))}, {text(spelled(spec.layout))}, {memory}"

    def _memory(self, memory: MemoryConfig) -> str:
        return self._argument(memory)


def _filled(arguments: list[str], width: int) -> list[str]:
    """Return indented lines of arguments, as many in each as there is room for."""
    lines: list[str] = []
    for argument in arguments:
        if lines and len(lines[-1]) + len(f" {argument},") <= width:
            lines[-1] += f" {argument},"
        else:
            lines.append(f"{INDENT}{argument},")
    return lines


def _described(spec: Spec) -> str:
    return f"{list(spec.shape)} {spec.dtype} {spec.layout.value} {spec.memory}"


def _part(node: Node) -> str:
    """Return the numbered part of the model that a call's weights belong to, such as `encoder.layer.3`."""
    for value in node.op.operands():
        found = PART.match(value.op.ref) if isinstance(value.op, Const) else None
        if found:
            return found[0]
    return ""


def _kind(type: TensorType) -> str:
    kinds = {"i32": "np.int32", "u32": "np.uint32", "u16": "np.uint16", "u8": "np.uint8"}
    return kinds.get(type.dtype.name, "np.float32")


def _all_values(graph: Graph) -> Iterator[Value]:
    """Yield the values of a program and of the bodies in it."""
    for node in graph.nodes:
        yield from node.results
        for body in bodies(node.op):
            yield from _all_values(body)


def _identifiers(graph: Graph) -> dict[Value, str]:
    """Choose a Python name for each value: its own with other characters replaced, numbered where that is taken.

    No name is in capitals, as the file's configurations are.
    """
    names: dict[Value, str] = {}
    taken = set(RESERVED)
    for value in _all_values(graph):
        stem = re.sub(r"[^A-Za-z0-9_]+", "_", value.name)
        stem = stem.lower() if stem.isupper() else stem
        if not stem.isidentifier() or keyword.iskeyword(stem):
            stem = f"t{stem}" if stem[:1].isdigit() else f"{stem}_"
        names[value] = take_name(stem, taken)
    return names
