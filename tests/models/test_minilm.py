"""The trained sentence embedder, by torch.export and by ONNX: cosines and nearest neighbours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import ttc
from tests.cards import FIRST, SISTERS, swept
from tests.mock_cards import check
from ttc.calls.layout import ToLayout, Typecast
from ttc.calls.target import TARGETS
from ttc.models import minilm

TOPICS = {
    "cat": ["A cat sleeps on the sofa.", "The kitten naps in the sun.", "Two cats chase a mouse."],
    "money": ["Interest rates rose again.", "The bank tightened its policy.", "Inflation worries investors."],
    "music": ["She tuned her violin.", "The orchestra rehearsed all day.", "He plays piano in a jazz trio."],
    "rain": ["It rained for three days.", "The storm flooded the streets.", "Clouds gathered over the hills."],
    "code": ["The compiler rejected the program.", "She fixed a bug in the parser.", "Tests run on every commit."],
    "food": ["He baked fresh bread.", "The soup needs more salt.", "They cooked rice with vegetables."],
    "space": ["The probe reached Saturn.", "Astronauts repaired the telescope.", "A comet crossed the sky."],
    "sport": ["The team won the final.", "She ran a marathon in spring.", "The goalkeeper saved a penalty."],
    "sea": ["Waves broke on the cliffs.", "The ship left the harbour.", "Dolphins followed the boat."],
    "law": ["The court heard the appeal.", "A judge dismissed the case.", "The contract was signed today."],
}
PLACES = ["Paris", "Tokyo", "Cairo", "Lima", "Oslo"]
SENTENCES = [sentence for group in TOPICS.values() for sentence in group]
SENTENCES += [f"The train to {place} leaves at noon." for place in PLACES]
SENTENCES += [f"Winter in {place} can be surprising." for place in PLACES]
SENTENCES += [f"I have never been to {place}." for place in PLACES]
SENTENCES += [f"The food in {place} is famous." for place in PLACES]


@pytest.fixture(scope="module")
def tokens() -> dict[str, torch.Tensor]:
    assert len(SENTENCES) == 50
    return minilm.tokenize(SENTENCES)


@pytest.fixture(scope="module")
def wanted(tokens: dict[str, torch.Tensor]) -> np.ndarray:
    module, _ = minilm.MODEL.build()
    with torch.no_grad():
        return module(**tokens).numpy()


@pytest.fixture(scope="module")
def onnx_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("minilm") / "minilm.onnx"
    minilm.export_onnx(path, minilm.tokenize(SENTENCES))
    return path


def nearest(embeddings: np.ndarray) -> list[int]:
    scores = embeddings @ embeddings.T
    np.fill_diagonal(scores, -np.inf)
    return list(scores.argmax(-1))


def assert_same_neighbours(found: np.ndarray, wanted: np.ndarray):
    cosine = (found * wanted).sum(-1) / np.linalg.norm(found, axis=-1) / np.linalg.norm(wanted, axis=-1)
    assert cosine.min() >= 0.999
    assert nearest(found) == nearest(wanted)


def test_by_export(tokens: dict[str, torch.Tensor], wanted: np.ndarray):
    module, _ = minilm.MODEL.build()
    assert_same_neighbours(ttc.compile(module)(**tokens).numpy(), wanted)


def test_by_onnx(tokens: dict[str, torch.Tensor], wanted: np.ndarray, onnx_path: Path):
    found = ttc.compile(onnx_path).run({name: tensor.numpy() for name, tensor in tokens.items()})
    assert_same_neighbours(found["sentence_embedding"], wanted)


@pytest.mark.parametrize(
    ("target", "form"),
    [
        *zip(FIRST, ("export", "onnx"), strict=True),
        *map(swept, FIRST, ("onnx", "export")),
        *(swept(card, form) for card in SISTERS for form in ("export", "onnx")),
    ],
)
def test_real_ttnn_accepts_every_call_as_predicted(target: str, form: str, onnx_path: Path, ttnn_python: str):
    module, _ = minilm.MODEL.build()
    model, kwargs = (module, minilm.tokenize(SENTENCES)) if form == "export" else (onnx_path, None)
    compiled = ttc.compile(model, kwargs=kwargs, target=target)
    report = check(compiled.build.program, TARGETS[target])
    assert report.ok, report.faults
    assert compiled.report.to_dict()["host_ops"] == 0
    nodes = compiled.build.program.graph.nodes
    norms = [i for i, node in enumerate(nodes) if node.op.mnemonic == "ttnn.layer_norm"]
    inside = nodes[norms[0] : norms[-1]]
    assert not [node.op.mnemonic for node in inside if isinstance(node.op, (ToLayout, Typecast))]
