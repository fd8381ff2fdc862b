import pytest
import torch

import ttc.frontend.export  # noqa: F401  (fills the table)
from ttc.frontend.export.reader import MEANINGLESS
from ttc.frontend.export.table import REFUSED, TABLE, binds

OTHER_FORMS = {
    "aten.where.default",
    *(f"aten.{name}.dtype" for name in ("mm", "bmm", "addmm", "baddbmm")),
}
"""Overloads that an entry does not read: they are refused in a sentence."""


def packet_of(name):
    """The op without overload that an entry names: aten's, or one of our own."""
    space, _, rest = name.rpartition("::")
    return getattr(getattr(torch.ops, space or "aten"), rest.partition(".")[0], None)


def overloads(name):
    """The aten overloads that an entry reads: the one it names, or those not listed by themselves."""
    packet, _, overload = name.partition(".")
    found = packet_of(name)
    names = [overload] if overload else [each for each in found.overloads() if f"{packet}.{each}" not in TABLE]
    return [op for op in (getattr(found, each) for each in names) if is_exported(op)]


def is_exported(op):
    """Exported graphs hold functional ops on tensors, without names of dimensions and lists of lists."""
    arguments = op._schema.arguments
    written = any(argument.is_out or (argument.alias_info and argument.alias_info.is_write) for argument in arguments)
    makes = any("Tensor" in str(result.type) for result in op._schema.returns)
    named = any("name" in argument.name for argument in arguments)
    return makes and not written and not named and "Dict" not in op._overloadname and str(op) != "aten.einsum.sublist"


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_entry_takes_what_its_op_takes(name):
    for op in overloads(name):
        positional = [argument.name for argument in op._schema.arguments if not argument.kwarg_only]
        keywords = [argument.name for argument in op._schema.arguments if argument.kwarg_only]
        taken = binds(TABLE[name], positional, {key: None for key in keywords if key not in MEANINGLESS})
        assert taken != (str(op) in OTHER_FORMS), op


@pytest.mark.parametrize("name", sorted(TABLE) + sorted(REFUSED))
def test_torch_has_every_entry(name):
    overload = name.partition(".")[2]
    assert packet_of(name) is not None
    assert not overload or overload in packet_of(name).overloads()


def test_no_op_is_both_read_and_refused():
    assert not REFUSED.keys() & {name.partition(".")[0] for name in TABLE} - {"repeat_interleave"}
