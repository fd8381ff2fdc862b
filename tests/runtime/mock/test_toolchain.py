import subprocess
from pathlib import Path

import pytest

from ttc.errors import TtcError
from ttc.runtime.mock.null_kernel import null_kernel
from ttc.runtime.mock.toolchain import BIN, compiler_version, make_runtime_root


@pytest.fixture
def package(tmp_path) -> Path:
    """What of a ttnn package the kit looks at."""
    package = tmp_path / "ttnn"
    firmware = package / "tt_metal" / "pre-compiled" / "0123" / "brisc" / "brisc.elf"
    firmware.parent.mkdir(parents=True)
    firmware.write_bytes(b"\x7fELF...GCC: (tenstorrent/sfpi:7.1.0[3]) 15.1.0\0...")
    (package / "ttnn").mkdir()
    (package / "runtime" / "hw").mkdir(parents=True)
    return package


@pytest.fixture
def compiler(package, tmp_path) -> Path:
    make_runtime_root(package, tmp_path / "root")
    return tmp_path / "root" / BIN / "riscv-tt-elf-g++"


def run(compiler: Path, *arguments: str) -> str:
    said = subprocess.run([compiler, *arguments], capture_output=True, text=True, check=True, cwd=compiler.parents[5])
    return said.stdout


def test_the_stub_has_the_version_of_the_firmware(package, compiler):
    assert compiler_version(package) == "(tenstorrent/sfpi:7.1.0[3]) 15.1.0"
    assert run(compiler, "--version") == "riscv-tt-elf-g++ (tenstorrent/sfpi:7.1.0[3]) 15.1.0\n"


def test_compiling_gives_an_empty_object_and_its_dependencies(compiler, tmp_path):
    run(compiler, "-O2", "-c", "-o", "kernel.o", "kernel.cc")
    assert (tmp_path / "kernel.o").read_bytes() == b""
    assert (tmp_path / "kernel.d").read_text() == "kernel.o: kernel.cc\n"
    run(compiler, "-x", "c++-header", "all.h", "-MF", "said.d", "-o", "all.pch")
    assert (tmp_path / "said.d").read_text() == "all.pch: all.h\n"


def test_linking_gives_the_kernel_that_does_nothing(compiler, tmp_path):
    run(compiler, "-Tkernel.ld", "kernel.o", "-o", "kernel.elf")
    assert (tmp_path / "kernel.elf").read_bytes() == null_kernel()


def test_the_root_links_to_the_package_and_leaves_it_alone(package, compiler, tmp_path):
    root = tmp_path / "root"
    assert (root / "tt_metal").resolve() == package / "tt_metal"
    assert (root / "runtime" / "hw").resolve() == package / "runtime" / "hw"
    assert not (package / "runtime" / "sfpi").exists()


def test_a_package_without_firmware_is_refused(tmp_path):
    with pytest.raises(TtcError, match="has no firmware"):
        compiler_version(tmp_path)
