"""One random torch program tried: compiled, run, and judged."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

import ttc
from tests.differential.judge import BITS, MANY_RUNS, RUNS, judge
from tests.differential.outcome import DTYPES, Outcome, of_error, quiet
from tests.differential.rounding import Rounded
from tests.differential.torch_program import Program, made
from ttc.calls.target import target_named
from ttc.compiled.executable import Executable
from ttc.frontend.export import export
from ttc.ir import Const, Graph, Input
from ttc.pipeline import Options, compile_graph


def numbers(x: torch.Tensor) -> np.ndarray:
    return np.asarray((x.float() if x.dtype is torch.bfloat16 else x).numpy())


def wide(x: torch.Tensor) -> torch.Tensor:
    return x.double() if x.is_floating_point() else x


def in_float64(program: Program, bits: int | None, seed: int, length: int | None) -> tuple[list[torch.Tensor], Rounded]:
    """The outputs in float64 with `bits` of rounding, and what the mode noted."""
    module, mode = program.module(double=True), Rounded(bits, seed)
    inputs = [wide(x) for x in program.inputs(length)]
    kept = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad(), mode:
            if bits is not None:
                for tensor in (*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())):
                    tensor.copy_(tensor * 1.0)
                inputs = [x * 1.0 if x.is_floating_point() else x for x in inputs]
            return list(module(*inputs)), mode
    finally:
        torch.set_default_dtype(kept)


def try_batch(programs: list[Program]) -> list[dict[str, Outcome]]:
    """Try programs in every dtype; they are exported as one module, which takes most of the time.

    What does not end well is tried again by itself, as a user would call it.
    """
    with quiet():
        try:
            graphs = read_together(programs)
        except Exception as error:
            if len(programs) > 1:
                middle = len(programs) // 2
                return [*try_batch(programs[:middle]), *try_batch(programs[middle:])]
            return [dict.fromkeys(DTYPES, of_error(error))]
        return [_tried(program, graph) for program, graph in zip(programs, graphs, strict=True)]


def _tried(program: Program, graph: Graph) -> dict[str, Outcome]:
    oracle = Oracle(program)
    found = {dtype: _outcome(lambda dtype=dtype: run_graph(program, graph, dtype), oracle, dtype) for dtype in DTYPES}
    for dtype, outcome in found.items():
        if outcome.fault and not (alone := try_program(program, dtype)).fault:
            found[dtype] = Outcome(outcome.kind, f"only when read with others ({alone.kind}): {outcome.words}")
    return found


def try_program(program: Program, dtype: str, lengths: tuple[int, ...] = ()) -> Outcome:
    """Compile and run a program in `dtype`; at the first of `lengths` in buckets of the others."""
    with quiet():
        oracle = Oracle(program, lengths[0] if lengths else None)
        return _outcome(lambda: results(program, dtype, lengths), oracle, dtype)


def _outcome(run: Callable[[], list[np.ndarray]], oracle: Oracle, dtype: str) -> Outcome:
    try:
        found = run()
    except Exception as error:
        return of_error(error)
    return oracle.outcome(found, dtype)


def results(program: Program, dtype: str, lengths: tuple[int, ...]) -> list[np.ndarray]:
    """What ttc gives for a program, as a user would call it."""
    module = program.module()
    if not lengths:
        inputs = program.inputs()
        return [numbers(y) for y in ttc.compile(module, tuple(inputs), dtype=dtype)(*inputs)]
    names = {
        a.name: {axis: "T" for axis, size in enumerate(a.shape) if size == program.length} or None
        for a in program.arguments
    }
    example, buckets = tuple(program.inputs(lengths[1])), {"T": list(lengths[1:])}
    compiled = ttc.compile(module, example, dynamic_shapes=names, lengths=buckets, dtype=dtype)
    inputs = program.inputs(lengths[0])
    named = {a.name: numbers(x) for a, x in zip(program.arguments, inputs, strict=True)}
    return list(compiled.run(named).values())


# ---------------------------------------------------------------- many in one export


def read_together(programs: list[Program]) -> list[Graph]:
    """The graph of each program, read as parts of one module."""
    names = [f"p{number}_{a.name}" for number, p in enumerate(programs) for a in p.arguments]
    calls = ", ".join(
        f"self.parts[{number}]({', '.join(f'p{number}_{a.name}' for a in p.arguments)})"
        for number, p in enumerate(programs)
    )
    lines = [
        "class Program(nn.Module):",
        f"    def forward({', '.join(['self', *names])}):",
        f"        return ({calls},)",
    ]
    module = made("\n".join(lines))
    module.parts = torch.nn.ModuleList(program.module() for program in programs)
    inputs = tuple(x for program in programs for x in program.inputs())
    graph = export(module, inputs).graph
    return [part_of(graph, number) for number in range(len(programs))]


def part_of(graph: Graph, number: int) -> Graph:
    """The inputs and outputs of one program of many, and what lies between."""
    outputs = tuple((name.partition(".")[2], value) for name, value in graph.outputs if name.startswith(f"{number}."))
    live, kept = {value for _, value in outputs}, []
    for node in reversed(graph.nodes):
        mine = isinstance(node.op, Input) and node.op.name.startswith(f"p{number}_")
        if mine or not live.isdisjoint(node.results):
            kept.insert(0, node)
            live.update(node.op.operands())
    refs = {node.op.ref for node in kept if isinstance(node.op, Const)}
    return Graph(tuple(kept), outputs, graph.weights.only(refs))


def run_graph(program: Program, graph: Graph, dtype: str) -> list[np.ndarray]:
    build = compile_graph(graph, Options(target_named("n150"), dtype))
    executable = Executable.of([build])
    inputs = dict(zip((a.name for a in program.arguments), map(numbers, program.inputs()), strict=True))
    taken = [name for name, _ in build.program.inputs]
    return list(executable.run({name: inputs[name.partition("_")[2]] for name in taken}).values())


# ---------------------------------------------------------------- truth


class Oracle:
    """What torch gives for a program at a length: as it is, in float64, and rounded at random."""

    def __init__(self, program: Program, length: int | None = None):
        self.program, self.length = program, length
        with torch.no_grad():
            self.declared = list(program.module()(*program.inputs(length)))
        self.truth, noted = in_float64(program, None, 0, length)
        self.undefined = noted.undefined or noted.widest >= 2**31
        self.low = "float16" in str(program)  # rounds by itself, or is kept wider
        self._runs: dict[int, list[list[torch.Tensor]]] = {}

    def runs(self, bits: int, count: int) -> list[list[torch.Tensor]]:
        found = self._runs.setdefault(bits, [])
        found += [in_float64(self.program, bits, seed, self.length)[0] for seed in range(len(found), count)]
        return found

    def outcome(self, found: list[np.ndarray], dtype: str) -> Outcome:
        """What a program gave, judged; what a few runs find wrong is asked of many."""
        outcome = self._judged(found, dtype, RUNS)
        return self._judged(found, dtype, MANY_RUNS) if outcome.kind == "wrong" else outcome

    def _judged(self, found: list[np.ndarray], dtype: str, count: int) -> Outcome:
        """The worst of all outputs."""
        if len(found) != len(self.declared):
            return Outcome("wrong", f"{len(found)} outputs, not {len(self.declared)}")
        if self.undefined:
            return Outcome("undecided", "integers beyond int32")
        rule = "bf16" if self.low else dtype
        runs, tight = self.runs(BITS[rule], count), []
        for number, (array, like) in enumerate(zip(found, self.declared, strict=True)):
            if numbers(like).dtype != array.dtype:
                return Outcome("wrong", f"output {number} is {array.dtype}, not {like.dtype}")
            truth, *others = (as_declared(run[number], like) for run in (self.truth, *runs))
            verdict = judge(array, truth, others, rule)
            if verdict.wrong:
                return Outcome("wrong", f"output {number} in {dtype}: {verdict.wrong}")
            tight.append(verdict.tight)
        return Outcome("right" if max(tight) > 0 else "undecided", "", min(tight))


def as_declared(x: torch.Tensor, like: torch.Tensor) -> np.ndarray:
    """A result in float64 within the range of the dtype that the model declares."""
    return x.to(like.dtype).double().numpy() if like.is_floating_point() else x.numpy()
