import pytest

from ttc.errors import InputError, TtcError
from ttc.runtime.emulator.device import EmulatorDevice
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.mock import MOCK_CARD
from ttc.runtime.run import devices
from ttc.runtime.run.device_null import NullDevice
from ttc.runtime.run.devices import has_card, open_device


@pytest.fixture
def card(tmp_path, monkeypatch):
    """A machine with a card and ttnn, as far as can be seen without opening it."""
    (tmp_path / "0").touch()
    monkeypatch.setattr(devices, "CARDS", tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.delenv(MOCK_CARD, raising=False)


@pytest.fixture
def no_card(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "CARDS", tmp_path / "none")
    monkeypatch.delenv(MOCK_CARD, raising=False)


def test_without_a_card_the_default_is_the_emulator(no_card):
    assert not has_card()
    device = open_device(None, "tensix")
    assert isinstance(device, EmulatorDevice)
    assert device.mode is Mode.tensix


def test_a_card_is_seen(card):
    assert has_card()


def test_a_mock_card_is_none(card, monkeypatch):
    monkeypatch.setenv(MOCK_CARD, "n150.yaml")
    assert not has_card()
    assert isinstance(open_device(), EmulatorDevice)
    with pytest.raises(TtcError, match="TT_METAL_MOCK_CLUSTER_DESC_PATH is set, and a mock card computes nothing"):
        open_device("ttnn")


def test_a_card_that_is_not_there_is_said(no_card):
    with pytest.raises(TtcError, match="there is no Tenstorrent card in this machine"):
        open_device("ttnn")


def test_missing_packages_are_said(card, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not has_card()
    with pytest.raises(TtcError, match="needs ttnn, which this Python does not have"):
        open_device("ttnn")
    with pytest.raises(TtcError, match="the emulator needs torch"):
        open_device("emulator")


def test_unknown_names_are_refused():
    assert isinstance(open_device("null"), NullDevice)
    with pytest.raises(InputError, match="no device is called 'gpu'; there are emulator, ttnn, null"):
        open_device("gpu")
    with pytest.raises(InputError, match="no mode is called 'fast'; there are exact, tensix"):
        open_device("emulator", "fast")
