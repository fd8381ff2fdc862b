"""The collector of cycles waits while ttc compiles, and is as before afterwards."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import torch
from torch import nn

import ttc
from ttc.guard.collector import collector_waiting


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.enable()


def test_it_waits_inside_and_runs_again_after():
    with collector_waiting():
        assert not gc.isenabled()
        with collector_waiting():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_runs_again_after_an_error():
    with pytest.raises(KeyError), collector_waiting():
        raise KeyError
    assert gc.isenabled()


def test_it_stays_off_where_the_caller_has_turned_it_off():
    gc.disable()
    with collector_waiting():
        pass
    assert not gc.isenabled()


def test_it_waits_for_all_stages():
    seen: list[bool] = []
    ttc.compile(nn.Linear(4, 4), torch.ones(2, 4), progress=lambda stage: seen.append(gc.isenabled()))
    assert len(seen) > 2
    assert seen[0]  # where the model is read, perhaps by torch
    assert not any(seen[1:])
    assert gc.isenabled()
