"""ONNX's own test suite through the whole compiler: every case passes, or is refused with a reason.

    python -m bench.onnx_suite [--only PATTERN] [--json] [--write]

`--write` renews docs/onnx-coverage.md; the exit status is 1 if a case is wrong, crashed or hung. A case counts
as wrong if a number is, as crashed if anything but a refusal is raised, as hung after TIME_LIMIT seconds; the
comparison and its tolerances are the suite's own.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto, TensorProto, TypeProto, numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

from ttc.errors import TtcError
from ttc.ir.random import random_kind
from ttc.plugins import onnx_backend

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")
VERDICTS = ("passed", "refused", "wrong", "crashed", "hung")
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


class Difference(Exception):
    """An output that is not what the suite expects."""


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
    except Difference as difference:
        return Outcome(*about, "wrong", " ".join(str(difference).split())[:300])
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
        found = prepared.run([array_of(item) for item in inputs])
        if any(random_kind(name) for name, _ in prepared.program.inputs):
            raise TtcError("its numbers are random: no two frameworks draw the same")
        try:
            Runner.assert_similar_outputs([array_of(item) for item in expected], list(found), case.rtol, case.atol)
        except AssertionError as error:
            raise Difference(str(error)) from None


def array_of(item: Any) -> Any:
    return numpy_helper.to_array(item) if isinstance(item, TensorProto) else item


def run(only: str = "", progress: Callable[[Outcome], None] = lambda outcome: None) -> list[Outcome]:
    """The outcomes of all cases whose name matches `only`."""
    outcomes = []
    for case in cases():
        if re.search(only, case.name):
            outcomes.append(outcome_of(case))
            progress(outcomes[-1])
    return outcomes


def counts(outcomes: Iterable[Outcome]) -> dict[str, dict[str, int]]:
    """How many cases of each kind ended how; and of all, and of those with tensors alone."""
    found: dict[str, Counter[str]] = {kind: Counter() for kind in (*KINDS, "all", "tensors only")}
    for outcome in outcomes:
        for group in (outcome.kind, "all", *(["tensors only"] if outcome.tensors else [])):
            found[group]["cases"] += 1
            found[group][outcome.verdict] += 1
    return {kind: {name: count[name] for name in ("cases", *VERDICTS)} for kind, count in found.items()}


def reasons(outcomes: Iterable[Outcome]) -> list[tuple[str, list[Outcome]]]:
    """The refused cases by reason, the most frequent first; a refusal's first reason stands for it."""
    found: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.verdict == "refused":
            found.setdefault(_reason(outcome.reason), []).append(outcome)
    return sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))


def _reason(text: str) -> str:
    """The first reason, without the place where it was met, names and numbers left out."""
    lines = text.splitlines()
    reason = lines[1].partition(": ")[2] if len(lines) > 1 else text
    reason = re.sub(r"(the )?input '[^']*'", "an input", reason)
    return re.sub(r"(?<![A-Za-z0-9])-?\d[\d.e+]*", "N", reason)


def page(outcomes: list[Outcome]) -> str:
    """docs/onnx-coverage.md."""
    rows = counts(outcomes)
    tensors = rows["tensors only"]
    share = 100 * tensors["passed"] / max(tensors["cases"], 1)
    lines = [
        "# ONNX coverage",
        "",
        f"ONNX {onnx.__version__}'s own test suite, compiled with dtype fp32 for n150 and run on the emulator, with",
        "the suite's own comparison and tolerances. Written by `python -m bench.onnx_suite --write`.",
        "",
        f"{share:.1f} % of the cases whose inputs and outputs are all tensors pass; a case that does not is refused "
        "with a reason.",
        "",
        "| kind | cases | " + " | ".join(VERDICTS) + " |",
        "|---|" + "---:|" * (1 + len(VERDICTS)),
    ]
    lines += [f"| {kind} | " + " | ".join(str(count) for count in row.values()) + " |" for kind, row in rows.items()]
    lines += ["", "## Refused, by reason", "", "| cases | reason | operators |", "|---:|---|---|"]
    for reason, refused in reasons(outcomes):
        operators = ", ".join(sorted({outcome.op for outcome in refused}))
        lines.append(f"| {len(refused)} | {reason.replace('|', '/')} | {operators} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run, print the counts, and write the page if asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.onnx_suite", description="ONNX's own tests through ttc")
    parser.add_argument("--only", default="", help="a pattern that names of cases must match")
    parser.add_argument("--json", action="store_true", help="print all outcomes as one JSON object")
    parser.add_argument("--write", action="store_true", help="renew docs/onnx-coverage.md")
    options = parser.parse_args(arguments)
    if options.write and options.only:
        parser.error("the page is of the whole suite: --write goes without --only")
    outcomes = run(options.only)
    if options.json:
        print(json.dumps({"counts": counts(outcomes), "outcomes": [asdict(outcome) for outcome in outcomes]}, indent=1))
    else:
        for kind, row in counts(outcomes).items():
            print(f"{kind:18}", *(f"{count} {name}" for name, count in row.items()))
    bad = [outcome for outcome in outcomes if outcome.verdict in ("wrong", "crashed", "hung")]
    for outcome in bad:
        print(f"{outcome.name}: {outcome.verdict}: {outcome.reason}", file=sys.stderr)
    if options.write:
        PAGE.write_text(page(outcomes))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
