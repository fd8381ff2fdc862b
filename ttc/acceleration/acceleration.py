"""`Acceleration`: a model whose chosen modules run on a device, until it is restored."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from threading import RLock
from typing import Any
from weakref import finalize

from torch import nn
from torch.nn.parameter import is_lazy

from ttc.acceleration.choice import Choice, chosen, holds, place, select
from ttc.acceleration.modes import Mode
from ttc.acceleration.program import ModuleProgram
from ttc.acceleration.records import InTorch, Records
from ttc.acceleration.standin import Standin
from ttc.acceleration.tables import Table, tables
from ttc.acceleration.twin import without_twins
from ttc.errors import InputError, TtcError
from ttc.frontend.export import tensors_of
from ttc.pipeline import Options
from ttc.runtime.run.device import Device
from ttc.runtime.run.devices import emulates, no_card, on_card, open_device, require_names
from ttc.runtime.run.traced import TracingDevice


@dataclass(frozen=True)
class Settings:
    """The way in which an accelerated model runs: numbers and card, the device's name, the run mode, and what is kept.

    `signatures` is the number of programs that a module keeps, each for calls of one signature.
    """

    options: Options
    device: str | None
    mode: Mode
    allow_fallback: Any
    free_after_use: bool
    signatures: int


class Acceleration:
    """A model whose chosen modules run on a device; as a context manager, for as long as the block runs.

    At the end of the block the model is as it was, and `require_no_fallback` decides. Threads take turns.
    """

    def __init__(self, model: nn.Module, choice: Choice, settings: Settings):
        self.model, self.choice = model, choice
        self.options, self.mode = settings.options, settings.mode
        self.free_after_use, self.signatures = settings.free_after_use, settings.signatures
        self.emulated = emulates(settings.device)
        self.records = Records()
        self.turn, self.comparing = RLock(), False
        self._device_name = settings.device
        self._device: Device | None = None
        self._allowed = select(model, settings.allow_fallback, "allow_fallback")
        self._hook: Any = None
        self._leave: Any = None
        self.standins = _standins(self, choice)
        for standin in self.standins.values():
            standin.module.forward = standin  # pyright: ignore[reportAttributeAccessIssue]
        if self.mode is Mode.DPL:
            self._hook = model.register_forward_hook(without_twins)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model, as `acceleration.model(...)` does."""
        return self.model(*args, **kwargs)

    def __enter__(self) -> Acceleration:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        self.restore()
        if kind is None:
            self.require_no_fallback()

    def restore(self) -> None:
        """Give the modules their own forwards again, and free the device; records stay."""
        with self.turn:
            self.forget()
            for standin in self.standins.values():
                if vars(standin.module).get("forward") is standin:
                    del standin.module.forward
            if self._hook:
                self._hook.remove()
            if self._leave:
                self._leave()
            self._device = self._leave = None

    def forget(self) -> None:
        """Drop all programs: for changes of modules that torch does not count, as those of a plain attribute."""
        with self.turn:
            for standin in self.standins.values():
                standin.programs.forget()

    # ------------------------------------------------------------ weights

    def to_device(self) -> None:
        """Upload the weights of all programs that are known."""
        with self.turn:
            for standin in self.standins.values():
                for program in standin.programs.known:
                    standin.to_device(program)

    def to_host(self) -> None:
        """Free all weights on the device; they stay on the host, ready for the next call."""
        with self.turn:
            for standin in self.standins.values():
                for program in standin.programs.known:
                    program.to_host()

    @property
    def host_bytes(self) -> int:
        """Return the bytes of all weights that are ready on the host."""
        return sum(program.host_bytes for each in self.standins.values() for program in each.programs.known)

    @property
    def device_bytes(self) -> int:
        """Return the bytes of all weights that are on the device."""
        return sum(program.device_bytes for each in self.standins.values() for program in each.programs.known)

    def open(self) -> Device:
        """Return the device that all modules share, for one more session.

        On a card each session joins, as each will leave, and so does the acceleration: the card stays open for it.
        """
        if self._device is None:
            self._device = self._join()
            if isinstance(self._device, TracingDevice):
                self._leave = finalize(self, self._device.leave)
        return self._join() if isinstance(self._device, TracingDevice) else self._device

    def _join(self) -> Device:
        return open_device(self._device_name, target=self.options.target.name)

    def require_room(self, program: ModuleProgram) -> None:
        """Require that a program's weights fit on the card beside those that are there; TtcError otherwise."""
        taken, more, there = self.device_bytes, program.resident_bytes, self.options.target.dram_bytes
        if taken + more > there:
            raise TtcError(
                f"{more:,} bytes of weights do not fit on {self.options.target.name} beside the {taken:,} bytes there: "
                "free_after_use keeps them there for as long as they are used"
            )

    # ------------------------------------------------------------ looking

    @property
    def fallbacks(self) -> list[InTorch]:
        """List the modules that were to run on the device and did not, with reasons, calls and seconds."""
        return [entry for entry in self.records.in_torch.values() if not entry.split]

    def require_no_fallback(self) -> None:
        """Raise TtcError if modules ran in torch that were to run on the device, but for those that are allowed to."""
        found = [entry for entry in self.fallbacks if entry.module not in self._allowed]
        if found:
            calls = sum(entry.calls for entry in found)
            seconds = sum(entry.seconds for entry in found)
            modules = dict(self.model.named_modules())
            lines = [
                f"  {place(each.module, modules[each.module])}, {each.calls} calls: {each.reason}" for each in found
            ]
            raise TtcError("\n".join([f"{calls} calls fell back to torch, for {seconds:.3f} s:", *lines]))

    @property
    def tables(self) -> dict[str, Table]:
        """Return what is known of the calls so far by `TABLES`, to print or to write as CSV."""
        return tables(self.records, self.standins)


def accelerated(model: Any, replace: Any, exclude: Any, settings: Settings) -> Acceleration:
    """Return the acceleration of a model's chosen modules; InputError for a model or names that are of no use."""
    require_names(settings.device, "exact")
    if on_card(settings.device) and (reason := no_card()):
        raise TtcError(reason)
    if type(settings.signatures) is not int or settings.signatures < 1:
        raise InputError(f"signatures is a positive whole number, got {settings.signatures!r}")
    choice = chosen(model, replace, exclude)
    if any(is_lazy(item) for item in tensors_of(model)):
        raise InputError(f"{type(model).__name__} is lazy, its weights have no shapes yet: run it once before")
    for name, module in choice.modules.items():
        own = vars(module).get("forward")
        if isinstance(own, Standin):
            raise InputError(f"{place(name, module)} is accelerated already: restore that acceleration first")
        if own is not None and not _is_own(own, module):
            raise InputError(
                f"{place(name, module)} has a forward that was put in place of its class's: remove that first"
            )
    return Acceleration(model, choice, settings)


def _is_own(forward: Any, module: nn.Module) -> bool:
    """Return whether a forward is that of the module's class, as in a copy of an accelerated model."""
    return inspect.ismethod(forward) and forward.__self__ is module and forward.__func__ is type(module).forward


def _standins(owner: Acceleration, choice: Choice) -> dict[str, Standin]:
    return {
        name: Standin(owner, name, module, inner=holds(name, choice.modules) is not None)
        for name, module in choice.modules.items()
    }
