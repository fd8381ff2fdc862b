import subprocess
import sys
from types import SimpleNamespace

import pytest

from ttc.errors import InputError, TtcError
from ttc.runtime.check import interpreter
from ttc.runtime.check.interpreter import STATED, command, surroundings, ttnn_interpreter


@pytest.fixture
def without_ttnn(monkeypatch, tmp_path):
    """This Python without ttnn, in a source tree that has no environment yet."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.delenv(STATED, raising=False)
    monkeypatch.setattr(interpreter, "PACKAGE", tmp_path / "ttc")
    return tmp_path


def test_this_python_comes_first(without_ttnn, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: SimpleNamespace(origin="/x/ttnn/__init__.py"))
    monkeypatch.setenv(STATED, "/bin/sh")
    assert ttnn_interpreter() == sys.executable


def test_a_folder_called_ttnn_is_not_ttnn(without_ttnn, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: SimpleNamespace(origin=None))
    monkeypatch.setenv(STATED, "/bin/sh")
    assert ttnn_interpreter() == "/bin/sh"


def test_a_stated_python_must_be_there(without_ttnn, monkeypatch):
    monkeypatch.setenv(STATED, "/no/such/python")
    with pytest.raises(InputError, match="TTC_TTNN_PYTHON is /no/such/python, which is no program"):
        ttnn_interpreter()


def test_the_environment_of_the_source_tree_is_last(without_ttnn):
    python = without_ttnn / ".venv-ttnn" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    with pytest.raises(TtcError, match="no Python here has it"):
        ttnn_interpreter()  # whoever made that folder, it was not a source tree of ttc
    (without_ttnn / "pyproject.toml").touch()
    assert ttnn_interpreter() == str(python)


def test_without_any_it_says_what_to_do(without_ttnn):
    with pytest.raises(TtcError, match="set TTC_TTNN_PYTHON to that Python, or run `make test` once"):
        ttnn_interpreter()


def test_a_module_of_ttc_runs_without_what_is_installed_beside_it():
    python, *rest = command(sys.executable, "ttc.runtime.check.worker", "n150")
    alone = subprocess.run([python, "-I", "-S", *rest], capture_output=True, text=True, check=False, cwd="/")
    assert "/ttc/runtime/check/" in alone.stderr
    assert "ModuleNotFoundError: No module named 'numpy'" in alone.stderr


def test_only_this_python_keeps_its_path(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    assert surroundings(sys.executable)["PYTHONPATH"] == "/somewhere"
    assert "PYTHONPATH" not in surroundings("/another/python")
