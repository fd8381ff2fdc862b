"""A model that is read once and compiled for several cards and number formats."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import ttc
from ttc.errors import InputError
from ttc.sources import torch_source

X = torch.ones(3, 8)


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was exported meanwhile."""
    done: list[object] = []
    export = torch_source.export

    def noted(module: nn.Module, *inputs):
        done.append(module)
        return export(module, *inputs)

    monkeypatch.setattr(torch_source, "export", noted)
    return done


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4)).eval()


def test_a_variant_is_what_compiling_anew_gives(exports: list[object]):
    model = net()
    first = ttc.compile(model, X)
    other = first.variant(target="p150", dtype="fp32")
    assert len(exports) == 1
    anew = ttc.compile(model, X, target="p150", dtype="fp32")
    assert other.source == anew.source != first.source
    assert torch.equal(other(X), anew(X))
    assert first.options.target.name == "n150"


def test_only_what_is_named_changes():
    first = ttc.compile(net(), X, dtype="fp32", allow_host=["topk"], fidelity="HiFi2")
    other = first.variant(target="p150").options
    assert (other.target.name, other.dtype, other.allow_host) == ("p150", "fp32", ("topk",))
    assert other.fidelity is first.options.fidelity
    assert first.variant(dtype=torch.bfloat16).options.dtype == "bf16"
    assert first.variant() is first.variant(dtype="fp32", target="n150") is first


def test_buckets_are_those_of_the_first(exports: list[object]):
    shapes = ({0: "T"},)
    first = ttc.compile(net(), X, dynamic_shapes=shapes, lengths={"T": [4, 8]})
    read = len(exports)
    other = first.variant(dtype="fp32")
    assert len(exports) == read
    assert [bucket.sizes for bucket in other.buckets] == [bucket.sizes for bucket in first.buckets]
    x = torch.randn(6, 8)
    assert torch.allclose(other(x), net()(x), atol=1e-6)


def test_a_form_of_a_later_call_is_compiled_for_the_variant():
    model = net()
    other = ttc.compile(model).variant(dtype="fp32")
    assert torch.allclose(other(X), model(X), atol=1e-6)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"target": "n151"}, "no target is called 'n151'"),
        ({"dtype": "fp8"}, "no dtype is called 'fp8'"),
        ({"target": "n150"}, "no fidelity is called .*HiFi4.* on n150, where a fourth pass"),
    ],
)
def test_what_is_not_known_is_refused(asked: dict[str, str], message: str):
    with pytest.raises(InputError, match=message):
        ttc.compile(net(), X, target="p150", fidelity="HiFi4").variant(**asked)
