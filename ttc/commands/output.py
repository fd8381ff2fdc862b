"""Output of commands for programs: one JSON object on stdout, whatever the outcome."""

from __future__ import annotations

import json
from typing import Any

from ttc.errors import Refused


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object on stdout."""
    print(json.dumps(value))


def failure(error: BaseException, sentence: str) -> dict[str, Any]:
    """Return an error as JSON values: its sentence, and of a refused model every reason with its place."""
    found: dict[str, Any] = {"ok": False, "error": sentence}
    if isinstance(error, Refused):
        found["refused"] = [
            {"reason": reason, "count": len(nodes), "nodes": nodes} for reason, nodes in error.by_reason().items()
        ]
        found["advice"] = list(error.advice)
    return found
