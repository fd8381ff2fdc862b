"""Runtime root of a mock process: TTNN's own files by link, and a compiler that compiles nothing.

TTNN compiles its kernels when an op first runs, with the RISC-V g++ of the `sfpi` toolchain, which TTNN looks for in
`<runtime root>/runtime/sfpi`. A mock card never starts a kernel, so a shell script stands in for the compiler: the
script writes empty objects and links everything to one kernel that does nothing.
"""

from __future__ import annotations

import re
from pathlib import Path

from ttc.errors import TtcError
from ttc.runtime.mock.null_kernel import null_kernel

BIN = "runtime/sfpi/compiler/bin"
LINKED = ("tt_metal", "ttnn", "runtime/hw")
"""Parts of the package that TTNN reads through its runtime root."""

COMPILER = """#!/bin/sh
# Stands in for riscv-tt-elf-g++ on a mock card: objects are empty, every link gives the kernel that does nothing.
[ "$1" = --version ] && { echo "riscv-tt-elf-g++ @VERSION@"; exit 0; }
compile= output= dependencies= source=
while [ $# -gt 0 ]; do
  case "$1" in
    -o) output=$2; shift ;;
    -MF) dependencies=$2; shift ;;
    -c | -x) compile=yes ;;
    *.cc | *.cpp | *.h) source=$1 ;;
  esac
  shift
done
[ -z "$compile" ] && exec cat "${0%/*}/null.elf" > "$output"
: > "$output"
echo "$output: $source" > "${dependencies:-${output%%.*}.d}"
"""


def compiler_version(package: Path) -> str:
    """Return the compiler that built the package's own firmware, `(who) x.y.z`, as noted in that firmware.

    With the same version TTNN takes that firmware instead of building its own. TtcError if the package has no
    firmware.
    """
    for firmware in sorted(package.glob("tt_metal/pre-compiled/*/brisc/brisc.elf")):
        found = re.search(rb"GCC: (\([^)]*\) \d+\.\d+\.\d+)", firmware.read_bytes())
        if found:
            return found[1].decode()
    raise TtcError(f"the ttnn package in {package} has no firmware: this is not the wheel that ttc knows")


def compiler_script(package: Path) -> str:
    """Return the stub compiler for this package."""
    return COMPILER.replace("@VERSION@", compiler_version(package))


def make_runtime_root(package: Path, root: Path) -> None:
    """Fill the empty directory `root` for the ttnn package directory `package`."""
    (root / BIN).mkdir(parents=True)
    for name in LINKED:
        (root / name).symlink_to(package / name)
    (root / BIN / "null.elf").write_bytes(null_kernel())
    compiler = root / BIN / "riscv-tt-elf-g++"
    compiler.write_text(compiler_script(package))
    compiler.chmod(0o755)
