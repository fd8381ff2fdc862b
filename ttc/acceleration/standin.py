"""`Standin`: the forward of a chosen module, which runs the module's programs as the run mode says."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ttc.acceleration import records
from ttc.acceleration.call import require_elements, require_inference
from ttc.acceleration.choice import place
from ttc.acceleration.modes import Mode
from ttc.acceleration.program import ModuleProgram
from ttc.acceleration.programs import ModulePrograms
from ttc.acceleration.trees import tensors
from ttc.acceleration.twin import found_side, joined, wanted_side
from ttc.errors import InputError, Refused, TtcError
from ttc.frontend.export import require_no_autocast
from ttc.validation.compare import Comparison

if TYPE_CHECKING:
    from ttc.acceleration.acceleration import Acceleration

Args = tuple[Any, ...]
Kwargs = Mapping[str, Any]


class Standin:
    """The forward that a chosen module has while its model is accelerated; a copy of the module has its own again.

    `inner` tells that chosen modules lie in this one: where it cannot be compiled as a whole, they run on the device.
    """

    def __init__(self, owner: Acceleration, name: str, module: nn.Module, inner: bool):
        self.name, self.module, self.inner = name, module, inner
        self.kind = type(module).__name__
        self.plain: Callable[..., Any] = module.forward
        self.programs = ModulePrograms(module, owner.signatures)
        self._owner = owner
        self.__signature__ = inspect.signature(module.forward)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Copy the module's own forward, bound to the module's copy."""
        return copy.deepcopy(self.plain, memo)

    def __reduce__(self) -> Any:
        """Put the module's own forward into a pickle."""
        return self.plain.__reduce__()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the results of the module's forward, computed as the run mode says."""
        if torch.compiler.is_compiling():
            return self.plain(*args, **kwargs)
        with self._owner.turn:
            if self._owner.comparing:
                return self.plain(*args, **kwargs)
            if self._owner.mode is Mode.CPU:
                with self._timed(records.TORCH):
                    return self.plain(*args, **kwargs)
            require_inference(self.name, self.module, args, kwargs)
            program = self._attempt(found_side(args), found_side(kwargs))
            if isinstance(program, TtcError):
                return self.in_torch(program, args, kwargs)
            return RUNS[self._owner.mode](self, program, args, kwargs)

    # ------------------------------------------------------------ on the device

    def _attempt(self, args: Args, kwargs: Kwargs) -> ModuleProgram | TtcError:
        """Return the program for such a call with its weights on the device, or why there is none."""
        try:
            require_elements(self.name, self.module, args, kwargs)
            require_no_autocast()
        except InputError as error:
            if self._owner.mode is not Mode.NORMAL_WITH_FALLBACK:
                raise
            return error
        try:
            program = self.programs.find(args, kwargs, partial(self._compile, args, kwargs))
            self.to_device(program)
            return program
        except TtcError as error:
            return error.with_traceback(None)

    def _compile(self, args: Args, kwargs: Kwargs, module: nn.Module) -> ModuleProgram:
        with self._timed(records.COMPILE), _quiet():
            return ModuleProgram(module, args, kwargs, self._owner.options)

    def to_device(self, program: ModuleProgram) -> None:
        """Bring a program's weights to the device."""
        if not program.ready:
            with self._timed(records.PREPROCESS):
                program.preprocess()
        if not program.on_device:
            self._owner.require_room(program)
            with self._timed(records.UPLOAD):
                program.to_device(self._owner.open, self._owner.emulated)

    def on_device(self, program: ModuleProgram, args: Args, kwargs: Kwargs) -> Any:
        """Return the results of a program of this module."""
        with self._timed(records.DEVICE) as time:
            result = program.run(args, kwargs)
        time.uploaded_bytes += program.uploaded
        time.downloaded_bytes += program.downloaded
        self._owner.records.add_run(self.name, program.ops)
        if self._owner.free_after_use:
            program.to_host()
        return result

    # ------------------------------------------------------------ in torch

    def reference(self, args: Args, kwargs: Kwargs) -> Any:
        """Return torch's results, of this module and of all inside."""
        self._owner.comparing = True
        try:
            with self._timed(records.TORCH), torch.no_grad():
                return self.plain(*args, **kwargs)
        finally:
            self._owner.comparing = False

    def in_torch(self, refused: TtcError, args: Args, kwargs: Kwargs) -> Any:
        """Let torch run this module, and the device those inside, if that may be; else raise the refusal."""
        owner = self._owner
        split = self.inner and not owner.choice.named
        if not split and owner.mode is not Mode.NORMAL_WITH_FALLBACK:
            raise _placed(refused, self.kind, place(self.name, self.module))
        with owner.records.left_to_torch(self.name, self.kind, split, _reason(refused)):
            return self.plain(*args, **kwargs)

    def _timed(self, what: str) -> Any:
        return self._owner.records.timed(self.name, self.kind, what)

    def compare(self, found: Any, wanted: Any) -> None:
        """Add the agreement of two results to the records."""
        pairs = zip(tensors(found), tensors(wanted), strict=True)
        self._owner.records.compare(self.name, self.kind, [_compared(self.name, *pair) for pair in pairs])


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence torch's warning of what is refused."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The tensor attribute .*assigned during export", category=UserWarning)
        yield


