"""`ttc validate`: a compiled model against its own framework."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from ttc.commands.arrays import random_inputs, room
from ttc.commands.options import INPUTS, add_json, add_mode, add_model, compilation, model_file, path
from ttc.commands.output import print_json
from ttc.commands.progress import ProgressLine
from ttc.commands.table import print_table
from ttc.errors import InputError, require
from ttc.guard.npz import read_inputs
from ttc.ir.state import is_given

if TYPE_CHECKING:
    from ttc.compiled.compiled import Compiled
    from ttc.validation.compare import Comparison


def add_arguments(parser: ArgumentParser) -> None:
    """Add the model, its inputs, and the comparison's options."""
    add_model(parser)
    parser.add_argument("--inputs", metavar="IN.npz|X.npy", type=path, help=INPUTS)
    parser.add_argument("--device", default="emulator", choices=("emulator", "ttnn"), help="default: the emulator")
    add_mode(parser)
    parser.add_argument(
        "--per-op", action="store_true",
        help="compare op by op, on a card call by call with the emulator, and name the first that departs",
    )  # fmt: skip
    parser.add_argument(
        "--min-pcc", type=correlation, default=0.99, metavar="PCC",
        help="the least Pearson correlation (default 0.99)",
    )  # fmt: skip
    add_json(parser)


def correlation(text: str) -> float:
    """Read a number from -1 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if not -1 <= number <= 1:
        raise ArgumentTypeError(f"{text!r} is not a correlation; give a number from -1 to 1")
    return number


def run(arguments: Namespace) -> int:
    """Compare and print; return 1 if an output's correlation is below the least wanted."""
    require("comparing")
    import ttc
    from ttc.validation.compare import compare_outputs, first_departure, framework, initial_states, reference

    model = model_file(arguments.model)
    with ProgressLine("validating") as line:
        compiled = ttc.compile(model, **compilation(arguments), progress=line.step)
        inputs = _inputs(compiled, arguments)
        line.step("running the program")
        found, inputs, steps = _run(compiled, inputs, arguments, line)
        line.step("running the model")
        states = initial_states(compiled.build.program) if arguments.state else {}
        outputs = compare_outputs(found, reference(model, {**states, **inputs}, arguments.trust))
    departed = first_departure(steps, arguments.min_pcc)
    ok = all(output.pcc >= arguments.min_pcc for output in outputs)
    if arguments.json:
        facts = {"ok": ok, "device": arguments.device, "mode": arguments.mode, "reference": framework(model)}
        facts |= {"outputs": [asdict(output) for output in outputs]}
        if arguments.per_op:
            facts |= {"ops": [asdict(step) for step in steps], "departed": departed.name if departed else None}
        print_json(facts)
        return 0 if ok else 1
    rows = [(each.name, f"{each.pcc:.6f}", f"{each.scaled_error:.2e}") for each in (*steps, *outputs)]
    print_table(("value", "PCC", "scaled error"), rows)
    if arguments.per_op:
        what = "op" if arguments.device == "emulator" else "call on the card"
        print(f"first {what} below {arguments.min_pcc}: {departed.name if departed else 'none'}")
    verdict = "agrees with" if ok else "DIFFERS from"
    print(f"{verdict} {framework(model)} (PCC >= {arguments.min_pcc} asked, {_where(arguments)})")
    return 0 if ok else 1


def _run(
    compiled: Compiled, inputs: Mapping[str, np.ndarray] | np.ndarray, arguments: Namespace, line: ProgressLine
) -> tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray], list[Comparison]]:
    """Run the program; return outputs and inputs by name, and the comparison op by op, or call by call, if asked."""
    from ttc.validation.calls import compare_calls
    from ttc.validation.compare import compare_ops

    if arguments.device == "emulator":
        found = compiled.run(inputs, "emulator", arguments.mode)  # the run binds sizes that were open
        named = _named(compiled, inputs)
        steps = compare_ops(compiled.build, named, arguments.mode, line.step) if arguments.per_op else ()
        return found, named, list(steps)
    if not compiled.known:
        compiled.run(inputs, "emulator", arguments.mode)
    named = _named(compiled, inputs)
    with compiled.session(arguments.device, trace=False) as session:
        if arguments.per_op:
            found, steps = compare_calls(compiled.build, named, session, line.step)
            return found, named, steps
        return session.run(named), named, []


def _where(arguments: Namespace) -> str:
    """Name the device, and the emulator's mode."""
    return f"mode {arguments.mode}" if arguments.device == "emulator" else "on the card"


def _inputs(compiled: Compiled, arguments: Namespace) -> Mapping[str, np.ndarray] | np.ndarray:
    """Return the given inputs, else random ones."""
    if arguments.per_op and compiled.known and compiled.buckets[-1].sizes:
        raise InputError("op by op only one length can be compared: --length NAME=N")
    if arguments.inputs:
        return read_inputs(arguments.inputs, room(compiled.build.program if compiled.known else None))
    return random_inputs(compiled.buckets[-1])


def _named(compiled: Compiled, inputs: Mapping[str, np.ndarray] | np.ndarray) -> Mapping[str, np.ndarray]:
    """Return the inputs of a successful run by name: one array belongs to the only input."""
    names = (name for name, _ in compiled.build.program.inputs if is_given(name))
    return inputs if isinstance(inputs, Mapping) else {next(names): inputs}
