"""`ttc run`: an artifact on a card, or on this machine with the card's number formats."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace

from ttc.commands.arrays import random_inputs, room
from ttc.commands.options import INPUTS, add_mode, artifact_file, path
from ttc.commands.profile import require_profile, write_profile
from ttc.commands.progress import ProgressLine
from ttc.errors import InputError, printable
from ttc.guard.files import check_output
from ttc.guard.npz import read_inputs, write_npz
from ttc.runtime.run.devices import no_card, on_card


def add_arguments(parser: ArgumentParser) -> None:
    """Add the artifact, its inputs, the device."""
    parser.add_argument("artifact", metavar="OUT.ttc", type=path)
    parser.add_argument("--inputs", metavar="IN.npz|X.npy", type=path, help=INPUTS)
    parser.add_argument("--device", choices=("emulator", "ttnn"), help="default: a card if there is one")
    add_mode(parser)
    parser.add_argument("-o", "--output", metavar="OUT.npz", type=path, help="write the outputs here")
    parser.add_argument(
        "--profile", metavar="FILE.csv|FILE.json", type=path, help="write the time of each call here (.json: Perfetto)"
    )


def run(arguments: Namespace) -> int:
    """Run once; print the outputs, or write them."""
    _check_outputs(arguments)
    import ttc

    loaded = ttc.load(artifact_file(arguments.artifact))
    program = loaded.program
    with ProgressLine("running") as line:
        started = time.perf_counter()
        calls = len(program.graph.nodes)
        with loaded.session(arguments.device, arguments.mode, trace=False) as session:  # which there is memory for
            largest = loaded.buckets[-1]
            inputs = read_inputs(arguments.inputs, room(program)) if arguments.inputs else random_inputs(largest)
            outputs = session.run(inputs, lambda index, call, operands, results: line.step(call.mnemonic, calls))
            seconds = time.perf_counter() - started
    for name, array in outputs.items():
        print(printable(f"{name}: {array.dtype}{list(array.shape)}"))
    print(f"ran in {seconds:.2f} s, {_where(arguments)}")
    if arguments.output:
        write_npz(arguments.output, outputs)
        print(printable(f"wrote {arguments.output}"))
    if arguments.profile:
        moments = loaded.profile(inputs, arguments.device)
        write_profile(arguments.profile, moments)
        times = "measured call by call" if on_card(arguments.device) else f"predicted for {program.target}"
        print(printable(f"wrote {arguments.profile}: the times of {len(moments)} calls, {times}"))
    return 0


def _check_outputs(arguments: Namespace) -> None:
    """Check that what is to be written can be, over nothing that is read and not over each other."""
    given = [path for path in (arguments.artifact, arguments.inputs) if path]
    if arguments.output:
        check_output(arguments.output, given)
    if arguments.profile:
        check_output(require_profile(arguments.profile), given)
        if arguments.output and arguments.profile.resolve() == arguments.output.resolve():
            raise InputError(f"{arguments.profile} is to hold the outputs and the profile: give them two names")


def _where(arguments: Namespace) -> str:
    """Describe the device that ran the program, and why where the user named none."""
    if on_card(arguments.device):
        return "on a card, call by call"
    emulated = f"emulated on this CPU, mode {arguments.mode}"
    return emulated if arguments.device else f"{emulated}: {no_card()}"
