import os
import pwd
import subprocess
from pathlib import Path

import pytest

from ttc.calls.target import TARGETS
from ttc.errors import InputError, TtcError
from ttc.runtime.check.interpreter import PACKAGE
from ttc.runtime.mock import MOCK_CARD, environment
from ttc.runtime.mock.environment import CARDS, cache_directory

SCRIPT = """
import json, sys
from ttc.runtime.mock import environment
print(json.dumps(environment(sys.argv[1])))
"""


def start(python: str, cache: Path, script: str, target: str = "n150", without: str = "") -> subprocess.Popen:
    variables = {**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(PACKAGE.parent)}
    variables.pop(without, None)
    return subprocess.Popen(
        [python, "-c", script, target],
        env=variables,
        cwd=cache.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_every_target_has_a_card():
    assert {path.stem for path in CARDS.glob("*.yaml")} == set(TARGETS)


def test_parallel_first_runs_make_one_kit(tmp_path, ttnn_python):
    cache = tmp_path / "cache"
    ends = [process.communicate(timeout=60) for process in [start(ttnn_python, cache, SCRIPT) for _ in range(4)]]
    assert len(set(ends)) == 1, ends
    (kit,) = (cache / "ttc").iterdir()
    assert [path.name for path in kit.iterdir()] == ["root"]


OPEN = """
import os, sys
from ttc.runtime.mock import environment
os.environ.update(environment(sys.argv[1]))
import ttnn
device = ttnn.open_device(device_id=0)
x = ttnn.empty((32, 32), ttnn.bfloat16, ttnn.TILE_LAYOUT, device, ttnn.DRAM_MEMORY_CONFIG)
ttnn.relu(x)
size = device.compute_with_storage_grid_size()
print(device.arch().name, size.x, size.y)
ttnn.close_device(device)
"""


@pytest.mark.parametrize("target", TARGETS)
def test_a_mock_card_opens_as_the_target_says_and_writes_only_into_the_cache(tmp_path, target, ttnn_python):
    said, errors = start(ttnn_python, tmp_path / "cache", OPEN, target).communicate(timeout=120)
    card = TARGETS[target]
    assert said == f"{card.arch.upper()} {card.grid[0]} {card.grid[1]}\n", errors
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    (kit,) = (tmp_path / "cache" / "ttc").iterdir()
    assert {path.name for path in kit.iterdir()} <= {"root", "kernels", "logs"}


OPEN_AS_CHECK_DOES = """
import os, sys
from ttc.runtime.mock import environment
os.environ.update(environment(sys.argv[1]))
from ttc.runtime.run.device_ttnn import TtnnDevice
with TtnnDevice():
    print(os.environ["HOME"])
"""


def test_a_card_opens_in_a_process_without_home(tmp_path, ttnn_python):
    process = start(ttnn_python, tmp_path / "cache", OPEN_AS_CHECK_DOES, without="HOME")
    said, errors = process.communicate(timeout=120)
    assert (process.returncode, said) == (0, f"{pwd.getpwuid(os.getuid()).pw_dir}\n"), errors
    given, errors = start(ttnn_python, tmp_path / "cache", OPEN_AS_CHECK_DOES).communicate(timeout=120)
    assert given == f"{os.environ['HOME']}\n", errors


def test_a_cache_that_cannot_be_written_is_named(tmp_path, ttnn_python):
    (tmp_path / "cache").write_text("a file")
    _, errors = start(ttnn_python, tmp_path / "cache", SCRIPT).communicate(timeout=60)
    assert "XDG_CACHE_HOME may name another place" in errors


def test_unknown_targets_are_refused():
    with pytest.raises(InputError, match="no target is called 'n160'"):
        environment("n160")


def test_without_ttnn_it_says_so(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TtcError, match="this Python has no ttnn"):
        environment("n150")


def test_the_cache_is_where_the_user_says(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/some/where")
    assert cache_directory() == Path("/some/where/ttc")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_directory() == Path("/home/me/.cache/ttc")
    assert MOCK_CARD == "TT_METAL_MOCK_CLUSTER_DESC_PATH"


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    def nobody(user: int) -> None:
        raise KeyError(user)

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(TtcError, match="this user has no home directory: XDG_CACHE_HOME may name a place"):
        cache_directory()
