"""Checkpoints of users: weights for a package's module, or a sentence."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ttc.errors import InputError
from ttc.models.systems.checkpoint import checkpoint_file, load_weights

WEIGHTS = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.tensor([1.0, -1.0])}


class Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("a checkpoint ran code",)


@pytest.mark.parametrize("wrap", [lambda w: w, lambda w: {"model": w, "iteration": 3}, lambda w: {"state_dict": w}])
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin"])
def test_a_package_s_own_checkpoint_is_read(wrap, suffix: str, tmp_path: Path):
    torch.save(wrap(WEIGHTS), tmp_path / f"x{suffix}")
    module = nn.Linear(3, 2)
    load_weights(module, tmp_path / f"x{suffix}")
    assert all(torch.equal(tensor, WEIGHTS[name]) for name, tensor in module.state_dict().items())


def test_safetensors_are_read(tmp_path: Path):
    save_file(WEIGHTS, tmp_path / "x.safetensors")
    module = nn.Linear(3, 2)
    load_weights(module, tmp_path / "x.safetensors")
    assert torch.equal(module.weight, WEIGHTS["weight"])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"weight": WEIGHTS["weight"]}, "does not fit Linear: the file lacks bias"),
        ({**WEIGHTS, "more": torch.zeros(1)}, "the file has, and the model does not, more"),
        ({**WEIGHTS, "bias": torch.zeros(3)}, "the file has in another shape bias ([3] for [2])"),
        (
            {str(i): torch.zeros(1) for i in range(5)},
            "lacks weight, bias; has, and the model does not, 0, 1, 2 and 2 more",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(weights: dict, message: str, tmp_path: Path):
    torch.save(weights, tmp_path / "x.pth")
    module = nn.Linear(3, 2)
    before = module.weight.clone()
    with pytest.raises(InputError, match=re.escape(message)):
        load_weights(module, tmp_path / "x.pth")
    assert torch.equal(module.weight, before)


def test_a_mapping_of_each_module_is_read(tmp_path: Path):
    parallel = {f"module.{name}": tensor for name, tensor in WEIGHTS.items()}
    torch.save({"first": parallel, "second": WEIGHTS}, tmp_path / "x.pth")
    module = nn.ModuleDict({"first": nn.Linear(3, 2), "second": nn.Linear(3, 2)})
    load_weights(module, tmp_path / "x.pth")
    assert all(torch.equal(module[name].weight, WEIGHTS["weight"]) for name in module)


def test_a_file_may_lack_defaults_and_nothing_else(tmp_path: Path):
    torch.save({"weight": WEIGHTS["weight"]}, tmp_path / "x.pth")
    module = nn.Linear(3, 2)
    before = module.bias.clone()
    load_weights(module, tmp_path / "x.pth", defaults=["bias"])
    assert torch.equal(module.weight, WEIGHTS["weight"])
    assert torch.equal(module.bias, before)
    with pytest.raises(InputError, match="the file lacks bias"):
        load_weights(module, tmp_path / "x.pth", defaults=["weight"])


def test_no_code_of_a_checkpoint_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    torch.save({"weight": Code(), "bias": WEIGHTS["bias"]}, tmp_path / "x.pth")
    (tmp_path / "y.pth").write_bytes(pickle.dumps(Code()))
    for name in ("x.pth", "y.pth"):
        with pytest.raises(InputError, match=f"{name} cannot be read as tensors alone") as caught:
            load_weights(nn.Linear(3, 2), tmp_path / name)
        assert "weights_only" not in str(caught.value)  # torch advises to run the code
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.ckpt", b"", "x.ckpt is no checkpoint: give a .safetensors, .pth, .pt or .bin file"),
        ("x.pth", b"no archive", "x.pth cannot be read as tensors alone: the file is damaged, or holds more than"),
        ("x.pth", b"", "x.pth cannot be read as tensors alone: the file is damaged, or holds more than"),
        ("x.pth", b"hi", "x.pth cannot be read as tensors alone: the file is damaged, or holds more than"),
        ("x.safetensors", b"no tensors either", "x.safetensors is no safetensors file"),
    ],
)
def test_files_of_other_kinds_are_refused(name: str, content: bytes, message: str, tmp_path: Path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=re.escape(message)):
        load_weights(nn.Linear(3, 2), tmp_path / name)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_the_module_s(dtype: torch.dtype, tmp_path: Path):
    torch.save({name: tensor.to(dtype) for name, tensor in WEIGHTS.items()}, tmp_path / "x.pth")
    module = nn.Linear(3, 2)
    load_weights(module, tmp_path / "x.pth")
    assert torch.equal(module.weight, WEIGHTS["weight"].to(dtype).float())


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool, torch.complex64])
def test_other_numbers_are_refused(dtype: torch.dtype, tmp_path: Path):
    torch.save({**WEIGHTS, "weight": WEIGHTS["weight"].to(dtype)}, tmp_path / "x.pth")
    name = str(dtype).removeprefix("torch.")
    with pytest.raises(InputError, match=rf"has in another kind of numbers weight \({name} for float32\)"):
        load_weights(nn.Linear(3, 2), tmp_path / "x.pth")


@pytest.mark.parametrize("other", [WEIGHTS["weight"].to_sparse(), WEIGHTS["weight"].to("meta")])
def test_tensors_without_their_numbers_in_order_are_refused(other: torch.Tensor, tmp_path: Path):
    torch.save({**WEIGHTS, "weight": other}, tmp_path / "x.pth")
    with pytest.raises(InputError, match=r"x\.pth holds weight as other than dense tensors"):
        load_weights(nn.Linear(3, 2), tmp_path / "x.pth")


@pytest.mark.parametrize("found", [{1: torch.ones(2)}, {}, [torch.ones(2)], torch.ones(2)])
def test_tensors_without_names_are_refused(found: object, tmp_path: Path):
    torch.save(found, tmp_path / "x.pth")
    with pytest.raises(InputError, match="holds no tensors by name"):
        load_weights(nn.Linear(3, 2), tmp_path / "x.pth")


def test_a_checkpoint_without_tensors_is_refused(tmp_path: Path):
    torch.save({"model": {"weight": 3}}, tmp_path / "x.pth")
    with pytest.raises(InputError, match="holds no tensors by name"):
        load_weights(nn.Linear(3, 2), tmp_path / "x.pth")


def normed() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)))


def test_older_names_of_a_weight_norm_are_known(tmp_path: Path):
    weights = {"0.bias": torch.ones(2), "0.weight_g": torch.full((2, 1), 3.0), "0.weight_v": WEIGHTS["weight"]}
    torch.save(weights, tmp_path / "x.pth")
    module = normed()
    load_weights(module, tmp_path / "x.pth")
    parts = module.state_dict()
    assert torch.equal(parts["0.parametrizations.weight.original0"], weights["0.weight_g"])
    assert torch.equal(parts["0.parametrizations.weight.original1"], weights["0.weight_v"])


def test_older_names_are_no_names_of_a_plain_weight(tmp_path: Path):
    torch.save({**WEIGHTS, "weight_g": torch.ones(1)}, tmp_path / "x.pth")
    with pytest.raises(InputError, match="has, and the model does not, weight_g"):
        load_weights(nn.Linear(3, 2), tmp_path / "x.pth")


def test_a_table_that_a_module_computes_is_passed_over(tmp_path: Path):
    module = nn.Linear(3, 2)
    module.register_buffer("table", torch.ones(4), persistent=False)
    torch.save({**WEIGHTS, "table": torch.zeros(4)}, tmp_path / "x.pth")
    load_weights(module, tmp_path / "x.pth")
    assert torch.equal(module.weight, WEIGHTS["weight"])
    assert torch.equal(module.get_buffer("table"), torch.ones(4))


def test_a_folder_is_read_as_transformers_writes_it(tmp_path: Path):
    torch.save(WEIGHTS, tmp_path / "pytorch_model.bin")
    assert checkpoint_file(tmp_path).name == "pytorch_model.bin"
    save_file(WEIGHTS, tmp_path / "model.safetensors")
    assert checkpoint_file(tmp_path).name == "model.safetensors"
    assert checkpoint_file(tmp_path.parent, tmp_path.name) == tmp_path / "model.safetensors"
    module = nn.Linear(3, 2)
    load_weights(module, tmp_path)
    assert torch.equal(module.weight, WEIGHTS["weight"])


def test_a_folder_without_a_checkpoint_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=f"{tmp_path} has no model.safetensors, pytorch_model.bin or checkpoint.pth"):
        load_weights(nn.Linear(3, 2), tmp_path)
    with pytest.raises(InputError, match=f"{tmp_path / 'voice'} has no model.safetensors"):
        load_weights(nn.Linear(3, 2), tmp_path, part="voice")
    torch.save(WEIGHTS, tmp_path / "x.pth")
    with pytest.raises(InputError, match=r"x\.pth is no folder: the weights are a folder with voice and others in it"):
        load_weights(nn.Linear(3, 2), tmp_path / "x.pth", part="voice")
