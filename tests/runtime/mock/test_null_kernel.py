import struct

from ttc.runtime.mock.null_kernel import CODE, CODE_ADDRESS, DATA, SECTION_NAMES, null_kernel


def test_it_is_a_small_riscv_executable():
    elf = null_kernel()
    assert elf[:7] == b"\x7fELF\x01\x01\x01"
    kind, machine, _, entry = struct.unpack_from("<HHII", elf, 16)
    assert (kind, machine, entry) == (2, 243, CODE_ADDRESS)
    assert len(elf) < 1024


def test_its_segments_and_sections_say_where_code_and_data_are():
    elf = null_kernel()
    segments_at, sections_at = struct.unpack_from("<II", elf, 28)
    count, names = struct.unpack_from("<HH", elf, 48)
    segments = [struct.unpack_from("<8I", elf, segments_at + 32 * i) for i in range(2)]
    assert [elf[at : at + size] for _, at, _, _, size, *_ in segments] == [CODE, DATA]
    rows = [struct.unpack_from("<10I", elf, sections_at + 40 * i) for i in range(count)]
    assert rows[0] == (0,) * 10
    strings = elf[rows[names][4] :][: rows[names][5]]
    assert strings == SECTION_NAMES
    found = {strings[row[0] :].split(b"\0")[0]: elf[row[4] : row[4] + row[5]] for row in rows[1:]}
    assert list(found) == [b".text", b".data", b".symtab", b".strtab", b".shstrtab", b".rela.text"]
    assert (found[b".text"], found[b".data"], found[b".rela.text"]) == (CODE, DATA, b"")
    assert found[b".strtab"] == b"\0_start\0"
