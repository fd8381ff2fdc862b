"""The modules that `replace` and `exclude` stand for."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
import torch
from torch import nn

import ttc
from tests.acceleration.models import Block, Net, net
from ttc.acceleration.choice import chosen, select
from ttc.errors import InputError, TtcError

ALL = ["", "block", "block.norm", "block.first", "block.second", "head"]


def scripted() -> Any:
    """TorchScript, which torch calls deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(nn.ReLU(), torch.zeros(1))


class Linear(nn.Linear):
    """Another class of the same name."""


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({nn.Linear}, {"block.first", "block.second", "head"}),
        (nn.Linear, {"block.first", "block.second", "head"}),
        (["Block", "head"], {"block", "head"}),
        ("block.first", {"block.first"}),
        ([nn.Linear, "Linear"], {"block.first", "block.second", "head"}),
        ([""], {""}),
        ([], set()),
    ],
)
def test_classes_and_names(given: Any, names: set[str]):
    assert select(Net(), given, "replace") == names


def test_a_class_stands_for_itself_alone():
    model = nn.Sequential(Linear(2, 2), nn.Linear(2, 2))
    assert select(model, {nn.Linear}, "replace") == {"1"}
    assert select(model, {Linear}, "replace") == {"0"}
    assert select(model, {"Linear"}, "replace") == {"0", "1"}


def test_by_default_all_modules_are_taken_that_have_a_forward():
    assert list(chosen(Net(), None, ()).modules) == ALL
    assert list(chosen(nn.ModuleDict({"a": nn.ModuleList([nn.ReLU()])}), None, ()).modules) == ["a.0"]
    assert not chosen(Net(), None, ()).named
    assert chosen(Net(), ["head"], ()).named


def test_what_is_excluded_stays_in_torch_with_all_in_it():
    assert list(chosen(Net(), None, ["block"]).modules) == ["head"]
    assert list(chosen(Net(), None, [nn.LayerNorm]).modules) == ["block.first", "block.second", "head"]
    assert list(chosen(Net(), {nn.Linear}, ["block"]).modules) == ["head"]
    assert list(chosen(Net(), {"Block"}, ["head"]).modules) == ["block"]


def test_names_are_whole():
    """`head` is not in `he`, nor `block2` in `block`."""
    model = nn.ModuleDict({"block": nn.Sequential(nn.ReLU()), "block2": nn.ReLU()})
    assert list(chosen(model, None, ["block"]).modules) == ["block2"]
    assert list(chosen(model, ["block2"], ["block"]).modules) == ["block2"]


def test_a_module_in_two_places_is_one():
    shared = nn.ReLU()
    assert list(chosen(nn.Sequential(shared, shared), {nn.ReLU}, ()).modules) == ["0"]


def refused(message: str, *args: Any, error: type = InputError, **kwargs: Any) -> None:
    model, _ = net()
    forwards = {name: vars(module).get("forward") for name, module in model.named_modules()}
    with pytest.raises(error, match=re.escape(message)):
        ttc.accelerate(*(args or (model,)), **kwargs)
    assert forwards == {name: vars(module).get("forward") for name, module in model.named_modules()}


def test_what_no_module_stands_for():
    known = "; its classes are Block, LayerNorm, Linear, Net"
    refused(f"replace has Conv2d, and Net has no such module{known}", replace={nn.Linear, nn.Conv2d})
    refused("replace has 'linear', and Net has no such module", replace=["linear"])
    refused("exclude has 'block.third', and Net has no such module", exclude=["block.third"])
    refused("allow_fallback has 'x', and Net has no such module", allow_fallback="x")
    refused("replace has 3, and Net has no such module", replace=[3])
    refused("replace lists classes of modules, names of classes or names of modules, not 3", replace=3)
    refused("not {'a': 1}", replace={"a": 1})
    model, _ = net()
    refused(f"replace has {model.head!r}, and Net", model, [model.head])


def test_nothing_is_left():
    refused("no module of Net is left to run on the device", replace=[])
    refused("no module of Net is left to run on the device", replace={"Block"}, exclude=["block"])
    refused(
        "Block 'block' is to be replaced, and 'block.norm' in it is excluded", replace={Block}, exclude=["LayerNorm"]
    )


def test_what_is_no_model():
    refused("a model to accelerate is an nn.Module in Python, not Net", Net)
    refused("a model to accelerate is an nn.Module in Python, not dict", {})
    refused("a model to accelerate is an nn.Module in Python, not", scripted())
    refused("Sequential is lazy", nn.Sequential(nn.LazyLinear(3)))


def test_other_arguments():
    refused("no run mode is called 'normal'; there are NORMAL, NORMAL_WITH_FALLBACK, SEL", mode="normal")
    refused("no run mode is called 3", mode=3)
    refused("no device is called 'gpu'", device="gpu")
    refused("signatures is a positive whole number, got 0", signatures=0)
    refused("signatures is a positive whole number, got True", signatures=True)
    refused("no dtype is called 'auto'", dtype="auto")
    refused("no dtype is called {'head.weight': 'bfp8'}", dtype={"head.weight": "bfp8"})
    refused("n999", target="n999")
    refused("there is no Tenstorrent card in this machine", device="ttnn", error=TtcError)


def test_a_module_has_one_acceleration():
    model, _ = net()
    with ttc.accelerate(model, {Block}, device="emulator"):
        refused("Block 'block' is accelerated already", model)
        with ttc.accelerate(model, ["head"], device="emulator"):
            pass
    with ttc.accelerate(model, device="emulator"):
        pass


def test_a_forward_of_another_library_stays():
    model, _ = net()
    model.head.forward = lambda x: x
    refused("Linear 'head' has a forward that was put in place of its class's", model)
