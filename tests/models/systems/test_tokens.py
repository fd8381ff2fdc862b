"""Tokens: numbers as a user writes them, and a text by a tokenizer whose files are local."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ttc.errors import InputError
from ttc.models.systems.tokens import read_tokens, with_tokens


def tokenizer(folder: Path) -> Path:
    """Write a tokenizer as MMS-TTS has one: a letter each, blanks between."""
    (folder / "vocab.json").write_text(json.dumps({" ": 0, "a": 1, "b": 2, "|": 3}))
    words = {"tokenizer_class": "VitsTokenizer", "is_uroman": False, "phonemize": False, "add_blank": True}
    (folder / "tokenizer_config.json").write_text(json.dumps({**words, "pad_token": " ", "unk_token": "|"}))
    (folder / "config.json").write_text(json.dumps({"model_type": "vits"}))
    return folder


@pytest.mark.parametrize(("written", "tokens"), [("1 2 3", [1, 2, 3]), (" 1,2 ,\n3", [1, 2, 3]), ("07", [7]), ("", [])])
def test_tokens_are_read(written: str, tokens: list[int]):
    assert read_tokens(written) == tokens


@pytest.mark.parametrize("written", ["1.5", "-1", "a", "1;2", "1234567890", "0x1", "²"])
def test_what_is_no_whole_number_is_named(written: str):
    with pytest.raises(InputError, match="tokens are whole numbers with spaces or commas between, got"):
        read_tokens("1 " + written)


def test_a_text_s_tokens_are_the_tokenizer_s(tmp_path: Path):
    found = with_tokens("vits", {"text": "ab", "tokenizer": tokenizer(tmp_path), "weights": "x"})
    assert found == {"tokens": [0, 1, 0, 2, 0], "weights": "x"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": "a", "tokens": "1"}, "vits speaks --text or --tokens, not both"),
        ({"text": "a"}, "--text needs --tokenizer DIR"),
        ({"tokens": "1", "tokenizer": "."}, "--tokenizer is for --text alone"),
        ({"text": " \n", "tokenizer": "."}, "the text is empty"),
        ({"text": "a", "tokenizer": "none"}, "none is no folder of a tokenizer"),
    ],
)
def test_options_that_give_no_tokens(options: dict[str, str], message: str):
    with pytest.raises(InputError, match=message):
        with_tokens("vits", options)


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=f"{tmp_path} holds no tokenizer that can be read"):
        with_tokens("vits", {"text": "a", "tokenizer": tmp_path})


EVIL = """
from pathlib import Path
Path({mark!r}).write_text("here")
class Evil:
    @classmethod
    def from_pretrained(cls, *args, **kwargs):
        return lambda text, **kwargs: {{"input_ids": [1]}}
"""


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("file", "map"),
    [
        ("tokenizer_config.json", {"AutoTokenizer": ["evil.Evil", None]}),
        ("tokenizer_config.json", {"AutoTokenizer": [None, "evil.Evil"]}),
        ("config.json", {"AutoTokenizer": "evil.Evil", "AutoConfig": "evil.Evil"}),
    ],
)
def test_the_code_of_a_folder_is_never_run(
    file: str, map: dict, known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Nor is the user asked, who would say yes. Where a folder has a tokenizer of transformers too, that one reads."""
    mark = tmp_path / "mark"
    (tmp_path / "evil.py").write_text(EVIL.format(mark=str(mark)))
    if known:
        tokenizer(tmp_path)
    path = tmp_path / file
    before = json.loads(path.read_text()) if known else {"model_type": "evil"}
    path.write_text(json.dumps(before | {"auto_map": map}))
    monkeypatch.setattr("builtins.input", lambda prompt="": "y")
    if known:
        found = with_tokens("vits", {"text": "ab", "tokenizer": tmp_path})
        assert found == {"tokens": [0, 1, 0, 2, 0]}
    else:
        with pytest.raises(InputError, match=f"{tmp_path} holds no tokenizer that can be read: .") as caught:
            with_tokens("vits", {"text": "ab", "tokenizer": tmp_path})
        assert "\n" not in str(caught.value)
    assert not mark.exists()
