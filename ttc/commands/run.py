"""`ttc run`: an artifact on a card, or on this machine with the card's number formats."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace

from ttc.commands.arrays import random_inputs, room
from ttc.commands.npz import read_inputs, write_npz
from ttc.commands.options import INPUTS, add_mode, artifact_file, path
from ttc.commands.progress import ProgressLine
from ttc.errors import printable
from ttc.guard.files import check_output
from ttc.runtime.run.devices import no_card, on_card


def add_arguments(parser: ArgumentParser) -> None:
    """Add the artifact, its inputs, the device."""
    parser.add_argument("artifact", metavar="OUT.ttc", type=path)
    parser.add_argument("--inputs", metavar="IN.npz|X.npy", type=path, help=INPUTS)
    parser.add_argument("--device", choices=("emulator", "ttnn"), help="default: a card if there is one")
    add_mode(parser)
    parser.add_argument("-o", "--output", metavar="OUT.npz", type=path, help="write the outputs here")


def run(arguments: Namespace) -> int:
    """Run once; print the outputs, or write them."""
    if arguments.output:
        check_output(arguments.output, [path for path in (arguments.artifact, arguments.inputs) if path])
    import ttc

    loaded = ttc.load(artifact_file(arguments.artifact))
    program = loaded.program
    with ProgressLine("running") as line:
        started = time.perf_counter()
        session = loaded.session(arguments.device, arguments.mode, trace=False)
        inputs = read_inputs(arguments.inputs, room(program)) if arguments.inputs else random_inputs(loaded.buckets[-1])
        calls = len(program.graph.nodes)
        outputs = session.run(inputs, lambda index, call, operands, results: line.step(call.mnemonic, calls))
        seconds = time.perf_counter() - started
    for name, array in outputs.items():
        print(printable(f"{name}: {array.dtype}{list(array.shape)}"))
    print(f"ran in {seconds:.2f} s, {_where(arguments)}")
    if arguments.output:
        write_npz(arguments.output, outputs)
        print(printable(f"wrote {arguments.output}"))
    return 0


def _where(arguments: Namespace) -> str:
    """Describe the device that ran the program, and why where the user named none."""
    if on_card(arguments.device):
        return "on a card, call by call"
    emulated = f"emulated on this CPU, mode {arguments.mode}"
    return emulated if arguments.device else f"{emulated}: {no_card()}"
