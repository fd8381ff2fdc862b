"""Kokoro's phonemes as its published configuration numbers them, and phonemes of a text by the package's own G2P."""

from __future__ import annotations

from importlib.util import find_spec

from ttc.errors import InputError, printable

RUNS = (
    (1, ";:,.!?"), (9, "—…\"()“” \u0303ʣʥʦʨᵝꭧAI"), (31, "O"), (33, "Q"), (35, "ST"), (39, "W"), (41, "Yᵊabcdef"),
    (50, "hijklmnopqrstuvwxyzɑɐɒæ"), (75, "βɔɕç"), (80, "ɖðʤə"), (85, "ɚɛɜ"), (90, "ɟ"), (92, "ɡ"), (99, "ɥ"),
    (101, "ɨɪʝ"), (110, "ɯɰŋɳɲɴø"), (118, "ɸθœ"), (123, "ɹ"), (125, "ɾɻ"), (128, "ʁɽʂʃʈʧ"), (135, "ʊʋ"), (138, "ʌɣɤ"),
    (142, "χʎ"), (147, "ʒʔ"), (156, "ˈˌː"), (162, "ʰ"), (164, "ʲ"), (169, "↓"), (171, "→↗↘"), (177, "ᵻ"),
)  # fmt: skip
"""Symbols with consecutive numbers, each run with the number of its first."""

NUMBERS = {symbol: first + place for first, symbols in RUNS for place, symbol in enumerate(symbols)}
EDGE = 0
"""The number that stands before the first and after the last phoneme."""

LANGUAGE_MODEL = "en_core_web_sm"
"""The package that misaki's English reads words with, and would download."""


def numbered(phonemes: str) -> list[int]:
    """Return the numbers of phonemes, edges included; InputError for none at all, and for unknown ones by name.

    The package passes over what it does not know.
    """
    if not isinstance(phonemes, str):
        raise InputError(f"phonemes are text, got {type(phonemes).__name__}")
    unknown = list(dict.fromkeys(symbol for symbol in phonemes if symbol not in NUMBERS))
    if unknown:
        listed = ", ".join(printable(repr(symbol)) for symbol in unknown)
        raise InputError(f"Kokoro knows no phoneme {listed}: it speaks the IPA symbols of misaki")
    if not phonemes.strip():
        raise InputError("there are no phonemes to speak")
    return [EDGE, *(NUMBERS[symbol] for symbol in phonemes), EDGE]


def phonemes_of(text: str) -> str:
    """Return the phonemes of an English text by the package misaki; InputError if it is missing, or knows no such word.

    Nothing is downloaded.
    """
    if not text.strip():
        raise InputError("the text is empty: there is nothing to speak")
    missing = [name for name in ("misaki", "num2words", "spacy", LANGUAGE_MODEL) if find_spec(name) is None]
    if missing:
        raise InputError(f"--text needs {', '.join(missing)}: install them, or give --phonemes")
    from misaki import en  # type: ignore[import-not-found]

    phonemes, tokens = en.G2P(unk="")(text)
    unread = [token.text for token in tokens if token.phonemes is None]
    if unread:
        raise InputError(f"misaki does not know how to say {', '.join(map(repr, unread))}: give --phonemes")
    return phonemes
