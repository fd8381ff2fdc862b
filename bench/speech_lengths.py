"""Texts of 3 and of 300 phonemes in one bucket, at the published size: padding never changes the sound.

    python -m bench.speech_lengths [--phonemes N ...]

Both are spoken in fp32 by the programs of the largest buckets alone, and beside the package's own modules at the true
lengths. The table in docs/systems.md is written by hand from here: the longest text takes minutes.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bench.speech_beside import LEAST
from bench.speech_inputs import LETTERS
from bench.speech_programs import Programs
from ttc.models.systems.kokoro import Speech
from ttc.validation.accuracy import pcc
from ttc.validation.system import exact_transforms, spectrogram_pcc

PHONEMES = (3, 300)


class Largest(Speech):
    """Kokoro with the largest bucket of each length, and one that is too small for any text."""

    @property
    def lengths(self) -> Mapping[str, tuple[int, ...]]:
        return {name: (4, sizes[-1]) for name, sizes in super().lengths.items()}


@dataclass(frozen=True)
class Spoken:
    """How close one text is to the package's own sound."""

    phonemes: int
    seconds: float
    itself: float
    samples: float
    spectrograms: float
    exact: float
    same: bool

    @property
    def good(self) -> bool:
        """Return whether the sound is as long as the package's, and the spectrograms correlate as they must."""
        least = LEAST["fp32"]
        return self.same and self.spectrograms >= min(least, self.itself) and self.exact >= min(least, self.itself)

    def __str__(self) -> str:
        figures = f"{self.itself:.7f} | {self.samples:.5f} | {self.spectrograms:.7f} | {self.exact:.7f}"
        return f"| {self.phonemes} | {self.seconds:.2f} s | {figures} | {'yes' if self.same else 'no'} |"


def spoken(counts: tuple[int, ...]) -> Iterator[Spoken]:
    """Yield each text's closeness; the programs are those of one bucket for all."""
    system = Largest()
    programs = Programs(system)
    package, random = programs.package(), np.random.default_rng(0)
    with programs.chain("fp32").session("emulator") as session:
        for count in counts:
            phonemes = "".join(random.choice(LETTERS, count))
            wanted = system.run(package, 0, phonemes=phonemes)
            with exact_transforms():
                exact = system.run(package, 0, phonemes=phonemes)
            found = system.run(session, 0, phonemes=phonemes)
            same = found.shape == wanted.shape
            yield Spoken(
                count,
                len(wanted) / system.rate,
                spectrogram_pcc(exact, wanted),
                pcc(found, wanted) if same else 0.0,
                spectrogram_pcc(found, wanted),
                spectrogram_pcc(found, exact),
                same,
            )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.speech_lengths", description=__doc__)
    parser.add_argument("--phonemes", nargs="+", type=int, default=PHONEMES, help="lengths of the texts")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # the packages' own
    good = True
    for row in spoken(tuple(options.phonemes)):
        print(row, flush=True)
        good = good and row.good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
