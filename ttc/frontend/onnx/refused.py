"""ONNX operators that no program of TTNN calls can be, with the reason and a remedy."""

from __future__ import annotations

SIZE = "the size of its result depends on run-time data, and a program's sizes are fixed: end the model before it"
RANDOM = "gives random numbers: give them to the model as an input"
HOST = "works on text or files: do it before the model"

REASONS: dict[tuple[str, str], str] = {
    ("", "NonMaxSuppression"): SIZE,
    ("", "Unique"): SIZE,
    ("", "Multinomial"): RANDOM,
    ("", "ImageDecoder"): HOST,
    ("", "RegexFullMatch"): HOST,
    ("", "StringConcat"): HOST,
    ("", "StringNormalizer"): HOST,
    ("", "StringSplit"): HOST,
    ("", "TfIdfVectorizer"): "counts n-grams, whose matches lie anywhere in its input: do it before the model",
    ("ai.onnx.preview.training", "Gradient"): "is the gradient of a graph: export the gradient's own graph",
}

DOMAINS = {"com.microsoft.nchwc": "is onnxruntime's form for the CPU that it ran on: give the model as it was before"}
"""Domains none of whose operators is read, with the reason and a remedy."""
