"""One family put to the test: its tiny model through torch.export, the compiler, the emulator, and the real ttnn."""

from __future__ import annotations

import copy
import logging
import re
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

import ttc
from bench.families import inputs, tiny
from ttc.compiled.compiled import Compiled
from ttc.errors import InputError, Refused
from ttc.frontend.export.caches import register_caches
from ttc.runtime.check import check
from ttc.validation.accuracy import pcc, scaled_error

FP32_LIMIT, BF16_LIMIT = 1e-4, 0.99
SECONDS = 240

RIGHT = "right"
UNBUILT = "not built"
UNEXPORTED = "torch.export refuses"
REFUSED = "refused"
WRONG = "wrong in fp32"
LOW = "low in bf16"
UNTAKEN = "not taken by ttnn"
FAILED = "failed"


@dataclass(frozen=True)
class Trial:
    """Outcome of one family: one of the words above, its cause, and the figures that were reached."""

    family: str
    outcome: str
    cause: str = ""
    fp32: float | None = None
    bf16: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the trial as JSON has it."""
        return asdict(self)


def tried(family: str, card: str = "n150") -> Trial:
    """Try one family in a process of its own, which may crash or take too long without harm to the rest."""
    context = get_context("fork")
    mine, theirs = context.Pipe(duplex=False)
    worker = context.Process(target=_report, args=(theirs, family, card), daemon=True)
    worker.start()
    theirs.close()
    try:
        return mine.recv() if mine.poll(SECONDS) else Trial(family, FAILED, f"took more than {SECONDS} s")
    except EOFError:
        worker.join()
        return Trial(family, FAILED, f"the process ended with {worker.exitcode}")
    finally:
        worker.kill()


def _report(pipe: Connection, family: str, card: str) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    pipe.send(_trial(family, card))


def _trial(family: str, card: str) -> Trial:
    try:
        model = tiny.model(family)
        register_caches()  # of the model's own file too
        given = inputs.example(model)
        wanted, again = (_outputs(lambda: model(**given)) for _ in range(2))
        if not all(map(np.array_equal, wanted, again)):
            return Trial(family, UNBUILT, "draws at random: two runs differ")
    except Exception as error:  # what transformers raises of configurations that were made small
        return Trial(family, UNBUILT, _line(error))
    try:
        compiled = ttc.compile(model, kwargs=given, dtype="fp32", target=card)
    except Refused as refusal:
        return Trial(family, REFUSED, "; ".join(refusal.by_reason()))
    except InputError as error:
        return Trial(family, UNEXPORTED, _line(error))
    except Exception as error:  # a defect of ttc's, which the page names
        return Trial(family, FAILED, _line(error))
    exact = max(scaled_error(x, y) for x, y in zip(_emulated(compiled, given), wanted, strict=True))
    if not exact <= FP32_LIMIT:
        return Trial(family, WRONG, f"scaled error {exact:.1e}", exact)
    return _in_bf16(Trial(family, RIGHT, fp32=exact), model, compiled.variant(dtype="bf16"), given, wanted)


def _in_bf16(trial: Trial, model: torch.nn.Module, compiled: Compiled, given: dict, wanted: list[np.ndarray]) -> Trial:
    """Return the outcome of a family that is right in fp32: its correlations in bf16, and ttnn's word."""

    def worst(found: list[np.ndarray]) -> float:
        return min(pcc(x, y) if y.size > 1 else 1 - scaled_error(x, y) for x, y in zip(found, wanted, strict=True))

    reached = worst(_emulated(compiled, given))
    if reached < BF16_LIMIT:
        own = worst(_outputs(lambda: copy.deepcopy(model).bfloat16()(**{name: _bf16(x) for name, x in given.items()})))
        if reached < own:
            return Trial(trial.family, LOW, f"PCC {reached:.4f}, torch's own bf16 {own:.4f}", trial.fp32, reached)
    report = check(compiled.build.program)
    if not report.ok:
        return Trial(trial.family, UNTAKEN, report.faults[0], trial.fp32, reached)
    return Trial(trial.family, RIGHT, "", trial.fp32, reached)


def _emulated(compiled: Compiled, given: dict[str, torch.Tensor]) -> list[np.ndarray]:
    return list(compiled.run({name: tensor.numpy() for name, tensor in given.items()}, "emulator").values())


def _outputs(call: Callable[[], Any]) -> list[np.ndarray]:
    with torch.no_grad():
        leaves = pytree.tree_leaves(call())
    return [
        leaf.float().numpy() if leaf.is_floating_point() else leaf.numpy() for leaf in leaves if torch.is_tensor(leaf)
    ]


def _bf16(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.bfloat16() if tensor.is_floating_point() else tensor


def _line(error: BaseException) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return re.sub(r"\S*/site-packages/", "", text)[:400]  # no page has this machine's folders
