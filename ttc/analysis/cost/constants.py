"""Constants of the formulas, one table per architecture; `constants.json` beside this file holds them.

`python -m bench.fit_cost --freeze` writes that file. Names are `family.constant`; cycles unless the name says
otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

FILE = Path(__file__).with_name("constants.json")

CONSTANTS: Mapping[str, Mapping[str, float]] = json.loads(FILE.read_text())["architectures"]
"""Constants by architecture and name."""
