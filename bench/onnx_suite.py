"""ONNX's own test suite through the whole compiler: every case passes, or is refused with a reason.

    python -m bench.onnx_suite [--only WORD] [--json FILE] [--write]

`--write` renews docs/onnx-coverage.md. A case counts as wrong if a number is, as crashed if anything but a
refusal is raised, as hung after TIME_LIMIT seconds; the comparison and its tolerances are the suite's own.
"""

from __future__ import annotations

import re
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto, TensorProto, TypeProto, numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

from ttc import onnx_backend
from ttc.errors import TtcError

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")
TIME_LIMIT = 60
PAGE = Path(__file__).parents[1] / "docs" / "onnx-coverage.md"


@dataclass(frozen=True)
class Outcome:
    """What became of one case: passed, refused, wrong, crashed or hung, and why."""

    kind: str
    name: str
    op: str
    tensors: bool
    verdict: str
    reason: str = ""


class Hung(Exception):
    """A case took longer than TIME_LIMIT."""


@cache
def cases() -> tuple[Any, ...]:
    """All cases of the suite."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(case for kind in KINDS for case in load_model_tests(kind=kind))


def model_of(case: Any) -> ModelProto:
    return case.model or onnx.load(Path(case.model_dir) / "model.onnx")


def data_of(case: Any, model: ModelProto) -> Iterator[tuple[list[Any], list[Any]]]:
    """Inputs and expected outputs of each data set."""
    if case.data_sets is not None:
        yield from case.data_sets
        return
    for folder in sorted(Path(case.model_dir).glob("test_data_set*")):
        sides = []
        for side, declared in (("input", model.graph.input), ("output", model.graph.output)):
            count = len(list(folder.glob(f"{side}_*.pb")))
            types = [value.type for value in list(declared)[:count]]
            sides.append([_read(folder / f"{side}_{i}.pb", type) for i, type in enumerate(types)])
        yield sides[0], sides[1]


def _read(path: Path, type: TypeProto) -> Any:
    if type.WhichOneof("value") != "tensor_type":
        return []
    return numpy_helper.to_array(TensorProto.FromString(path.read_bytes()))


def is_tensor_typed(model: ModelProto) -> bool:
    """Whether all inputs and outputs are tensors: no sequences, optionals or maps."""
    return all(v.type.WhichOneof("value") == "tensor_type" for v in (*model.graph.input, *model.graph.output))


def outcome_of(case: Any) -> Outcome:
    """Compile and run one case on the emulator, and compare."""
    model = model_of(case)
    about = (case.kind, case.name, model.graph.node[0].op_type, is_tensor_typed(model))
    previous = signal.signal(signal.SIGALRM, _alarm)
    signal.alarm(TIME_LIMIT)
    try:
        _compare(case, model)
    except TtcError as refusal:
        return Outcome(*about, "refused", str(refusal))
    except AssertionError as error:
        is_ours = not traceback.extract_tb(error.__traceback__)[-1].filename.startswith(
            str(Path(onnx_backend.__file__).parent)
        )
        return Outcome(*about, "wrong" if is_ours else "crashed", " ".join(str(error).split())[:300])
    except Hung:
        return Outcome(*about, "hung")
    except Exception as error:  # whatever it is: it is a finding, and the other cases must still run
        place = traceback.extract_tb(error.__traceback__)[-1]
        return Outcome(
            *about, "crashed", f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"[:300]
        )
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    return Outcome(*about, "passed")


def _alarm(number: int, frame: Any) -> None:
    raise Hung


def _compare(case: Any, model: ModelProto) -> None:
    prepared = onnx_backend.prepare(model)
    for inputs, expected in data_of(case, model):
        found = prepared.run([_array(item) for item in inputs])
        Runner.assert_similar_outputs([_array(item) for item in expected], list(found), case.rtol, case.atol)


def _array(item: Any) -> Any:
    return numpy_helper.to_array(item) if isinstance(item, TensorProto) else item


def run(only: str = "", progress: Callable[[Outcome], None] = lambda outcome: None) -> list[Outcome]:
    """The outcomes of all cases whose name contains `only`."""
    outcomes = []
    for case in cases():
        if re.search(only, case.name):
            outcomes.append(outcome_of(case))
            progress(outcomes[-1])
    return outcomes
