"""The support table says what the registries hold."""

from pathlib import Path

from ttc import backend, ops
from ttc.cli import main
from ttc.commands.support import Support, supported


def of(kind) -> Support:
    return next(support for support in supported() if support.kind is kind)


def test_every_op_is_listed_once():
    kinds = [support.kind for support in supported()]
    assert len(kinds) == len(set(kinds))
    assert set(backend.RULES) <= set(kinds)


def test_who_becomes_an_op_and_what_it_becomes():
    softmax = of(ops.Softmax)
    assert softmax.onnx == ("Softmax",)
    assert "softmax" in softmax.aten
    assert "ttnn.softmax" in softmax.calls


def test_builders_and_dictionaries_are_looked_through():
    assert "Split" in of(ops.Slice).onnx  # by the builder's own method
    assert "ttnn.sqrt" in of(ops.Sqrt).calls  # by an entry in a dictionary of ops
    assert "ttnn.sqrt" not in of(ops.Sin).calls


def test_what_is_known_when_compiling_has_no_calls():
    assert of(ops.Full).calls == ()


def test_markdown(capsys):
    assert main(["ops", "--markdown"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# Supported ops\n")
    assert "| softmax | exp(x - max) / sum(exp(x - max)) along `dim`. | Softmax | " in text


def test_dtypes_are_those_of_the_type_rules():
    assert of(ops.Sqrt).dtypes == ("f32", "bf16", "bfp8", "bfp4")
    assert "i32" in of(ops.Add).dtypes
    assert "i32" not in of(ops.Softmax).dtypes


def test_the_page_in_docs_is_the_table_of_now(capsys):
    main(["ops", "--markdown"])
    page = Path(__file__).parents[2] / "docs" / "ops.md"
    assert capsys.readouterr().out == page.read_text(), "renew it: ttc ops --markdown > docs/ops.md"
