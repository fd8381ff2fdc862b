"""The encoder of any number of layers: as many nodes and calls more with each, and the figures' table."""

import onnx
import pytest

import ttc
from bench import growth


def test_each_layer_adds_as_much():
    models = [growth.encoder(layers) for layers in (1, 2, 3)]
    for model in models:
        onnx.checker.check_model(model)
    assert [len(model.graph.node) for model in models] == [24, 48, 72]
    one, two, three = (ttc.compile(model).report.calls for model in models)
    assert three - two == two - one > 8


def test_the_table_has_a_row_for_each_size(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(growth, "LAYERS", (1, 3))
    monkeypatch.setattr(growth, "ROUNDS", 1)
    (table,) = growth.tables()
    first, second = (dict(zip(table.head, row, strict=True)) for row in table.rows)
    assert (first["nodes"], second["nodes"]) == (24, 72)
    assert first["over the first"] == 1
    assert second["over the first"] == pytest.approx(float(second["CPU s"]) / 3 / float(first["CPU s"]))
