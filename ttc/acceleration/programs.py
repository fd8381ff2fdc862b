"""`ModulePrograms`: the programs of one module, one for each signature of its calls, the latest ones kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ttc.acceleration.call import require_no_hooks_inside, require_values
from ttc.acceleration.program import ModuleProgram
from ttc.acceleration.watched import Impure, watched
from ttc.errors import InputError, Refused, TtcError
from ttc.frontend.export import call_key, tensors_of
from ttc.frontend.export.frozen import has_data

Compile = Callable[[nn.Module], ModuleProgram]
"""Makes the program of one kind of call from a copy of a module."""


class ModulePrograms:
    """The latest `most` programs of a module, or why there is none; all go when the module's weights have changed.

    Changes that torch counts are seen: an assignment, `to`, `load_state_dict`, an optimizer's step, any in-place op
    on a weight itself.
    """

    def __init__(self, module: nn.Module, most: int):
        self._module, self._most = module, most
        self._known: OrderedDict[Hashable, ModuleProgram | TtcError] = OrderedDict()
        self._impure: OrderedDict[Hashable, Refused] = OrderedDict()
        self._weights: Hashable = None
        self._copy: nn.Module | None = None

    @property
    def known(self) -> list[ModuleProgram]:
        """List the programs that are kept, the one of the latest call last."""
        return [program for program in self._known.values() if isinstance(program, ModuleProgram)]

    def find(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], compile: Compile) -> ModuleProgram:
        """Return the program of such calls, made by `compile` from a copy of the module if there is none yet.

        TtcError if the module cannot be compiled for such calls, as when that was tried first; after a forward with
        side effects no call of that structure is tried again, whatever its sizes.
        """
        require_values(self._module, args, kwargs)
        require_no_hooks_inside(self._module)
        if (weights := versions(self._module)) != self._weights:
            self.forget()
            self._weights = weights
        structure, key = _structure(args, kwargs), call_key(args, kwargs)
        found = self._impure.get(structure) or self._known.get(key) or self._compiled(compile)
        if isinstance(found, Impure):
            _keep(self._impure, structure, found, self._most)
        else:
            _keep(self._known, key, found, self._most)
        if isinstance(found, ModuleProgram):
            return found
        raise found.with_traceback(None)

    def forget(self) -> None:
        """Drop all programs, and their weights from the device."""
        for program in self._known.values():
            _dropped(program)
        self._known.clear()
        self._impure.clear()
        self._copy = None

    def _compiled(self, compile: Compile) -> ModuleProgram | TtcError:
        """Return a program, or the refusal without the frames that hold tensors of the attempt."""
        try:
            self._copy = self._copy or watched(self._module)
            return compile(self._copy)
        except Refused as refused:
            kind = Impure if isinstance(refused, Impure) else Refused
            return kind(refused.reasons, refused.advice)
        except TtcError as error:
            return InputError(str(error))


def versions(module: nn.Module) -> Hashable:
    """Return places and counts of changes of a module's tensors; InputError for one without either."""
    return tuple(_version(tensor) for tensor in tensors_of(module))


def _version(tensor: Tensor) -> Hashable:
    if not has_data(tensor):
        raise InputError("a weight has no data, it is a meta or fake tensor: give the module its weights first")
    if tensor.is_inference():
        raise InputError("a weight was made under torch.inference_mode(), where no change is counted: clone it outside")
    return id(tensor), tensor.data_ptr(), tensor._version, tensor.dtype


def _structure(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Hashable:
    """Return the key that calls share which differ in sizes and values alone."""
    leaves, spec = pytree.tree_flatten((args, dict(sorted(kwargs.items()))))
    return str(spec), tuple(type(leaf) for leaf in leaves)


def _keep(items: OrderedDict[Hashable, Any], key: Hashable, item: ModuleProgram | TtcError, most: int) -> None:
    """Put an item to the end of the latest ones, and drop the first of more than `most`."""
    items[key] = item
    items.move_to_end(key)
    while len(items) > most:
        _dropped(items.popitem(last=False)[1])


def _dropped(program: ModuleProgram | TtcError) -> None:
    if isinstance(program, ModuleProgram):
        program.to_host()
