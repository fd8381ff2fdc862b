"""A kernel that does nothing, as an ELF file: the stub toolchain's output for every link.

TTNN's loader wants a 32-bit RISC-V executable with one loadable code segment, one loadable data segment, a symbol
table and a relocation section for the code. Layout after the ELF-32 specification.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

CODE_ADDRESS = 0x49F0  # an address inside every processor's code range
DATA_ADDRESS = 0xFFB006E0  # inside the local data memory, which has the same address in all processors
HEADER_BYTES = 0x100  # ELF header and program headers, rounded up

CODE = struct.pack("<HHHH", 0x4501, 0x0000, 0x8082, 0x0000)  # c.li a0, 0; c.ret, one to a word
DATA = struct.pack("<I", 1)
SYMBOL_NAMES = b"\0_start\0"
SECTION_NAMES = b"\0.text\0.data\0.symtab\0.strtab\0.shstrtab\0.rela.text\0"

LOADABLE, READ_EXECUTE, READ_WRITE = 1, 5, 6
EXECUTABLE_FILE, RISC_V, CURRENT_VERSION, NO_FLAGS = 2, 243, 1, 0
GLOBAL_FUNCTION = 0x12


@dataclass(frozen=True)
class Section:
    """One row of the section table, fields in the order of ELF's `Elf32_Shdr`, and the section's bytes."""

    name: bytes
    type: int
    flags: int = 0
    address: int = 0
    link: int = 0
    info: int = 0
    alignment: int = 1
    entry_size: int = 0
    content: bytes = b""

    def row(self, offset: int) -> bytes:
        name = SECTION_NAMES.index(b"\0" + self.name + b"\0") + 1
        numbers = (self.type, self.flags, self.address, offset, len(self.content))
        return struct.pack("<10I", name, *numbers, self.link, self.info, self.alignment, self.entry_size)


def symbol_table() -> bytes:
    """Return the null symbol and `_start`, a global function in section 1."""
    start = struct.pack("<IIIBBH", SYMBOL_NAMES.index(b"_start"), CODE_ADDRESS, 0, GLOBAL_FUNCTION, 0, 1)
    return bytes(16) + start


SECTIONS = (
    Section(b".text", type=1, flags=6, address=CODE_ADDRESS, alignment=4, content=CODE),
    Section(b".data", type=1, flags=3, address=DATA_ADDRESS, alignment=4, content=DATA),
    Section(b".symtab", type=2, link=4, info=1, alignment=4, entry_size=16, content=symbol_table()),
    Section(b".strtab", type=3, content=SYMBOL_NAMES),
    Section(b".shstrtab", type=3, content=SECTION_NAMES),
    Section(b".rela.text", type=4, flags=0x40, link=3, info=1, alignment=4, entry_size=12),
)


def null_kernel() -> bytes:
    """Return the whole file: headers, each section's bytes on a 16-byte boundary, the section table."""
    body, offsets = b"", []
    for section in SECTIONS:
        offsets.append(HEADER_BYTES + len(body))
        body += section.content + bytes(-len(section.content) % 16)
    rows = [bytes(40), *(section.row(offset) for section, offset in zip(SECTIONS, offsets, strict=True))]
    headers = _file_header(HEADER_BYTES + len(body), len(rows)) + _segments(offsets[0], offsets[1])
    return headers.ljust(HEADER_BYTES, b"\0") + body + b"".join(rows)


def _file_header(section_table: int, rows: int) -> bytes:
    """Return `Elf32_Ehdr`: 52 bytes, followed at once by the two program headers."""
    identity = b"\x7fELF" + bytes([1, 1, CURRENT_VERSION]) + bytes(9)  # 32 bits, little endian
    kind = struct.pack("<HHI", EXECUTABLE_FILE, RISC_V, CURRENT_VERSION)
    places = struct.pack("<IIII", CODE_ADDRESS, 52, section_table, NO_FLAGS)
    return identity + kind + places + struct.pack("<6H", 52, 32, 2, 40, rows, 5)


def _segments(code: int, data: int) -> bytes:
    """Return two `Elf32_Phdr`s; the data is loaded from right behind the code and copied to its address at start."""
    code_size, data_size, load = len(CODE), len(DATA), CODE_ADDRESS + len(CODE)
    return struct.pack(
        "<8I", LOADABLE, code, CODE_ADDRESS, CODE_ADDRESS, code_size, code_size, READ_EXECUTE, 16
    ) + struct.pack("<8I", LOADABLE, data, DATA_ADDRESS, load, data_size, data_size, READ_WRITE, 16)
