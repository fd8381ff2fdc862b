"""All reasons why a model cannot be compiled, those of later stages too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ttc.errors import Refused, TtcError
from ttc.ir.stand_in import stand_ins
from ttc.pipeline.options import Options
from ttc.pipeline.stages import to_calls


def all_refusals(refused: Refused, options: Options) -> Refused:
    """Join a refusal of a model with what later stages refuse of the part that each stage leaves."""
    reasons, advice, rest = list(refused.reasons), list(refused.advice), refused.rest
    while rest is not None:
        missing = {f"input %{name}" for name in stand_ins(rest)}  # these have any type
        try:
            to_calls(rest, options)
            break
        except Refused as later:
            found = [reason for reason in later.reasons if reason[0] not in missing]
            reasons, rest = reasons + found, later.rest
            advice += later.advice if found else ()
        except TtcError:  # what is left of the model need not make sense
            break
    return Refused(reasons, advice) if len(reasons) > len(refused.reasons) else refused


@contextmanager
def every_stage(options: Options) -> Iterator[None]:
    """Let a refusal by one stage tell what later stages refuse too."""
    try:
        yield
    except Refused as refused:
        raise all_refusals(refused, options) from None
