"""`ttc models validate` as a command; the comparison itself is tried with small modules."""

from __future__ import annotations

import pytest

from ttc.cli import main
from ttc.commands.models_validate import _print_steps
from ttc.validation.system import Step


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--phonemes", "g"], "Kokoro knows no phoneme 'g'"),
        (["--size", "huge"], "kokoro has the sizes real, tiny, not 'huge'"),
        (["--voice", "none.npz"], "none.npz"),
    ],
)
def test_what_cannot_be_compared_is_told_before_anything_is_compiled(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["models", "validate", "kokoro", *options]) == 2
    assert message in capsys.readouterr().err


def test_each_output_has_a_line_for_each_regime(capsys: pytest.CaptureFixture[str]):
    _print_steps(
        [
            Step("encode", "durations", "without", 0.5, 0.25, False, None),
            Step("synthesize", "output", "compiled", 0.25, 1.5, None, 0.75),
        ]
    )
    first, second = (line.split() for line in capsys.readouterr().out.splitlines()[-2:])
    assert first == ["encode.durations", "without", "0.500000", "2.50e-01", "DIFFERENT"]
    assert second == ["synthesize.output", "compiled", "0.250000", "1.50e+00", "0.750000"]
