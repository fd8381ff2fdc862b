"""`open_file`: a `.pt2` file as an exported program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch._export.serde.schema import ConstantValue, SymInt
from torch._export.serde.schema import ExportedProgram as Serialized
from torch._export.serde.serialize import _SERIALIZE_TO_TORCH_DTYPE as DTYPES
from torch._export.serde.serialize import ExportedProgramDeserializer
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from ttc.errors import InputError, Refusal, TtcError
from ttc.frontend.archive.members import Archive, archive_of
from ttc.frontend.archive.program import checked_program
from ttc.frontend.archive.records import record
from ttc.frontend.archive.unsafe import unsafe
from ttc.frontend.archive.weights import read_tensors
from ttc.frontend.export.failure import first_line
from ttc.frontend.export.tracing import ONE_AT_A_TIME, quiet
from ttc.guard import files

MODEL = "models/model.json"
WEIGHTS, CONSTANTS = "data/weights/", "data/constants/"
COMPILED = ("data/aotinductor/", "data/executorch/", "executorch/")
FORMAT, VERSION = b"pt2", b"0"

UNSEEN_SIZE = 2
"""Size of an example's dimension for which the file states none; the caller gives the sizes that count."""


def open_file(path: str | Path, trust: bool = False) -> ExportedProgram:
    """Open the program of a `.pt2` file; InputError if that is impossible without running code of the file.

    With `trust` torch itself reads the file, and whoever wrote it can run code.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}")
    with reading(path), ONE_AT_A_TIME, quiet():
        if trust:
            return torch.export.load(str(path))
        try:
            return _read(path)
        except (InputError, Refusal) as error:
            raise InputError(f"{str(path)!r} is no PyTorch export archive (.pt2) that ttc reads: {error}") from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn any error of reading a file into a sentence: torch raises whatever a program leads it into."""
    try:
        yield
    except (TtcError, OSError):
        raise
    except Exception as error:
        said = first_line(error)
        said = said if len(said) <= LONGEST else f"{said[:LONGEST]}..."
        raise InputError(f"{str(path)!r} is no PyTorch export archive (.pt2): {said}") from error


LONGEST = 300
"""Characters of torch's message that are passed on: the message may print a whole program."""


def _read(path: Path) -> ExportedProgram:
    with files.open_file(path) as file:
        archive = archive_of(path, file)
        _check_kind(archive)
        program = checked_program(record(Serialized, archive.json(MODEL), MODEL))
        weights = read_tensors(archive, WEIGHTS, "model_weights_config.json")
        constants = read_tensors(archive, CONSTANTS, "model_constants_config.json")
    return ExportedProgramDeserializer().deserialize(program, weights, constants, _example(program))


def _check_kind(archive: Archive) -> None:
    """Refuse archives of other kinds and versions."""
    names = archive.members
    if "serialized_exported_program.json" in names or "version" in names:
        raise unsafe("an older torch wrote it, with its weights as pickles: save it anew")
    if any(name.startswith(COMPILED) for name in names):
        raise InputError("it holds compiled code")
    if archive.read("archive_format") != FORMAT or archive.read("archive_version") != VERSION:
        raise InputError("it is of a format that torch.export.save of this torch does not write")


def _example(program: Serialized) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Make example arguments, without data: the file's own examples are a pickle."""
    graph = program.graph_module.graph
    specs = program.graph_module.signature.input_specs
    leaves = []
    for spec in specs:
        if str(spec.type) == "constant_input":
            leaves.append(_constant(spec.constant_input.value))
        elif str(spec.type) == "user_input":
            leaves.append(_example_leaf(spec.user_input.arg, graph.tensor_values))
    signature = program.graph_module.module_call_graph[0].signature
    assert signature is not None, "checked_program has left the one entry that has it"
    args, kwargs = pytree.tree_unflatten(leaves, pytree.treespec_loads(signature.in_spec))
    return args, kwargs


def _constant(value: ConstantValue) -> Any:
    return None if value.type == "as_none" else value.value


def _example_leaf(argument: Any, metas: dict[str, Any]) -> Any:
    if argument.type != "as_tensor":
        return None if argument.type == "as_none" else getattr(argument.value, "value", argument.value)
    meta = metas[argument.value.name]
    return torch.empty([_size(item) for item in meta.sizes], dtype=DTYPES[meta.dtype], device="meta")


def _size(item: SymInt) -> int:
    """Return a size, or the size that it had when the model was exported."""
    if item.type == "as_int":
        return item.value
    hint = item.value.hint
    return hint.value if hint is not None and hint.type == "as_int" else UNSEEN_SIZE
