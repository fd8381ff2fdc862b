"""Attributes of ONNX nodes: their defaults at each opset are ONNX's, and none of another kind is read."""

import inspect
from collections.abc import Iterator

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, helper

from tests.frontend.onnx_models import assert_agree, model_of
from tests.frontend.test_onnx_operators import check, normal
from ttc.errors import Refused
from ttc.frontend.onnx import load, table
from ttc.frontend.onnx.attributes import FORGOTTEN, schema_kinds

OTHER_DEFAULTS = {
    "Clip.max": "None stands for the whole range of float32",
    "Clip.min": "None stands for the whole range of float32",
    "Gemm.broadcast": "what does not broadcast is equal in shape",
    "GridSample.mode": "opset 16 calls it bilinear, later ones linear",
    "RNN.activations": "none given stands for the operator's own, one for each direction",
}
"""Defaults that are written otherwise than in ONNX, and why they say the same."""


def defaults() -> Iterator[tuple[str, object, object]]:
    """`Operator-version.attribute`, ONNX's default and ours, for each version of each operator that is read."""
    for schema in onnx.defs.get_all_schemas_with_history():
        domain = "" if schema.domain == "ai.onnx" else schema.domain
        entry = table.find(domain, schema.name, schema.since_version)
        if entry is None or schema.deprecated:
            continue
        ours = inspect.signature(entry.function).parameters
        for name, item in schema.attributes.items():
            if item.default_value.name and name in ours:
                theirs = helper.get_attribute_value(item.default_value)
                yield f"{schema.name}-{schema.since_version}.{name}", theirs, ours[name].default


def _same(theirs: object, ours: object) -> bool:
    if isinstance(theirs, bytes):
        return theirs.decode() == ours
    if isinstance(theirs, float) and isinstance(ours, float):
        return np.float32(theirs) == np.float32(ours)
    return theirs == ours


def test_defaults_are_those_of_each_opset():
    found = list(defaults())
    assert len(found) > 500
    other = {name for name, theirs, ours in found if not _same(theirs, ours)}
    plain = {f"{name.partition('-')[0]}.{name.partition('.')[2]}" for name in other}
    assert plain == set(OTHER_DEFAULTS), sorted(other)


@pytest.mark.parametrize(
    ("opset", "axis"),
    [(7, None), (7, 1), (11, None), (11, -1), (11, 0), (11, 1), (12, 2), (13, None), (13, -1), (13, 1)],
)
def test_hardmax_is_flat_before_opset_13(opset: int, axis: int | None):
    check("Hardmax", {"x": normal(2, 3, 4)}, opset, **({} if axis is None else {"axis": axis}))


def test_concatenation_of_the_first_opsets_runs_along_axis_1():
    x = {"x": normal(2, 3), "z": normal(2, 3)}
    node = helper.make_node("Concat", ["x", "z"], ["y"])
    (output,) = load(model_of([node], x, opset=3)).outputs
    assert output[1].type.shape == (2, 6)
    with pytest.raises(Refused, match="lacks its attribute axis"):
        load(model_of([node], x, opset=4))


WRONG = {
    AttributeProto.INT: 1, AttributeProto.FLOAT: 1.5, AttributeProto.STRING: "a", AttributeProto.INTS: [1, 1],
    AttributeProto.FLOATS: [0.5], AttributeProto.STRINGS: ["a"],
}  # fmt: skip
UNKNOWN_TO_ONNX = [
    name for name in table.entries() if schema_kinds(name.rpartition(".")[2], name.rpartition(".")[0], 30) is None
]


@pytest.mark.parametrize("name", UNKNOWN_TO_ONNX)
def test_attributes_of_operators_that_onnx_has_no_schema_of(name: str):
    entry, (domain, _, kind) = table.entries()[name], name.rpartition(".")
    assert set(entry.attribute_kinds) == set(entry.attributes), "annotate it, or give it a default"
    inputs = {f"x{i}": normal(2, 4, 4) for i in range(max(len(entry.inputs), 1))}
    for attribute, right in entry.attribute_kinds.items():
        for wrong in set(WRONG) - {right}:
            node = helper.make_node(kind, [*inputs], ["y"], domain=domain, **{attribute: WRONG[wrong]})
            sentence = f"its attribute {attribute} should be of kind {AttributeProto.AttributeType.Name(right)}"
            with pytest.raises(Refused, match=sentence):
                load(model_of([node], inputs, domains={domain: 1} if domain else {}))


def test_attributes_of_another_opset_are_refused():
    """ONNX knows no kind of these, so that any would be read."""
    x = {"x": normal(2, 3)}
    for axis in (1, "one"):
        node = helper.make_node("ReduceSum", ["x"], ["y"], axes=[axis])
        with pytest.raises(Refused, match=r"ReduceSum: its attribute axes = .* is not supported"):
            load(model_of([node], x, opset=13))


def test_what_says_nothing_of_the_result_is_passed_over():
    x = {"x": normal(2, 3)}
    (name,) = FORGOTTEN
    node = helper.make_node("Relu", ["x"], ["y"], **{name: [0]})
    assert len(load(model_of([node], x, opset=5)).nodes) == 2
    assert_agree(model_of([helper.make_node("Relu", ["x"], ["y"])], x), x)
