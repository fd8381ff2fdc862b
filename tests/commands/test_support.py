"""The support table says what the registries hold."""

from pathlib import Path

import pytest

from tests.samples import SAMPLES
from tests.spellings import spellings
from tests.support import lowerings, sampled_builds
from ttc import backend, ops
from ttc.cli import main
from ttc.commands.support import Support, recorded, supported


def of(kind) -> Support:
    return next(support for support in supported() if support.kind is kind)


def test_every_op_is_listed_once():
    kinds = [support.kind for support in supported()]
    assert len(kinds) == len(set(kinds))
    assert set(backend.RULES) <= set(kinds)


def test_who_becomes_an_op_and_what_it_becomes():
    softmax = of(ops.Softmax)
    assert softmax.onnx == ("Softmax", "com.microsoft.QLinearSoftmax")
    assert "softmax" in softmax.aten
    assert "ttnn.softmax" in softmax.calls


def test_expressions_are_looked_through():
    assert "Split" in of(ops.Slice).onnx  # by a method
    assert "hardshrink" in of(ops.Le).aten  # by an operator
    assert "hardshrink" in of(ops.Full).aten  # by a number beside an expression
    assert "logsumexp" in of(ops.Exp).aten  # by a function of both front ends
    assert "ReduceLogSumExp" in of(ops.Exp).onnx


def test_arithmetic_of_sizes_is_no_spelling():
    assert "Flatten" not in of(ops.Mul).onnx + of(ops.Eq).onnx
    assert "argmax" not in of(ops.Sub).aten


def test_what_is_known_when_compiling_has_no_calls():
    assert of(ops.Full).calls == ()


def test_markdown(capsys):
    assert main(["ops", "--markdown"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# Supported ops\n")
    assert "along `dim`. | Softmax, com.microsoft.QLinearSoftmax | " in text


def test_an_op_becomes_no_call_that_its_rule_makes_of_others():
    assert of(ops.Atan2).calls == ("ttnn.atan2",)
    assert "ttnn.sqrt" in of(ops.Sqrt).calls
    assert "ttnn.sqrt" not in of(ops.Sin).calls


def test_dtypes_are_those_of_programs():
    assert {"f32", "bf16"} <= set(of(ops.Sqrt).dtypes)
    assert "i32" in of(ops.Add).dtypes
    assert "i32" not in of(ops.Matmul).dtypes + of(ops.Softmax).dtypes
    assert {"bfp8", "bfp4"} <= set(of(ops.Linear).dtypes)


def test_the_record_has_every_op_of_the_samples():
    assert set(recorded()) == {sample.kind.mnemonic for sample in SAMPLES}


@pytest.mark.sweep
def test_the_record_is_what_compiling_gives_now():
    found = {name: {key: entry[key] for key in ("calls", "dtypes")} for name, entry in recorded().items()}
    assert found == lowerings(sampled_builds()), "renew it: python -m tests.support"


def test_the_record_is_what_the_front_ends_spell_now():
    found = {name: {key: entry[key] for key in ("onnx", "aten")} for name, entry in recorded().items()}
    spelt = spellings()
    assert found == {name: spelt[name] for name in recorded()}, "renew it: python -m tests.support"


def test_the_page_in_docs_is_the_table_of_now(capsys):
    main(["ops", "--markdown"])
    page = Path(__file__).parents[2] / "docs" / "ops.md"
    assert capsys.readouterr().out == page.read_text(), "renew it: python -m tests.support"
