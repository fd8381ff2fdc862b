"""Phonemes as numbers, and of texts."""

from __future__ import annotations

import importlib.util
import re
import sys
from types import ModuleType, SimpleNamespace

import pytest

from ttc.errors import InputError
from ttc.models.systems import phonemes
from ttc.models.systems.phonemes import NUMBERS, RUNS, numbered, phonemes_of


def test_every_symbol_has_a_number_of_its_own_below_the_vocabulary_s_size():
    assert len(NUMBERS) == sum(len(symbols) for _, symbols in RUNS) == 114
    assert len(set(NUMBERS.values())) == 114
    assert (min(NUMBERS.values()), max(NUMBERS.values())) == (1, 177)


def test_numbers_are_the_published_ones():
    assert numbered("hˈɛlO, wˈɜɹld!") == [0, 50, 156, 86, 54, 31, 3, 16, 65, 156, 87, 123, 54, 46, 5, 0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "there are no phonemes to speak"),
        ("  ", "there are no phonemes to speak"),
        ("hg5g5", "Kokoro knows no phoneme 'g', '5': it speaks the IPA symbols of misaki"),
        ("\x1b[2J", r"Kokoro knows no phoneme '\\x1b', '[', '2', 'J'"),
        (b"h", "phonemes are text, got bytes"),
    ],
)
def test_what_cannot_be_spoken_is_named(given: str, message: str):
    with pytest.raises(InputError, match=re.escape(message.replace("\\\\", "\\"))):
        numbered(given)


def spoken(text: str) -> tuple[str, list[SimpleNamespace]]:
    known = {"hello": "həlˈO"}
    tokens = [SimpleNamespace(text=word, phonemes=known.get(word)) for word in text.split()]
    return " ".join(token.phonemes or "" for token in tokens), tokens


@pytest.fixture
def misaki(monkeypatch: pytest.MonkeyPatch) -> None:
    """A G2P that knows one word: the real one needs a language model that no test may download."""
    made = ModuleType("misaki")
    made.en = SimpleNamespace(G2P=lambda unk: spoken)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "misaki", made)
    monkeypatch.setattr(phonemes, "find_spec", lambda name: object())


@pytest.mark.usefixtures("misaki")
def test_a_text_is_spoken_as_misaki_says():
    assert phonemes_of("hello") == "həlˈO"
    with pytest.raises(InputError, match=re.escape("misaki does not know how to say 'zzyx': give --phonemes")):
        phonemes_of("hello zzyx")


@pytest.mark.skipif(importlib.util.find_spec("misaki") is not None, reason="misaki is installed")
def test_without_misaki_phonemes_are_asked_for():
    message = "--text needs misaki, num2words, spacy, en_core_web_sm: install them, or give --phonemes"
    with pytest.raises(InputError, match=re.escape(message)):
        phonemes_of("hello")


def test_an_empty_text_is_refused():
    with pytest.raises(InputError, match="the text is empty"):
        phonemes_of(" \n")
