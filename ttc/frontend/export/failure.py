"""Reasons why torch.export fails, in a user's words: the error, the line of the model's own code, and a remedy."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

import torch

OTHERS = (
    f"{Path(torch.__file__).parent}/",
    f"{Path(__file__).parents[2]}/",
    f"{sysconfig.get_path('stdlib')}/contextlib.py",  # what runs a function under a decorator
)
"""Folders of code that is not the model's."""

HINTS = {
    "not a known type": "it returns an object that torch.export does not know; a Hugging Face model returns its cache: "
    'give it use_cache=False, as in kwargs={"use_cache": False}, or set model.config.use_cache = False',
    "data-dependent": "what the model does there depends on the value of a tensor, which is not known when compiling: "
    "use torch.where for a choice, and a Python number for a size",
}
"""Remedies, by the text that torch's messages have in common."""


def why_not(error: Exception) -> str:
    """Return one sentence: the error's first line, the model's own line that raised the error, and a known remedy."""
    hint = next((hint for sign, hint in HINTS.items() if sign in str(error)), "")
    return first_line(error) + own_line(error) + (f"; {hint}" if hint else "")


def first_line(error: Exception) -> str:
    """Return the first line of another library's error, and the error's kind."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def own_line(error: Exception) -> str:
    """Return the place in the model's own code where an error arose, as text to append; "" if there is none."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith((*OTHERS, "<"))]
    if not own:
        return ""
    code = f": {own[-1].line}" if own[-1].line else ""
    return f" (at {own[-1].filename}:{own[-1].lineno}, in {own[-1].name}{code})"
