"""`ttc models run`: a system of models, from text or sound to a WAV file, and what each stage took."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

import numpy as np

from ttc.calls.target import TARGETS
from ttc.commands.options import DTYPES, add_json, add_mode, add_system, path
from ttc.commands.output import print_json
from ttc.commands.progress import ProgressLine
from ttc.commands.stage_table import pace, print_stages, stage_rows
from ttc.compiled.chain import Chain
from ttc.errors import InputError, printable
from ttc.guard.files import check_output, writing
from ttc.models.systems import SYSTEMS, system_named
from ttc.models.systems.audio import write_wav
from ttc.models.systems.system import System

FILES = {
    "source": ("IN.wav", "the recording whose words are spoken"),
    "reference": ("IN.wav", "a recording of the voice that speaks"),
    "voice": (
        "FILE",
        "a voice pack, a speaker's embedding (.npz, .npy, .safetensors, .pt) or prompt (.npz)",
    ),
    "tokenizer": ("DIR", "the files of the model's tokenizer, for --text"),
    "base": ("DIR", "openvoice's base speakers: config.json, which has symbols and speakers, and checkpoint.pth"),
}
WORDS = {
    "phonemes": "IPA symbols to speak",
    "tokens": "tokens to speak: whole numbers with spaces or commas between",
    "speaker": "the speaker of openvoice's speech: a name or a number of the base speakers (default 0)",
    "text": "words to speak, where the package that makes phonemes, or a tokenizer, is there",
}
"""Options for the files and the text that systems are given."""

NUMBERS = {
    "seconds": (float, "the longest speech"),
    "temperature": (float, "draw tokens, of logits divided by this number; the most likely tokens if not given"),
    "top-k": (int, "draw among so many most likely tokens"),
    "top-p": (float, "draw among the most likely tokens that together have this probability"),
}
"""Options for how a speech is generated."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the system, what it is given, and how it is compiled and run."""
    add_system(parser, SYSTEMS)
    for name, (kind, meaning) in FILES.items():
        parser.add_argument(f"--{name}", metavar=kind, type=path, help=meaning)
    for name, meaning in WORDS.items():
        parser.add_argument(f"--{name}", help=meaning)
    for name, (kind, meaning) in NUMBERS.items():
        parser.add_argument(f"--{name}", metavar="N", type=kind, help=meaning)
    parser.add_argument("-o", "--output", metavar="OUT.wav", type=path, required=True, help="the sound to write")
    parser.add_argument("--compiled", metavar="DIR", type=path, help="load programs from here, or save them here")
    parser.add_argument("--target", help=f"the card: {', '.join(TARGETS)} (default n150)")
    parser.add_argument("--dtype", choices=DTYPES, help="numbers on the card (default bf16)")
    parser.add_argument("--device", choices=("emulator", "ttnn"), help="default: a card if there is one")
    add_mode(parser)
    parser.add_argument("--plot", metavar="OUT.png", type=path, help="draw the spectrogram of the sound")
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Compile or load the system, run it, write the sound and tell what each stage took."""
    names = [name.replace("-", "_") for name in (*FILES, *WORDS, *NUMBERS)]
    options = {name: option for name in names if (option := getattr(arguments, name)) is not None}
    system = system_named(arguments.system).asked(arguments.size, options)
    _check_files(arguments)
    given = system.read(options)
    with ProgressLine(arguments.system) as line:
        chain = _chain(system, arguments, line)
        with chain.session(arguments.device, arguments.mode) as session:
            line.step("running")
            samples = system.run(session, arguments.seed, **given)
            rows = stage_rows(session.runs)
    _write(arguments, samples, system.rate)
    seconds = len(samples) / system.rate
    if arguments.json:
        print_json({"ok": True, "output": str(arguments.output), "seconds": seconds, "rate": system.rate,
                    **pace(rows, seconds), "stages": rows})  # fmt: skip
        return 0
    print_stages(rows, seconds)
    print(printable(f"wrote {arguments.output}: {seconds:.2f} s"))
    return 0


def _check_files(arguments: Namespace) -> None:
    """Require that what is to be written can be."""
    inputs = [item for name in (*FILES, "weights") if (item := getattr(arguments, name))]
    for output, ending, kind in ((arguments.output, ".wav", "the sound"), (arguments.plot, ".png", "the picture")):
        if output is None:
            continue
        if output.suffix.lower() != ending:
            raise InputError(f"{kind} is written as {ending[1:].upper()}: {output} does not end in {ending}")
        check_output(output, inputs)
    if arguments.plot and arguments.plot.resolve() == arguments.output.resolve():
        raise InputError(f"{arguments.plot} is to hold the sound and its picture: give them two names")


def _chain(system: System, arguments: Namespace, line: ProgressLine) -> Chain:
    """Load the system's programs from a folder, or compile them, and save them where a new or empty one is named."""
    folder: Path | None = arguments.compiled
    if folder is not None and folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        chain = system.load(folder)
        _require_asked(chain, arguments)
        return chain
    target, dtype = arguments.target or "n150", arguments.dtype or "bf16"
    chain = system.pipeline(target, dtype, arguments.weights, line.step, arguments.seed)
    if folder is not None:
        chain.save(folder, line.step)
    return chain


def _require_asked(chain: Chain, arguments: Namespace) -> None:
    """Require that loaded programs are those that the options ask for."""
    program = list(chain.stages.values())[-1].program  # stages before may decide, in fp32
    for option, found in (("target", program.target), ("dtype", program.dtype)):
        if (asked := getattr(arguments, option)) not in (None, found):
            raise InputError(
                f"{arguments.compiled} was compiled with --{option} {found}, not {asked}: name another folder"
            )
    if arguments.weights:
        raise InputError(f"{arguments.compiled} has its own weights: name another folder for {arguments.weights}")


def _write(arguments: Namespace, samples: np.ndarray, rate: int) -> None:
    with writing(arguments.output) as file:
        write_wav(file, samples, rate)
    if arguments.plot:
        from ttc.models.systems.plot import plot_spectrogram

        with writing(arguments.plot) as file:
            plot_spectrogram(file, samples, rate)
