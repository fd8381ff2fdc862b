"""Weights from a user's checkpoint: safetensors, or a package's own .pth, of which tensors alone are read."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ttc.errors import InputError, first_line
from ttc.guard.files import as_path, open_file

WRAPPERS = ("model", "state_dict")
"""Keys under which packages keep the tensors of a checkpoint, beside an optimiser's and counters."""

PARALLEL = "module."
"""The prefix of names in torch's parallel training."""

WEIGHT_NORM = {
    "parametrizations.weight.original0": "weight_g",
    "parametrizations.weight.original1": "weight_v",
}
"""The names of a weight norm's two tensors, and those in checkpoints of torch before 2.1."""

IN_FOLDERS = ("model.safetensors", "pytorch_model.bin", "checkpoint.pth")
"""The names that transformers and OpenVoice give to checkpoints, the preferred one first."""

PICKLED = (".pth", ".pt", ".bin")
"""Suffixes of torch's own files."""

SHOWN = 3


def load_weights(module: nn.Module, path: str | PathLike[str], defaults: Collection[str] = (), part: str = "") -> None:
    """Give a module all of its weights from a checkpoint; InputError names what is missing, extra or misshapen.

    `defaults` names the weights that a file may lack, as the module has them already. Tables that a module computes
    itself are passed over. `part` is the folder of this module, as for `checkpoint_file`.
    """
    file = checkpoint_file(path, part)
    wanted = module.state_dict()
    tables = {name for name, _ in module.named_buffers()} - set(wanted)
    found = {_current(name, wanted): item for name, item in read_tensors(file).items() if name not in tables}
    wrong = {
        "lacks": [name for name in wanted if name not in found and name not in defaults],
        "has, and the model does not,": [name for name in found if name not in wanted],
        "has in another shape": [
            f"{name} ({list(found[name].shape)} for {list(tensor.shape)})"
            for name, tensor in wanted.items()
            if name in found and found[name].shape != tensor.shape
        ],
        "has in another kind of numbers": [
            f"{name} ({_dtype(found[name])} for {_dtype(tensor)})"
            for name, tensor in wanted.items()
            if name in found and found[name].is_floating_point() != tensor.is_floating_point()
        ],
    }
    faults = [f"{verb} {_listed(names)}" for verb, names in wrong.items() if names]
    if faults:
        raise InputError(f"{file} does not fit {type(module).__name__}: the file {'; '.join(faults)}")
    module.load_state_dict({**wanted, **found})


def checkpoint_file(path: str | PathLike[str], part: str = "") -> Path:
    """Return the file of a checkpoint: that file itself, or of a folder the one that its package writes there.

    Where weights are several checkpoints, each is in a folder `part` of its own. InputError for a folder without one.
    """
    given = as_path(path)
    if part and not given.is_dir():
        raise InputError(f"{given} is no folder: the weights are a folder with {part} and others in it")
    if not given.is_dir():
        return given
    folder = given / part
    found = next((folder / name for name in IN_FOLDERS if (folder / name).is_file()), None)
    if found is None:
        raise InputError(f"{folder} has no {', '.join(IN_FOLDERS[:-1])} or {IN_FOLDERS[-1]}")
    return found


def _current(name: str, wanted: Collection[str]) -> str:
    """Return the name that a module has for a tensor of a file: today's for the parts of a weight norm."""
    for own, older in WEIGHT_NORM.items():
        stem = name.removesuffix(older)
        if stem != name and name not in wanted and stem + own in wanted:
            return stem + own
    return name


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read tensors by name from a .safetensors, .pth, .pt or .bin file; InputError for what holds anything else.

    Of mappings in a mapping, a module each, the names are joined by a dot, without the `module.` of parallel training.
    """
    found = read_stored(file)
    for key in WRAPPERS:
        found = found[key] if isinstance(found, Mapping) and isinstance(found.get(key), Mapping) else found
    return _require_tensors(file, _flat(found))


def read_stored(file: Path) -> Any:
    """Read what a .safetensors, .pth, .pt or .bin file holds: tensors, plain numbers and text, in mappings or not."""
    if file.suffix == ".safetensors":
        return _safetensors(file)
    if file.suffix not in PICKLED:
        raise InputError(f"{file} is no checkpoint: give a .safetensors, .pth, .pt or .bin file")
    open_file(file).close()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about protocols of other writers
            return torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError) as error:
        raise InputError(f"{file} cannot be read as tensors alone: {first_line(error)}") from None
    except Exception:  # pickle's advises to run what the file holds, others say which byte or name they ran into
        raise InputError(
            f"{file} cannot be read as tensors alone: the file is damaged, or holds more than tensors, numbers and text"
        ) from None


def _flat(found: Any) -> Any:
    """Return the tensors of modules under one name each; anything else as it is."""
    if not isinstance(found, Mapping) or not any(isinstance(item, Mapping) for item in found.values()):
        return found
    return {
        f"{key}.{str(name).removeprefix(PARALLEL)}": tensor
        for key, inner in found.items()
        for name, tensor in (inner.items() if isinstance(inner, Mapping) else (("", inner),))
    }


def _safetensors(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    with open_file(file) as opened:
        try:
            return load(opened.read())
        except SafetensorError as error:
            raise InputError(f"{file} is no safetensors file: {error}") from None


def _require_tensors(file: Path, found: Any) -> dict[str, Tensor]:
    tensors = dict(found) if isinstance(found, Mapping) else {}
    named = tensors and all(isinstance(name, str) and isinstance(item, Tensor) for name, item in tensors.items())
    if not named:
        raise InputError(f"{file} holds no tensors by name")
    other = [name for name, item in tensors.items() if item.layout is not torch.strided or item.is_meta]
    if other:
        raise InputError(f"{file} holds {_listed(other)} as other than dense tensors")
    return tensors


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
