"""`Chain`: executables that hand tensors to each other on one device, saved as one folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from ttc.compiled.chain_session import ChainSession
from ttc.compiled.executable import Executable
from ttc.compiled.link import linked, wanted_forms
from ttc.errors import InputError
from ttc.guard.files import as_path, filling_folder
from ttc.runtime.file.artifact import load as load_artifact
from ttc.runtime.run.device import Device
from ttc.runtime.run.devices import on_card, open_device

Links = Mapping[str, Mapping[str, tuple[str, str]]]
"""For each stage by name: which of its inputs take which output of which stage before."""


@dataclass(frozen=True)
class Chain:
    """Executables by the names of their stages, in order; linked inputs have the form that the stage before leaves."""

    stages: Mapping[str, Executable]
    links: Links

    @classmethod
    def of(cls, stages: Mapping[str, Executable], links: Links) -> Chain:
        """Link executables; InputError, naming the stage, where an output cannot be an input."""
        chained: dict[str, Executable] = {}
        for name, executable in stages.items():
            try:
                sources = {i: (chained[stage], output) for i, (stage, output) in links.get(name, {}).items()}
                chained[name] = linked(executable, sources)
            except InputError as error:
                raise InputError(f"{name}: {error}") from None
        return cls(chained, links)

    @classmethod
    def load(cls, folder: str | PathLike[str], names: tuple[str, ...], links: Links) -> Chain:
        """Load the artifacts `NAME.ttc` of a folder; InputError for one that is damaged or not linked as `links`."""
        path = as_path(folder)
        if not path.is_dir():
            raise InputError(f"{path} is no folder of compiled programs")
        chain = cls({name: Executable(*load_artifact(path / f"{name}.ttc")) for name in names}, links)
        chain._require_links(path)
        return chain

    def save(self, folder: str | PathLike[str], progress: Callable[[str], None] | None = None) -> None:
        """Write each executable as `NAME.ttc` into a folder; one that is made for them appears with all of them."""
        with filling_folder(folder) as path:
            for name, executable in self.stages.items():
                executable.save(path / f"{name}.ttc", progress)

    def session(self, device: str | None = None, mode: str = "exact", trace: bool = True) -> ChainSession:
        """Open a session of every stage on one device; on a card runs are traced unless `trace` is false."""
        sizes = [executable.trace_sizes for executable in self.stages.values()] if trace and on_card(device) else []
        region = sum(sum(each) for each in sizes if all(each))
        target = next(iter(self.stages.values())).program.target
        opened: Device | None = None
        with ExitStack() as so_far:
            sessions = {}
            for name, executable in self.stages.items():
                if opened is None or on_card(device):  # each session leaves the card, and so each joins
                    opened = open_device(device, mode, target, region)
                sessions[name] = so_far.enter_context(executable.session_on(opened, trace))
            so_far.pop_all()
        return ChainSession(sessions)

    def _require_links(self, folder: Path) -> None:
        """Require that every stage takes what the stages before leave, in the very form."""
        for name, taken in self.links.items():
            sources = {own: (self.stages[stage], output) for own, (stage, output) in taken.items()}
            for bucket in self.stages[name].buckets:
                found, _ = bucket.program.graph.signature()
                try:
                    wanted = wanted_forms(bucket, sources)
                except InputError as error:
                    raise InputError(f"{folder / name}.ttc: {error}") from None
                if any(found[own] != form for own, form in wanted.items()):
                    raise InputError(f"{folder / name}.ttc does not take what stages before it leave: compile again")
