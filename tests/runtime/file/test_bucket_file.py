"""Buckets as JSON: what is written is read, and what does not fit the program is refused."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

import ttc
from ttc.errors import InputError
from ttc.runtime.file.bucket_file import bucket_from_json, bucket_to_json
from ttc.runtime.run.buckets import Bucket


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 8, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lstm(x)[0]


@cache
def bucket() -> Bucket:
    compiled = ttc.compile(Net().eval(), torch.zeros(3, 8, 4), dynamic_shapes=({1: "T"},), lengths={"T": [4, 8]})
    return compiled.buckets[-1]


def changed(change: Callable[[dict[str, Any]], object]) -> Bucket:
    item = deepcopy(bucket_to_json(bucket()))
    change(item)
    return bucket_from_json(item, bucket().program)


def test_a_bucket_is_read_as_it_was_written():
    assert changed(lambda item: None) == bucket()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda item: item["sizes"].update(N=3), "does not name the program's inputs"),
        (lambda item: item["names"].update(T="x"), "does not name the program's inputs"),
        (lambda item: item["inputs"].pop("x"), "does not name the program's inputs"),
        (lambda item: item["inputs"].update(z=item["inputs"]["x"]), "does not name the program's inputs"),
        (lambda item: item["outputs"].clear(), "does not name the program's outputs"),
        (lambda item: item.update(samples=2), "takes lengths of another shape than the program"),
        (lambda item: item["inputs"]["x"][0].append(None), "has other dimensions for 'x' than the program"),
        (lambda item: item["inputs"]["x"].__setitem__(1, 3), "has other dimensions for 'x' than the program"),
        (lambda item: item["inputs"]["x"].__setitem__(1, -1), "has other dimensions for 'x' than the program"),
        (lambda item: item["inputs"]["x"].__setitem__(1, 2), "has other samples for 'x' than the program"),
        (lambda item: item["sizes"].update(T=7), "has other sizes for 'x' than the program"),
        (lambda item: item["least"].append([[[["N", 1]], 0], 1]), "has no length for N"),
    ],
)
def test_what_does_not_fit_the_program_is_refused(change: Callable[[dict[str, Any]], object], message: str):
    with pytest.raises(InputError, match=message):
        changed(change)


def test_a_length_may_be_told_by_shapes_alone():
    """Of a length that the program takes no number of."""
    length, size = [[[["N", 1]], 0]], dict(bucket().program.inputs)["x"].shape[2]

    def told(item: dict[str, Any]) -> None:
        item["sizes"].update(N=size)
        item["inputs"]["x"][0][2] = length[0]

    assert changed(told).sizes == {**bucket().sizes, "N": size}


@pytest.mark.parametrize("field", ["samples", "sizes", "multiples", "names", "masks"])
@pytest.mark.parametrize("wrong", [True, 0, -1, 1.5, None, [1], 1 << 63])
def test_what_is_no_number_or_name_is_malformed(field: str, wrong: Any):
    def change(item: dict[str, Any]) -> None:
        match item[field]:
            case dict() as named:
                named["T"] = wrong
            case list() as listed:
                listed.append(wrong)
            case _:
                item[field] = wrong

    with pytest.raises(ValueError, match=r"is no name|is no whole number|is not positive"):
        changed(change)
