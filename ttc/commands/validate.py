"""`ttc validate`: a compiled model against its own framework."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ttc.commands.arrays import random_bucket_inputs, random_inputs, read_npz
from ttc.commands.options import add_json, add_mode, add_model, compilation, existing, print_json
from ttc.commands.progress import ProgressBar
from ttc.errors import InputError


def add_arguments(parser: ArgumentParser) -> None:
    """The model, its inputs, what is asked."""
    add_model(parser)
    parser.add_argument("--inputs", metavar="IN.npz", type=Path, help="arrays by input name; random ones if not given")
    add_mode(parser)
    parser.add_argument("--per-op", action="store_true", help="compare op by op and name the first that departs")
    parser.add_argument("--min-pcc", type=float, default=0.99, help="the least Pearson correlation (default 0.99)")
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Compare and print; 1 if an output's correlation is below what is asked."""
    import ttc
    from ttc.buckets import Bucketed
    from ttc.validation import compare_ops, compare_outputs, first_departure, reference

    path = existing(arguments.model)
    with ProgressBar("validating") as bar:
        compiled = ttc.compile(path, **compilation(arguments), progress=bar.step)
        build = compiled.build
        buckets = compiled.buckets if isinstance(compiled, Bucketed) else ()
        if buckets and arguments.per_op:
            raise InputError("op by op only one length can be compared: --length NAME=N")
        if arguments.inputs:
            inputs = read_npz(arguments.inputs)
        else:
            inputs = random_bucket_inputs(buckets[-1]) if buckets else random_inputs(build.program)
        bar.step("running both")
        outputs = compare_outputs(compiled.run(inputs, "emulator", arguments.mode), reference(path, inputs))
        steps = list(compare_ops(build, inputs, arguments.mode)) if arguments.per_op else []
    departed = first_departure(steps, arguments.min_pcc)
    ok = all(output.pcc >= arguments.min_pcc for output in outputs)
    if arguments.json:
        found = {"ok": ok, "mode": arguments.mode, "outputs": [asdict(output) for output in outputs]}
        if arguments.per_op:
            found |= {"ops": [asdict(step) for step in steps], "departed": departed.name if departed else None}
        print_json(found)
        return 0 if ok else 1
    _print_table([*steps, *outputs])
    if arguments.per_op:
        print(f"first op below {arguments.min_pcc}: {departed.name if departed else 'none'}")
    print(f"{'agrees' if ok else 'DIFFERS'} (PCC >= {arguments.min_pcc} asked, mode {arguments.mode})")
    return 0 if ok else 1


def _print_table(comparisons: list) -> None:
    table = Table("value", "PCC", "scaled error")
    for comparison in comparisons:
        table.add_row(comparison.name, f"{comparison.pcc:.6f}", f"{comparison.scaled_error:.2e}")
    Console().print(table)
