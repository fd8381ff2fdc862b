"""Environment variables of a mock process, and the directory in the user's cache that they point to."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from ttc.calls.target import target_named
from ttc.errors import TtcError
from ttc.runtime.check.interpreter import get_ttnn
from ttc.runtime.mock.null_kernel import null_kernel
from ttc.runtime.mock.toolchain import compiler_script, make_runtime_root

MOCK_CARD = "TT_METAL_MOCK_CLUSTER_DESC_PATH"
"""Variable that makes TTNN open a mock card; its value is the path of a cluster descriptor."""

CARDS = Path(__file__).parent / "cards"
QUIET = {"TT_METAL_LOGGER_LEVEL": "OFF", "TT_METAL_DISABLE_BACKTRACE": "1", "LOGURU_LEVEL": "ERROR"}


def environment(target: str) -> dict[str, str]:
    """Return the variables to put into `os.environ` before `import ttnn` so that TTNN opens a mock `target`.

    Only for an interpreter that has ttnn. The first call for a ttnn version makes the runtime root in the user's
    cache directory. InputError for an unknown target, TtcError without ttnn or a place to write.
    """
    return environment_of(CARDS / f"{target_named(target).name}.yaml")


def environment_of(descriptor: Path) -> dict[str, str]:
    """Return the variables as `environment` does, for the mock card of a cluster descriptor."""
    home = kit_directory(ttnn_package())
    return {
        "TT_METAL_RUNTIME_ROOT": str(home / "root"),
        "TT_METAL_CACHE": str(home / "kernels"),  # a cache of its own: the stub's kernels must not pass for real ones
        "TT_METAL_LOGS_PATH": str(home / "logs"),
        MOCK_CARD: str(descriptor.resolve()),
        **QUIET,
    }


def ttnn_package() -> Path:
    """Return the directory of the ttnn package of this interpreter, without importing it."""
    found = importlib.util.find_spec("ttnn")
    if found is None or not found.origin:
        raise TtcError(f"this Python has no ttnn: {get_ttnn()}")
    return Path(found.origin).resolve().parent


def kit_directory(package: Path) -> Path:
    """Return the kit for this package, made if missing; the name changes with the kit's sources."""
    made_of = f"{importlib.metadata.version('ttnn')} {package} {compiler_script(package)}".encode() + null_kernel()
    home = cache_directory() / f"mock-{hashlib.sha256(made_of).hexdigest()[:16]}"
    try:
        if not (home / "root").is_dir():
            _make(package, home)
    except OSError as error:
        raise TtcError(f"cannot write {home}: {error.strerror}; XDG_CACHE_HOME may name another place") from None
    return home


def cache_directory() -> Path:
    """Return ttc's directory in the user's cache: `$XDG_CACHE_HOME/ttc`, by default `~/.cache/ttc`.

    TtcError for a user without a home.
    """
    stated = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(stated) if stated else Path.home() / ".cache") / "ttc"
    except RuntimeError:
        raise TtcError("this user has no home directory: XDG_CACHE_HOME may name a place for the cache") from None


def _make(package: Path, home: Path) -> None:
    """Make the root aside and move it in place, so that no process ever sees half of one."""
    home.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=home))
    make_runtime_root(package, draft)
    try:
        draft.rename(home / "root")
    except OSError:
        if not (home / "root").is_dir():
            raise
        shutil.rmtree(draft)  # another process was faster
