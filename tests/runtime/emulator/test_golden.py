"""The emulator against TTNN's own golden functions: every call that a sample reaches, with the call's own arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import pytest
import torch

from tests.runtime.emulator.golden_functions import Golden, StandInModule, golden_functions
from tests.samples import SAMPLES
from ttc.calls.binary import BinaryCall
from ttc.calls.call import Call, spec_of
from ttc.calls.spelling import arguments, build, spelled
from ttc.calls.target import TARGETS
from ttc.errors import Refused
from ttc.ir import DType, Spec, Value
from ttc.pipeline import Options, compile_graph
from ttc.runtime.emulator.binary import KEEP_NUMBERS
from ttc.runtime.emulator.device import EmulatorDevice
from ttc.runtime.run.session import Session
from ttc.validation.accuracy import scaled_error

TOLERANCE = 1e-5
BF16_TOLERANCE = 2.0**-8
"""Of results that the emulator rounds to bf16, once, and golden functions do not."""

WITHOUT = {
    "ttnn.conv_transpose2d",
    "ttnn.experimental.nlp_concat_heads_decode",
    "ttnn.experimental.nlp_create_qkv_heads_decode",
    "ttnn.experimental.paged_fill_cache",
    "ttnn.experimental.paged_update_cache",
    "ttnn.experimental.rotary_embedding_hf",
    "ttnn.experimental.rotary_embedding_llama",
    "ttnn.empty",  # whose numbers nobody may rely on
    "ttnn.prepare_conv_bias",  # a layout of TTNN's own, which convolutions alone read
    "ttnn.prepare_conv_transpose2d_bias",
    "ttnn.prepare_conv_transpose2d_weights",
    "ttnn.prepare_conv_weights",
}
"""Emulated calls that TTNN has no golden function for."""

CANNOT_RUN = {
    "ttnn.avg_pool2d": "its golden function imports TTNN's tests, which the wheel lacks",
    "ttnn.max_pool2d": "its golden function imports TTNN's tests, which the wheel lacks",
    "ttnn.conv2d": "its golden function takes the weights as they were before the card prepared them",
}
"""Calls whose golden function cannot be compared, and why; the samples compare them with torch."""

UNKNOWN = {"RSQRT"}
"""Functions inside binary calls that golden functions have in no table; the samples compare these with torch."""

VIEWS = "padded_shape"
"""An argument of reshapes that are views of the first rows of tiles: golden functions know no padding. The samples of
one token compare these with torch."""

PLACES = {"memory_config", "compute_kernel_config"}
"""Keywords that say where and how exactly a card works: not every golden function takes them, none reads them."""


class Listener(EmulatorDevice):
    """An emulator that puts each call to its golden function too, and notes what comes of it."""

    def __init__(self, golden: Mapping[str, Golden | None], ttnn: StandInModule):
        super().__init__("exact")
        self.golden, self.ttnn = golden, ttnn
        self.compared: dict[str, int] = {}
        self.without: set[str] = set()
        self.faults: dict[str, list[str]] = {}

    def run(self, call: Call, operands: Mapping[str, Any], specs: tuple[Spec, ...]) -> tuple[torch.Tensor, ...]:
        results = super().run(call, operands, specs)
        function = self.golden.get(call.mnemonic)
        if function is None:
            self.without.add(call.mnemonic)
        elif any(each.op_type in UNKNOWN for each in _activations(call)) or getattr(call, VIEWS, None):
            pass
        elif call.mnemonic not in CANNOT_RUN and (fault := self._fault(function, call, operands, results)):
            self.faults.setdefault(call.mnemonic, []).append(f"{call}: {fault}")
        return results

    def _fault(self, function: Golden, call: Call, operands: Mapping[str, Any], results: tuple) -> str:
        """What is wrong with the emulated results; "" if nothing is."""
        names = [field.name for field in fields(call) if not field.kw_only]  # type: ignore[arg-type]
        positional, keywords = arguments(call)
        given = [
            self._argument(operands, name, _packed(call, item)) for name, item in zip(names, positional, strict=True)
        ]
        named = {name: self._argument(operands, name, item) for name, item in keywords.items() if name not in PLACES}
        wanted = function(*given, **named)
        self.compared[call.mnemonic] = self.compared.get(call.mnemonic, 0) + 1
        if getattr(call, "output_concat_heads", False):  # which the golden function leaves undone
            wanted = wanted.transpose(1, 2).flatten(2).unsqueeze(1)
        wanted = wanted if isinstance(wanted, (tuple, list)) else (wanted,)
        faults = (_difference(x, y) for x, y in zip(results, wanted, strict=True))
        return next(filter(None, faults), "")

    def _argument(self, operands: Mapping[str, Any], name: str, item: Any) -> Any:
        """An argument as a golden function takes it: torch tensors, TTNN's names, plain numbers."""
        if isinstance(item, Value) or (isinstance(item, tuple) and item and isinstance(item[0], Value)):
            return _copy(operands[name])
        return build(spelled(item), self.ttnn)


