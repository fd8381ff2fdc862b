"""Each source file that is mutated has tests that are asked about its mutants."""

from tests.mutants.__main__ import ROOT
from tests.mutants.mutations import files
from tests.mutants.narrow import ALSO, FOLDERS, narrow_tests


def test_each_file_has_narrow_tests():
    assert [path for path in files(ROOT) if "def " in (ROOT / path).read_text() and not narrow_tests(path, ROOT)] == []


def test_files_and_tests_that_are_named_exist():
    named = [*ALSO, *FOLDERS, *(test for tests in (*ALSO.values(), *FOLDERS.values()) for test in tests)]
    assert [path for path in named if not (ROOT / path).exists()] == []
