"""The families of models that transformers knows, each as a tiny model of seeded weights, tried one after the other.

    python -m bench.families [NAME ...] [--results FILE] [--write]

Results are kept in a file of JSON lines, build/families.jsonl: families that are in the file are not tried again.
`--write` renews docs/families.md. The exit status is 1 where fewer than 97 % of the families that torch.export takes
are right.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

from bench.families.page import page, share
from bench.families.trial import Trial, tried

ROOT = Path(__file__).parents[2]
ENOUGH = 0.97


def main() -> int:
    """Try families, print a line for each, keep the results, and write the page if asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.families", description="tiny models of many families")
    parser.add_argument("names", nargs="*", help="families, by default all")
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "families.jsonl", help="file of JSON lines")
    parser.add_argument("--write", action="store_true", help="renew docs/families.md")
    arguments = parser.parse_args()
    known = {trial.family: trial for trial in _read(arguments.results)}
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    with arguments.results.open("a") as file:
        for name in arguments.names or sorted(set(MODEL_MAPPING_NAMES) - known.keys()):
            known[name] = tried(name)
            print(f"{name}: {known[name].outcome}. {known[name].cause}", flush=True)
            file.write(json.dumps(known[name].to_dict()) + "\n")
            file.flush()
    trials = [known[name] for name in sorted(known)]
    if arguments.write:
        (ROOT / "docs" / "families.md").write_text(page(trials))
    print(f"{share(trials):.1%} of the families that torch.export takes are right")
    return 0 if share(trials) >= ENOUGH else 1


def _read(path: Path) -> list[Trial]:
    return [Trial(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


if __name__ == "__main__":
    sys.exit(main())