def _activations(call: Call) -> list[Any]:
    """The functions of the result, and those of operands."""
    names = [field.name for field in fields(call) if field.name.endswith("activations")]  # type: ignore[arg-type]
    return [each for name in names for each in getattr(call, name)]


def _packed(call: Call, item: Any) -> Any:
    """A number as it reaches the card: beside bf16 as bf16, which golden functions leave undone."""
    narrow = isinstance(call, BinaryCall) and not isinstance(call, KEEP_NUMBERS)
    narrow = narrow and spec_of(call.tensors[0]).dtype is DType.bf16
    return torch.tensor(item, dtype=torch.bfloat16).item() if narrow and isinstance(item, float) else item


def _copy(item: Any) -> Any:
    """Tensors of one's own, as some golden functions write to their operands; in fp32, in which the card adds up."""
    if isinstance(item, list):
        return [_copy(x) for x in item]
    return item.to(torch.float32, copy=True) if item.is_floating_point() else item.clone()


def _difference(found: torch.Tensor, wanted: torch.Tensor) -> str:
    if found.shape != wanted.shape:
        return f"its shape is {list(found.shape)}, not {list(wanted.shape)}"
    if not found.numel():
        return ""
    tolerance = BF16_TOLERANCE if found.dtype is torch.bfloat16 else TOLERANCE
    error = scaled_error(*(x.to(torch.float64).numpy() for x in (found, wanted)))
    return "" if error <= tolerance else f"its scaled error is {error:.2g}"


@pytest.fixture(scope="module")
def listener(ttnn_python: str) -> Iterator[Listener]:
    """What a listener has heard of the programs of all samples."""
    with golden_functions(ttnn_python) as (golden, ttnn):
        heard = Listener(golden, ttnn)
        for index in range(len(SAMPLES)):
            _run(index, "fp32", heard)
            _run(index, "bf16", heard)
        yield heard


def _run(index: int, dtype: str, listener: Listener) -> None:
    graph, inputs = SAMPLES[index].graph()
    try:
        build = compile_graph(graph, Options(TARGETS["n150"], dtype))
    except Refused:
        return
    Session([build.bucket], build.weights, listener).run({name: tensor.numpy() for name, tensor in inputs.items()})


def test_emulated_calls_give_what_golden_functions_give(listener: Listener):
    lines = [f"{len(found)} of {name}, e.g. {found[0][:300]}" for name, found in listener.faults.items()]
    assert not lines, "\n".join(lines)
    assert len(listener.compared) >= 80


def test_every_call_has_a_golden_function_or_is_known_to_have_none(listener: Listener):
    assert listener.without == WITHOUT


def test_a_wrong_emulation_would_be_noticed(listener: Listener):
    assert _difference(torch.ones(2, 3), torch.ones(3, 2))
    assert _difference(torch.ones(2), torch.tensor([1.0, 1.001]))
    assert not _difference(torch.ones(2), torch.ones(2))
