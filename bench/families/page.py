"""The page of families: how many came to which end, and the causes of all ends but the good one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from bench.families.trial import FAILED, LOW, REFUSED, RIGHT, UNBUILT, UNEXPORTED, UNTAKEN, WRONG, Trial

ENDS = {
    RIGHT: "fp32 within 1e-4 of torch's (scaled error), bf16 PCC 0.99 or torch's own in bf16, taken by ttnn (n150)",
    REFUSED: "ttc names what it cannot compile",
    WRONG: "an output in fp32 is further than 1e-4 from torch's",
    LOW: "right in fp32, but in bf16 below 0.99 and below torch's own bf16",
    UNTAKEN: "the real ttnn refuses a call, or gives another result than was predicted",
    FAILED: "no answer: too long, or an error that is no sentence",
    UNEXPORTED: "torch.export refuses the model, or the model is no inference (not counted)",
    UNBUILT: "the default configuration made small is no model, or the inputs are not known (not counted)",
}
"""Ends of a trial, and a sentence on each."""

HEAD = """# Families

Each family of models that `transformers` {version} knows, as a tiny model: the family's own default configuration with
small sizes, seeded weights, one example input (models with image tokens are given text alone). Written by
`python -m bench.families --write`.

"""


def counted(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials that say something of ttc: those of models that torch.export takes."""
    return [trial for trial in trials if trial.outcome not in (UNBUILT, UNEXPORTED)]


def share(trials: Sequence[Trial]) -> float:
    """Return the part of the families that torch.export takes which are right; 0 where there are none."""
    judged = counted(trials)
    return sum(trial.outcome == RIGHT for trial in judged) / max(len(judged), 1)


def page(trials: Sequence[Trial]) -> str:
    """Return the page, as Markdown."""
    import transformers

    ends = Counter(trial.outcome for trial in trials)
    lines = [HEAD.format(version=transformers.__version__)]
    judged = counted(trials)
    lines.append(f"Of {len(judged)} families that torch.export takes {ends[RIGHT]} are right: {share(trials):.1%}.\n\n")
    lines += ["| end | families | meaning |\n|---|---:|---|\n"]
    lines += [f"| {end} | {ends[end]} | {meaning} |\n" for end, meaning in ENDS.items()]
    for end in ENDS:
        if end != RIGHT and ends[end]:
            lines.append(f"\n## {end[0].upper()}{end[1:]}\n\n| cause | families |\n|---|---|\n")
            lines += [f"| {cause} | {', '.join(names)} |\n" for cause, names in _causes(trials, end)]
    right = ", ".join(trial.family for trial in trials if trial.outcome == RIGHT)
    return "".join([*lines, f"\n## Right\n\n{right}\n"])


def _causes(trials: Sequence[Trial], end: str) -> list[tuple[str, list[str]]]:
    """Return the causes of one end with their families, the most frequent first."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for trial in trials:
        if trial.outcome == end:
            found[trial.cause.replace("|", "\\|")].append(trial.family)
    return sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
