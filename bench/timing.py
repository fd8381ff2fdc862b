"""Timing two or more things fairly: in turns, several rounds after a warm-up, medians and ratios."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Row:
    """One comparison: seconds by contender, medians over the rounds; the first contender is ttc."""

    what: str
    seconds: Mapping[str, float]

    def ratios(self) -> dict[str, float]:
        """ttc's time over each other contender's."""
        ours, *others = self.seconds.items()
        return {name: ours[1] / theirs for name, theirs in others}


def compare(what: str, contenders: Mapping[str, Callable[[], object]], rounds: int = 5) -> Row:
    """Run all contenders in turn, `rounds` times after one uncounted round."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for round in range(rounds + 1):
        for name, run in contenders.items():
            started = time.perf_counter()
            run()
            if round:
                times[name].append(time.perf_counter() - started)
    return Row(what, {name: median(found) for name, found in times.items()})
