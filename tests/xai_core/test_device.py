"""On what networks may run, as the environment says and the machine shows."""

import pytest

from xai_core import device
from xai_core.errors import ParamError


def test_without_a_word_it_is_the_processor():
    assert device.asked({}) == "cpu"
    assert device.asked({device.VARIABLE: ""}) == "cpu"
    assert device.asked({device.VARIABLE: "auto"}) == "auto"
    with pytest.raises(ParamError, match="cpu, auto, cuda, got 'gpu'"):
        device.asked({device.VARIABLE: "gpu"})


def test_a_machine_shows_its_cards_and_the_driver_s_files(tmp_path):
    assert device.files(tmp_path) == ()
    for name in ("nvidia0", "nvidia1", "nvidia-uvm", "nvidia-caps", "null"):
        (tmp_path / name).touch()
    assert device.files(tmp_path) == ()  # without the driver's own no card can be used
    (tmp_path / "nvidiactl").touch()
    found = [path.name for path in device.given("auto", tmp_path)]
    assert found == ["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"]
    assert device.given("cuda", tmp_path) == device.given("auto", tmp_path)
    assert device.given("cpu", tmp_path) == ()
