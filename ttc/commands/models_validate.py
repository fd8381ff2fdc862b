"""`ttc models validate`: a system's stages beside the package's own modules, with lengths, without, and compiled."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING

from ttc.calls.target import TARGETS
from ttc.commands.options import DTYPES, add_json, add_mode, add_system, path
from ttc.commands.output import print_json
from ttc.commands.progress import ProgressLine
from ttc.commands.table import print_table
from ttc.commands.validate import correlation
from ttc.errors import require
from ttc.models.systems.kokoro import Speech

if TYPE_CHECKING:
    from ttc.validation.system import Step

PHONEMES = "həlO"
"""Symbols to speak where none are given."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the system, what is spoken, and how it is compiled and compared."""
    add_system(parser, (Speech.name,))
    parser.add_argument("--phonemes", default=PHONEMES, help=f"IPA symbols to speak (default {PHONEMES})")
    parser.add_argument("--voice", metavar="FILE", type=path, help="a voice pack; a random voice if not given")
    parser.add_argument("--target", default="n150", help=f"the card: {', '.join(TARGETS)} (default n150)")
    parser.add_argument("--dtype", default="bf16", choices=DTYPES, help="numbers on the card (default bf16)")
    parser.add_argument("--device", default="emulator", choices=("emulator", "ttnn"), help="default: the emulator")
    add_mode(parser)
    parser.add_argument(
        "--min-pcc", type=correlation, default=0.99, metavar="PCC",
        help="the least Pearson correlation, of sounds between logarithmic spectrograms (default 0.99)",
    )  # fmt: skip
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Compare and print; return 1 if the compiled stages depart from the package."""
    require("comparing")
    from ttc.models.systems.compile import built_stages, compile_stages
    from ttc.validation.system import Regimes

    system = Speech(arguments.size)
    options = {"phonemes": arguments.phonemes, "voice": arguments.voice}
    given = system.read({name: item for name, item in options.items() if item is not None})
    with ProgressLine("validating") as line:
        built = built_stages(system, arguments.weights, arguments.seed)
        compiled = compile_stages(system, built, arguments.target, arguments.dtype, line.step)
        line.step("running all regimes")
        with ExitStack() as open_sessions:
            sessions = {
                name: open_sessions.enter_context(each.session(arguments.device, arguments.mode))
                for name, each in compiled.items()
            }
            regimes = Regimes(built, compiled, sessions, ("synthesize", "output"))
            system.run(regimes, arguments.seed, **given)
    departures = regimes.departures(arguments.min_pcc)
    ok = departures["compiled"] is None
    if arguments.json:
        first = {regime: step and f"{step.stage}.{step.output}" for regime, step in departures.items()}
        print_json({"ok": ok, "steps": [asdict(step) for step in regimes.steps], "departed": first})
        return 0 if ok else 1
    _print_steps(regimes.steps)
    for regime, step in departures.items():
        print(f"first step that departs {regime}: {f'{step.stage}.{step.output}' if step else 'none'}")
    return 0 if ok else 1


def _print_steps(steps: Sequence[Step]) -> None:
    """Print a line for each output of each stage in each regime."""
    rows = [
        (
            f"{step.stage}.{step.output}",
            step.regime,
            f"{step.pcc:.6f}",
            f"{step.scaled_error:.2e}",
            "" if step.spectrogram is None else f"{step.spectrogram:.6f}",
            "" if step.equal is None else ("equal" if step.equal else "DIFFERENT"),
        )
        for step in steps
    ]
    print_table(("step", "regime", "PCC", "scaled error", "log-spectrogram PCC", "whole numbers"), rows)
