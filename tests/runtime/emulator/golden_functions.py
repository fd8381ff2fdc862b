"""TTNN's golden functions under this Python, from the package that the Python with `ttnn` has installed.

They are plain Python on torch tensors, attached to operations of a native module that exists for other versions of
Python. Here their files are run with stand-ins in that module's place, which note what is attached to what.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

FIND = "import importlib.util; print(importlib.util.find_spec('ttnn').submodule_search_locations[0])"
NATIVE = ("ttnn._ttnn", "ttnn.decorators", "loguru")
"""What the files import and this Python has not."""

TORCH = {"float32": torch.float32, "bfloat16": torch.bfloat16, "int32": torch.int32, "uint32": torch.int64,
         "uint16": torch.int32, "uint8": torch.uint8}  # fmt: skip

Golden = Callable[..., Any]


class Stand:
    """Stands for something of TTNN by its dotted path; calling it gives an object of the keywords it was given."""

    def __init__(self, path: str):
        self.path = self.__name__ = path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = self.__dict__[name] = Stand(f"{self.path}.{name}")
        return found

    def __call__(self, *positional: Any, **keywords: Any) -> SimpleNamespace:
        return SimpleNamespace(**keywords)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stand) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    def __repr__(self) -> str:
        return self.path

    def __or__(self, other: object) -> Stand:
        return self

    __ror__ = __or__


class Members(type):
    """A class whose attributes are instances of it, made once each: an enumeration of whatever is asked for."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        member = object.__new__(cls)
        setattr(cls, name, member)
        return member


class StandInModule(ModuleType):
    """A module all of whose names are stand-ins, made once each."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = self.__dict__[name] = Stand(f"{self.__name__}.{name}")
        return found


class _Finder(MetaPathFinder, Loader):
    """Finds stand-ins where the native modules would be."""

    def __init__(self, prepare: Callable[[StandInModule], None]):
        self.prepare = prepare

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        known = any(name == native or name.startswith(f"{native}.") for native in NATIVE)
        return ModuleSpec(name, self, is_package=True) if known else None

    def create_module(self, spec: ModuleSpec) -> StandInModule:
        return StandInModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        assert isinstance(module, StandInModule)
        self.prepare(module)


@contextmanager
def golden_functions(python: str) -> Iterator[tuple[dict[str, Golden | None], StandInModule]]:
    """The golden function of each operation by its name, and the module `ttnn` that they see, while it is open."""
    found: dict[str, Golden | None] = {}

    def attach(operation: Any, golden_function: Golden | None = None, **_: Any) -> None:
        found[getattr(operation, "path", f"ttnn.{getattr(operation, '__name__', '')}")] = golden_function

    def register(name: str = "", golden_function: Golden | None = None, **_: Any) -> Callable[[Any], Stand]:
        found[name] = golden_function
        return lambda function: Stand(name)

    def prepare(module: StandInModule) -> None:
        module._copy_golden_comparison_config = lambda source, result: result  # type: ignore[attr-defined]
        module.get_golden_function = lambda operation: found[operation.path]  # type: ignore[attr-defined]
        module.attach_golden_function, module.register_python_operation = attach, register  # type: ignore[attr-defined]

    folder = subprocess.run([python, "-c", FIND], capture_output=True, text=True, check=True).stdout.strip()
    before = {name: module for name, module in sys.modules.items() if name.split(".")[0] in ("ttnn", "loguru")}
    finder = _Finder(prepare)
    ttnn = _package(folder, prepare)
    sys.meta_path.insert(0, finder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for path in sorted(Path(folder, "operations").glob("[!_]*.py")):
                importlib.import_module(f"ttnn.operations.{path.stem}")
        yield found, ttnn
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.split(".")[0] in ("ttnn", "loguru")]:
            del sys.modules[name]
        sys.modules.update(before)


def _package(folder: str, prepare: Callable[[StandInModule], None]) -> StandInModule:
    """The stand-in for `ttnn` itself, whose modules that are plain Python are the real ones."""
    ttnn, operations = StandInModule("ttnn"), ModuleType("ttnn.operations")
    ttnn.__path__, operations.__path__ = [folder], [str(Path(folder, "operations"))]
    prepare(ttnn)
    for name in ("Tensor", "Shape", "PlacementShard", "UnaryOpType", "GeluVariant"):
        setattr(ttnn, name, Members(name, (), {}))
    ttnn.UnaryWithParam = lambda op_type, *params: SimpleNamespace(op_type=op_type, params=params)  # type: ignore[attr-defined]
    names = {Stand(f"ttnn.{name}"): dtype for name, dtype in TORCH.items()}
    ttnn.ttnn_dtype_to_torch_dtype = lambda dtype: names[dtype]  # type: ignore[attr-defined]
    sys.modules["ttnn"], sys.modules["ttnn.operations"] = ttnn, operations
    return ttnn
