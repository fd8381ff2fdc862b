"""`.pt2` files, read as data: the contents are checked before torch sees them, and no code in a file runs.

A file is a zip archive of JSON and raw numbers, but also of pickles, expressions that torch evaluates, names that
torch looks up and imports, and sources that torch compiles. `open_file` takes the first two, checks the names and
expressions against small grammars, and leaves the rest alone.
"""

from ttc.frontend.archive.opening import open_file, reading

__all__ = ["open_file", "reading"]
