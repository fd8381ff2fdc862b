"""Sizes at which a model's own code does something else than at those at which the model is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import gcd

from ttc.errors import InputError, TtcError
from ttc.ir.lengths import size_words
from ttc.runtime.run.buckets import Sizes
from ttc.sources.source import Source


@dataclass(frozen=True)
class Code:
    """Tries the code of a source at sizes beside all those at which the model is `read`, each of the same lengths."""

    source: Source
    read: Sequence[Sizes]
    progress: Callable[[str], None]

    @cached_property
    def least(self) -> Sizes:
        """Return the smallest size of each length at which the code does the same, where that is not so at all sizes.

        The others are each as long as may be, then each as short: code may compare lengths, or count their product.
        """
        least = {name: min(self._sizes(name)) for name in self.read[0]}
        for name in least:
            least[name] = self._least(name, least)
        return {name: size for name, size in least.items() if size > gcd(*self._sizes(name))}

    def require_any_equal(self) -> None:
        """Require code that does the same where two lengths are equal, if these may be; InputError otherwise."""
        longest = {name: max(self._sizes(name)) for name in self.read[0]}
        for pair in combinations(longest, 2):
            size = min(longest[name] for name in pair)
            may_be = all(size >= self.least.get(name, 0) for name in pair)
            if may_be and self._same({**longest, **dict.fromkeys(pair, size)}) is False:
                both = " and ".join(pair)
                raise InputError(
                    f"the model's code does something else where {both} are equal ({size}) than where they are not: "
                    "give both one name, or one of them a single size"
                )

    def _sizes(self, name: str) -> set[int]:
        return {sizes[name] for sizes in self.read}

    def _least(self, name: str, least: Sizes) -> int:
        """Return the smallest size of one length at which the code does the same, whatever the others are.

        Sizes are tried in steps that divide all sizes read: one step, then by bisection.
        """
        sizes = self._sizes(name)
        step = gcd(*sizes)
        longest = {other: max(self._sizes(other)) for other in least}
        corners = [longest, least] if len(least) > 1 else [longest]

        def same(steps: int) -> bool:
            return all(self._same({**corner, name: steps * step}) for corner in corners)

        differs, most = 1, min(sizes) // step
        if most == 1 or same(1):
            return step
        while most - differs > 1:
            tried = (differs + most) // 2
            differs, most = (differs, tried) if same(tried) else (tried, most)
        return most * step

    def _same(self, sizes: Sizes) -> bool | None:
        """Return whether the code does the same at these sizes; None where the model does not take them."""
        if sizes in self.read:
            return True
        self.progress(f"tracing the model at {size_words(sizes)}")
        try:
            return self.source.same_code(sizes, self.read)
        except TtcError:
            return None
