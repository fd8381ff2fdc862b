"""The version of ttc, for the package and for the artifacts that it writes, and those of other packages."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

VERSION = "0.1.0"


def version_of(package: str) -> str | None:
    """Return the version of an installed package; None for one that is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
