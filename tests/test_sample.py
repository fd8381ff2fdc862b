"""`python -m tests.sample`: it finds what a name means, and sees each kind of fault."""

from __future__ import annotations

import numpy as np
import pytest

from tests.sample import Row, built, main, number_fault, sample_rows, samples_of, type_fault
from tests.samples.form import S
from ttc import ops
from ttc.calls import binary
from ttc.calls.call import Workspace
from ttc.calls.target import TARGETS
from ttc.errors import InputError
from ttc.ir import DType, TensorType

ERF = S(ops.Erf, x="f32[7,40]")


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("erf", {ops.Erf}),
        ("Erf", {ops.Erf}),
        ("ttnn.erf", {ops.Erf}),
        ("ttnn.pow", {ops.Pow}),
        ("layer_norm", {ops.LayerNorm}),
    ],
)
def test_a_name_is_an_op_s_or_a_call_s(name: str, kinds: set[type]):
    assert {sample.kind for sample in samples_of(name)} == kinds


@pytest.mark.parametrize("name", ["er", "erf ", "ttnn.er", "", "ERF"])
def test_other_names_are_refused(name: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(InputError):
        samples_of(name)
    assert main([name]) == 2
    said = capsys.readouterr()
    assert said.err == f"sample: no sample in tests/samples has an op or a TTNN call named {name!r}\n"
    assert said.out == ""


def test_an_unknown_card_is_refused(capsys: pytest.CaptureFixture[str]):
    assert main(["erf", "--target", "n15"]) == 2
    assert "no target is called 'n15'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("dtype", "found", "fault"),
    [
        ("fp32", np.float32([1.0, 2.0]), ""),
        ("fp32", np.float32([1.0, 2.00001]), ""),
        ("fp32", np.float32([1.0, 2.0001]), "scaled error 5.0e-05, asked is 1e-05"),
        ("fp32", np.float32([1.0, np.nan]), "scaled error inf, asked is 1e-05"),
        ("bf16", np.float32([1.0, 2.0001]), ""),
        ("bf16", np.float32([2.0, 1.0]), "PCC -1.000000, asked is 0.99"),
        ("bf16", np.float64([1.0, 2.0]), "float64[2] instead of float32[2]"),
        ("fp32", np.float32([[1.0, 2.0]]), "float32[1, 2] instead of float32[2]"),
    ],
)
def test_numbers_beyond_the_accuracy_asked_are_faults(dtype: str, found: np.ndarray, fault: str):
    assert number_fault(ERF, dtype, found, np.float32([1.0, 2.0])) == fault


def test_a_wrong_type_rule_is_a_fault(monkeypatch: pytest.MonkeyPatch):
    assert type_fault(ERF) == ""
    monkeypatch.setattr(ops.Erf, "infer", lambda self: TensorType(DType.f32, (7, 41)))
    assert type_fault(ERF) == "the type rule says f32[7,41], torch gives f32[7,40]"


@pytest.mark.parametrize(("refused", "fault"), [(("bf16",), False), (("fp32",), True), ((), True)])
def test_a_refusal_that_its_sample_does_not_expect_is_a_fault(refused: tuple[str, ...], fault: bool):
    sample, card = S(ops.BitCast, x="f32[2,33]", dtype=DType.i32, refused=refused), TARGETS["n150"]
    rows = list(sample_rows(sample, [(card, "bf16", built(sample, card, "bf16"))]))
    assert [bool(row.fault) for row in rows] == [False, fault], rows


def test_the_first_line_of_a_fault_stands_in_the_table():
    assert Row("op", "n150", "found", "refused\nprogram").cells == ("FAULT", "op", "n150", "refused")
    assert Row("op", "n150", "found").cells == ("ok", "op", "n150", "found")


def test_an_op_is_tried_alone(ttnn_python: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    assert main(["ttnn.atan2", "--target", "n150"]) == 0
    said = capsys.readouterr().out
    assert "exact error 0.0e+00; tensix error 0.0e+00" in said
    assert "ttnn.atan2(bfp4 tile, bfp4 tile)" in said
    assert "32,768 B of L1 a core predicted, 32,768 B measured" in said
    monkeypatch.setattr(binary.Atan2, "mix", True)
    monkeypatch.setattr(binary.Atan2, "workspace", lambda self, target: Workspace(100))
    assert main(["ttnn.atan2", "--target", "n150"]) == 1
    said = capsys.readouterr().out
    assert "Mixed dtype is not supported" in said
    assert "needs 32768 B of L1 a core, said Workspace(circular_buffers=100" in said
