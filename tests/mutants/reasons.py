"""Mutants that change nothing, and why: (file, the lines taken out, the lines put in)."""

from __future__ import annotations

UNPLACED = '"memory_config" not in field_names(type(call)) or not runs_alike_in_l1(call):'

EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "ttc/backend/rules/joint.py",
        "shape = leading[0].shape",
        "shape = leading[ 1].shape",
    ): "queries and keys of a sequence are of one shape",
    (
        "ttc/backend/rules/matmul.py",
        "known = to.derive(ops.Full(TensorType(x.dtype, row.shape[-1:]), number))",
        "known = to.derive(ops.Full(TensorType(x.dtype, row.shape[+1:]), number))",
    ): "the row is of rank 2: dimension 1 is the last",
    (
        "ttc/passes/padding/flow.py",
        "for value, abstract, lost in zip(values, abstracts, overflowing, strict=True)",
        "for value, abstract, lost in zip(values, abstracts, overflowing, strict=False)",
    ): "a check of our own: there is one flag for each abstract value",
    (
        "ttc/backend/rules/scan.py",
        "short = totals.shape[-1] <= SHORT",
        "short = totals.shape[+1] <= SHORT",
    ): "totals are of rank 2: dimension 1 is the last",
    (
        "ttc/backend/plan/place.py",
        "@dataclass(frozen=True)",
        "@dataclass(frozen=False)",
    ): "forbids what no code does",
    (
        "ttc/backend/plan/place.py",
        f"if not isinstance(call, Call) or {UNPLACED}",
        f"if not isinstance(call, Call) and {UNPLACED}",
    ): "calls that take no memory configuration keep their results where they are, which their inferred types show",
    (
        "ttc/calls/unary.py",
        "threshold: float = 20.0",
        "threshold: float = 19.0",
    ): "log(1 + exp(19)) is 19 to float32's last bit",
    (
        "ttc/frontend/onnx/control.py",
        "found.append(_stacked(items, axis_of(axes[i], items[0].rank + 1)))",
        "found.append(_stacked(items, axis_of(axes[i], items[ -1].rank + 1)))",
    ): "the results of all steps are of one rank",
    (
        "ttc/frontend/onnx/tensors.py",
        "if tensor.data_location == TensorProto.EXTERNAL:",
        "if tensor.data_location >= TensorProto.EXTERNAL:",
    ): "there are two locations, and this is the second",
    (
        "ttc/passes/padding/constants.py",
        "@dataclass(frozen=True)",
        "@dataclass(frozen=False)",
    ): "forbids what no code does",
    (
        "ttc/passes/padding/infer_lengths.py",
        "self.values.update(zip(rows, results, strict=True))",
        "self.values.update(zip(rows, results, strict=False))",
    ): "a check of our own: there are as many rows as results",
}