def _normal(module: Standin, program: ModuleProgram, args: Args, kwargs: Kwargs) -> Any:
    return module.on_device(program, args, kwargs)


def _with_fallback(module: Standin, program: ModuleProgram, args: Args, kwargs: Kwargs) -> Any:
    try:
        return module.on_device(program, args, kwargs)
    except TtcError as error:
        refused = error.with_traceback(None)
    return module.in_torch(refused, args, kwargs)


def _segments(module: Standin, program: ModuleProgram, args: Args, kwargs: Kwargs) -> Any:
    wanted = module.reference(*wanted_side((args, kwargs), torch.clone))
    found = module.on_device(program, args, kwargs)
    module.compare(found, wanted)
    return found


def _layers(module: Standin, program: ModuleProgram, args: Args, kwargs: Kwargs) -> Any:
    wanted = module.reference(*wanted_side((args, kwargs), torch.clone))
    found = module.on_device(program, *found_side((args, kwargs)))
    module.compare(found, wanted)
    return joined(found, wanted)


def _layers_apart(module: Standin, program: ModuleProgram, args: Args, kwargs: Kwargs) -> Any:
    spare = wanted_side((args, kwargs), torch.clone)
    wanted = module.reference(args, kwargs)
    module.compare(module.on_device(program, *spare), wanted)
    return wanted


RUNS: dict[Mode, Callable[[Standin, ModuleProgram, Args, Kwargs], Any]] = {
    Mode.NORMAL: _normal,
    Mode.NORMAL_WITH_FALLBACK: _with_fallback,
    Mode.SEL: _segments,
    Mode.DPL: _layers,
    Mode.DPL_NO_ERROR_PROP: _layers_apart,
}
"""The runs of a module that has a program, by mode; a forward may change tensors that it is given, so torch or the
device is given copies.
"""


def _compared(name: str, found: Tensor, wanted: Tensor) -> Comparison:
    return Comparison.of(name, *(_real(side).double().numpy() for side in (found, wanted)))


def _real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def _reason(refused: TtcError) -> str:
    """Return the first reason of a refusal, in one line."""
    reasons = list(refused.by_reason()) if isinstance(refused, Refused) else [str(refused)]
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return reasons[0].partition("\n")[0] + more


def _placed(refused: TtcError, kind: str, where: str) -> TtcError:
    """Return a refusal that names the module in the model; reasons of the whole module have its `kind` for a place."""
    if isinstance(refused, Refused):
        places = [(where if own == kind else f"{where}: {own}", reason) for own, reason in refused.reasons]
        return Refused(places, refused.advice)
    text = str(refused)
    return InputError(text if text.startswith(where) else f"{where}: {text}")
