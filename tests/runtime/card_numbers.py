"""The row of `TARGETS` for a card, as far as an opened card can tell: run by a Python with ttnn (no pytest, no torch).

    PYTHONPATH=. .venv-ttnn/bin/python -m tests.runtime.card_numbers ttc/runtime/mock/cards/p150.yaml

The argument is a cluster descriptor; without one the machine's own card is opened. Printed as JSON, by field of
`Target`. The end of circular buffers is the size of a core's L1, which is the architecture's; rates are the board's.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from ttc.calls.target import L1_SMALL_BYTES, TARGETS
from ttc.runtime.mock import MOCK_CARD, environment


def main(descriptor: str | None) -> None:
    if descriptor:
        os.environ.update(environment(next(iter(TARGETS))), **{MOCK_CARD: str(Path(descriptor).resolve())})
    import ttnn

    device = ttnn.open_device(device_id=0, l1_small_size=L1_SMALL_BYTES)
    l1, dram = (ttnn.get_memory_view(device, kind) for kind in (ttnn.BufferType.L1, ttnn.BufferType.DRAM))
    grid = device.compute_with_storage_grid_size()
    found = {
        "arch": device.arch().name.lower(),
        "grid": [grid.x, grid.y],
        "l1_bytes": l1.total_bytes_per_bank + L1_SMALL_BYTES,
        "dram_banks": dram.num_banks,
        "dram_bank_bytes": dram.total_bytes_per_bank,
    }
    ttnn.close_device(device)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:2] or (None,))
