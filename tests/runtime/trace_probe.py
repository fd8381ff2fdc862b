"""Runs where the real ttnn is (no pytest, no torch): a traced session's warm-up and what a capture would do, as JSON.

A mock card can neither capture nor wait for an event; everything else of a traced session it does.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import numpy as np

import ttc
from ttc.runtime.mock import environment
from ttc.runtime.run import bound_call
from ttc.runtime.run.convert import user_dtype
from ttc.runtime.run.session import Session

REGION = 1 << 20


def main(file: str) -> None:
    loaded = ttc.load(file)
    os.environ.update(environment(loaded.program.target))
    import ttnn

    ttnn.wait_for_event = lambda queue, event: None
    from ttc.runtime.run.device_ttnn import join_card

    card = join_card(None, REGION)
    places: list[list[Any]] = []
    call = bound_call.BoundCall.__call__

    def noted(bound, tensors):
        results = call(bound, tensors)
        on_card = [t for t in results if ttnn.is_tensor_storage_on_device(t)]
        places[-1] += [(t.memory_config().buffer_type.name, t.buffer_address()) for t in on_card]
        return results

    bound_call.BoundCall.__call__ = noted
    places.append([])
    session = Session(loaded.buckets, loaded.weights, card, (REGION,))
    found: dict[str, Any] = {"eager": session.eager, "kept": []}
    for run in (session.run, session.run, lambda inputs: session._traced[0]._compute()):
        places.append([])
        if len(places) == 3:  # what follows the warm-up is what a capture would record
            session._traced[0]._warm = False
        run({name: np.zeros(type.shape, user_dtype(type)) for name, type in loaded.program.inputs})
        found["kept"].append([card.device.num_program_cache_entries(), card.dram_allocated(), card.l1_allocated()])
    found["places"] = places[1:]
    session.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
