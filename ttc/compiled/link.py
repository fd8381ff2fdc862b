"""Links between executables: one takes as inputs what another leaves on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ttc.calls.call import spec_of
from ttc.compiled.executable import Executable
from ttc.compiled.forms import with_forms
from ttc.errors import InputError
from ttc.ir import DRAM, Spec, TensorType
from ttc.runtime.run.buckets import Bucket

Source = tuple[Executable, str]
"""An executable and the name of one of its outputs."""


def linked(executable: Executable, sources: Mapping[str, Source]) -> Executable:
    """Return the executable with each named input in the form in which its source leaves that output.

    InputError where an input and an output differ in type in all buckets, or where an output has several forms.
    """
    if not sources:
        return executable
    forms = [wanted_forms(bucket, sources) for bucket in executable.buckets]
    for name, (source, output) in sources.items():
        if not any(name in each for each in forms):
            wanted, given = _types(executable, name, "inputs"), _types(source, output, "outputs")
            raise InputError(f"input {name!r} is {wanted}, the output {output!r} that is linked to it {given}")
    pairs = zip(executable.buckets, forms, strict=True)
    return replace(executable, buckets=tuple(with_forms(bucket, each) for bucket, each in pairs))


def wanted_forms(bucket: Bucket, sources: Mapping[str, Source]) -> dict[str, Spec]:
    """Return the forms that a bucket has to take its linked inputs in; none for inputs that no bucket before fits."""
    declared = dict(bucket.program.inputs)
    forms = {}
    for name, (source, output) in sources.items():
        if name not in declared:
            raise InputError(f"there is no input {name!r} to link; the program takes {', '.join(declared)}")
        found = _form(declared[name], source, output)
        if found is not None:
            forms[name] = found
    return forms


def _form(type: TensorType, source: Executable, output: str) -> Spec | None:
    """Return the form in which an executable leaves an output, in the buckets where it has this type, if in any."""
    if output not in dict(source.program.outputs):
        known = ", ".join(dict(source.program.outputs))
        raise InputError(f"there is no output {output!r} to link to; there are {known}")
    fitting = [bucket for bucket in source.buckets if dict(bucket.program.outputs)[output] == type]
    forms = list(dict.fromkeys(spec_of(dict(bucket.program.graph.outputs)[output]) for bucket in fitting))
    if len(forms) > 1 or (forms and forms[0].memory != DRAM):
        raise InputError(f"the output {output!r} cannot be linked: on the device it is {_listed(forms)}")
    return forms[0] if forms else None


def _types(executable: Executable, name: str, side: str) -> str:
    return _listed([dict(getattr(bucket.program, side))[name] for bucket in executable.buckets])


def _listed(types: Sequence[TensorType]) -> str:
    return " or ".join(dict.fromkeys(map(str, types)))
