"""A choice of dtypes of weights: data that a second compile repeats, and a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ttc.ir import DType

FORMATS = (DType.bf16, DType.bfp8, DType.bfp4)
"""Dtypes that weights of products and convolutions may be stored in, the widest first."""


@dataclass(frozen=True)
class Choice:
    """The dtype of each weight that is not bf16, and the least correlation of an output with fp32's, as measured.

    `elements` counts those of all weights of products and convolutions, by name.
    """

    dtypes: Mapping[str, DType]
    elements: Mapping[str, int]
    pcc: float

    def dtype(self, name: str) -> DType:
        """Return the dtype of a weight."""
        return self.dtypes.get(name, DType.bf16)

    @property
    def bytes(self) -> int:
        """Return the bytes of the weights, tiles' padding not counted."""
        return int(sum(count * self.dtype(name).bytes for name, count in self.elements.items()))

    @property
    def share(self) -> float:
        """Return the bytes as a part of those in bf16."""
        return self.bytes / (DType.bf16.bytes * sum(self.elements.values()))

    def to_dict(self) -> dict[str, Any]:
        """Return the choice as JSON values; `weight_dtypes` is what a second compile takes."""
        return {
            "weight_dtypes": {name: str(self.dtype(name)) for name in self.elements},
            "pcc": self.pcc,
            "weight_bytes": self.bytes,
            "share_of_bf16": self.share,
        }

    def rows(self) -> list[tuple[str, str, str, str]]:
        """List each weight: name, elements, dtype, bytes."""
        return [
            (name, f"{count:,}", str(self.dtype(name)), f"{int(count * self.dtype(name).bytes):,}")
            for name, count in self.elements.items()
        ]

    def __str__(self) -> str:
        """Return what was chosen in a sentence."""
        counts = (f"{sum(self.dtype(name) is dtype for name in self.elements)} in {dtype}" for dtype in FORMATS)
        return f"weights: {', '.join(counts)}; {self.share:.2f} of bf16's bytes, correlation {self.pcc:.5f}"
