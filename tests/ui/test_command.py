"""The command line under an answer makes that answer again."""

import shlex
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import cli
from loaders import catalogue
from loaders.preprocessing import preset
from tests.fakes.explained import explanation
from ui import answer
from xai_core.explainer import make
from xai_core.target import ClassTarget

CASES: list[tuple[str, dict[str, Any]]] = [
    ("grad-cam", {}),
    ("grad-cam", {"layer": "4", "relu": False}),
    ("occlusion", {}),
    ("occlusion", {"patch_height": 30}),
    ("occlusion", {"patch_height": 30, "stride_height": 15}),
    ("occlusion", {"stride_width": 3}),
    ("occlusion", {"value": 0.0, "fill": "blur"}),
    ("lime", {"segments": 20, "seed": 7}),
]


@pytest.mark.parametrize(("method", "changed"), CASES)
def test_the_command_repeats_the_values(method: str, changed: dict[str, Any]) -> None:
    size = (128, 128)
    # what the page sends: every slider's value, the untouched ones as suggested for the size
    first = make(method, {}, size=size)
    values = {name: getattr(first, name) for name in first.declared()} | changed
    made = explanation(
        np.ones(size, np.float32),
        signed=False,
        target=ClassTarget(1, of="probability"),
        method=method,
        parameters=values,
        engine="ours",
    )
    asked = catalogue.find("shapes").options
    model = SimpleNamespace(
        word="shapes", options=asked, built_in=True, preprocessing=preset("unit", size)
    )
    card = SimpleNamespace(default_layer="", input_size=size, labels=("one", "two"))
    scene = SimpleNamespace(model=model, card=card, photo=SimpleNamespace(word="photo.png"))
    line = answer.command(SimpleNamespace(scene=scene, explanation=made))  # type: ignore[arg-type]
    words = shlex.split(line)
    assert words[:2] == ["python", "cli.py"]
    args = cli._parse(words[2:])
    again = make(args.method, args.values, engine=args.engine, size=size)
    assert {name: getattr(again, name) for name in again.declared()} == values
    assert (args.target, args.of) == ("two", "probability")
