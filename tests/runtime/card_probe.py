"""Runs where the real ttnn is (no pytest, no torch): which targets' programs a mock card takes, as JSON by target.

    python -m tests.runtime.card_probe DESCRIPTOR [WORKER]

With WORKER the card is opened with dispatch by worker cores, as some open an n300.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path

from ttc.calls.target import TARGETS
from ttc.errors import TtcError
from ttc.runtime.mock import environment_of


def main(descriptor: str, dispatch: str | None = None) -> None:
    os.environ.update(environment_of(Path(descriptor)))
    import ttnn

    from ttc.runtime.run import device_ttnn

    if dispatch:
        config = ttnn.DispatchCoreConfig(ttnn.DispatchCoreType[dispatch])
        ttnn.open_device = partial(ttnn.open_device, dispatch_core_config=config)
    said = {}
    for name, target in TARGETS.items():
        try:
            device_ttnn.open_card(target).close()
            said[name] = "taken"
        except TtcError as error:
            said[name] = str(error)
        device_ttnn.open_card(None).close()  # a card that was refused was closed
    print(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
