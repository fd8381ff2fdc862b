"""The search for a Python with `ttnn`, whose wheels exist for fewer versions than ttc runs on."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from ttc.errors import InputError, TtcError

PACKAGE = Path(__file__).resolve().parents[2]
"""The directory of the package ttc."""

STATED = "TTC_TTNN_PYTHON"
"""The variable that names a Python with ttnn."""

START = """
import importlib.util, runpy, sys
package, module = sys.argv[1], sys.argv[2]
del sys.argv[1:3]
spec = importlib.util.spec_from_file_location("ttc", package + "/__init__.py", submodule_search_locations=[package])
sys.modules["ttc"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["ttc"])
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""
# The package alone is brought over: the packages installed beside it are for another version of Python.


WHEELS = ((3, 10), (3, 12))
"""The versions of Python that ttnn has wheels for."""


def get_ttnn() -> str:
    """Advise how this Python gets ttnn, or that no wheel is for this version."""
    if sys.version_info[:2] in WHEELS:
        return "pip install 'tt-compile[ttnn]'"
    here = ".".join(map(str, sys.version_info[:2]))
    return f"it is Python {here}, and ttnn has wheels for 3.10 and 3.12 alone: use one of those"


def ttnn_interpreter() -> str:
    """Find a Python with ttnn: this one, else `$TTC_TTNN_PYTHON`, else what `make test` set up in a source tree.

    InputError if the variable names none; TtcError, saying what to do, if there is no such Python.
    """
    found = importlib.util.find_spec("ttnn")
    if found is not None and found.origin:
        return sys.executable
    stated = os.environ.get(STATED)
    if stated:
        if not os.access(stated, os.X_OK):
            raise InputError(f"{STATED} is {stated}, which is no program")
        return stated
    root = PACKAGE.parent
    made = root / ".venv-ttnn" / "bin" / "python"
    if (root / "pyproject.toml").is_file() and made.exists():
        return str(made)
    raise TtcError(
        "checking needs the real ttnn, and no Python here has it: install tt-compile[ttnn] on Python 3.10 or 3.12 "
        f"and set {STATED} to that Python, or run `make test` once in ttc's source tree"
    )


def command(python: str, module: str, *arguments: str) -> list[str]:
    """Build the command line that runs one of ttc's modules with another Python."""
    return [python, "-c", START, str(PACKAGE), module, *arguments]


def surroundings(python: str) -> dict[str, str]:
    """Build the environment for `command`: without a PYTHONPATH that was meant for this Python."""
    return {name: text for name, text in os.environ.items() if name != "PYTHONPATH" or python == sys.executable}


def cannot_start(python: str, error: OSError) -> TtcError:
    """Return the error for a Python that the system does not start, in the system's own words."""
    return TtcError(f"{python} cannot be started: {str(error.strerror).lower()}")
