"""`ttc compile`: a model into a .ttc artifact."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ttc.commands.arrays import room
from ttc.commands.options import add_json, add_model, compilation, model_file, path
from ttc.commands.output import print_json
from ttc.commands.progress import ProgressLine
from ttc.commands.table import print_table
from ttc.errors import InputError, printable
from ttc.guard.files import check_output, write_bytes
from ttc.guard.npz import read_inputs


def add_arguments(parser: ArgumentParser) -> None:
    """Add the model, the output's path, and stages to show on the way."""
    add_model(parser, by_weight=True)
    parser.add_argument("--inputs", metavar="IN.npz|X.npy", type=path, help="inputs by which --dtype auto chooses")
    parser.add_argument("--min-pcc", metavar="P", type=float, help="correlation that --dtype auto keeps (default 0.99)")
    parser.add_argument("-o", "--output", metavar="OUT.ttc", type=path, help="the artifact to write")
    parser.add_argument("--dump-ir", metavar="DIR", type=path, help="write NN-pass.ttir where a pass changed the text")
    parser.add_argument("--stop-after", metavar="PASS", help="print the text after this pass and write no artifact")
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Compile, then dump, print or save."""
    output: Path | None = arguments.output
    if output is None and arguments.stop_after is None:
        raise InputError("say where to write the artifact: -o OUT.ttc (or --stop-after PASS to see a stage)")
    if output is not None:
        check_output(output, [arguments.model])
    import ttc

    with ProgressLine("compiling") as line:
        options = {**compilation(arguments), "min_pcc": arguments.min_pcc}
        options["inputs"] = read_inputs(arguments.inputs, room(None)) if arguments.inputs else None
        compiled = ttc.compile(model_file(arguments.model), **options, progress=line.step)
        stages = compiled.stages
        if arguments.dump_ir:
            _dump(compiled, arguments.dump_ir)
        if arguments.stop_after or output is None:
            text = compiled.after(arguments.stop_after)
            print_json({"stage": arguments.stop_after, "text": text}) if arguments.json else print(text, end="")
            return 0
        compiled.save(output)
    report = compiled.report
    choice = compiled.choice
    if arguments.json:
        chosen = choice.to_dict() if choice else {}
        print_json({**report.to_dict(), **chosen, "stages": list(stages), "output": str(output)})
    else:
        if choice:
            print_table(("weight", "elements", "dtype", "bytes"), choice.rows())
            print(choice)
        print(f"{report}\nwrote {printable(str(output))}")
    return 0


def _dump(compiled, folder: Path) -> None:
    """Write one file for each stage, numbered in order."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, stage in enumerate(compiled.stages):
        path = folder / f"{number:02}-{stage}.ttir"
        check_output(path, compiled.files)
        write_bytes(path, compiled.dump(stage).encode())
