"""Mutants that change nothing, and why: (file, the lines taken out, the lines put in)."""

from __future__ import annotations

EQUIVALENT: dict[tuple[str, str, str], str] = {}
