"""The command line under an answer makes that answer again."""

import shlex
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import commands
from tests.fakes.explained import explanation
from xai_core.explainer import explaining, make
from xai_core.report.command import command
from xai_core.target import ClassTarget, UnitTarget

SIZE = (128, 128)
LABELS = ("heart", "star", "ring")
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


def words(
    method: str = "grad-cam",
    changed: Any = (),
    *,
    engine: str = "ours",
    target: ClassTarget | None = None,
    labels: Any = LABELS,
    flags: Any = (),
    **more: Any,
) -> list[str]:
    """Return the words of the command for a run with every value as a page sends it."""
    first = make(method, {}, size=SIZE)
    values = {name: getattr(first, name) for name in first.declared()} | dict(changed)
    made = explanation(
        np.ones(SIZE), method=method, engine=engine, parameters=values, target=target
    )
    card: Any = SimpleNamespace(default_layer="features.3", input_size=SIZE, labels=labels)
    line = command(
        made, card=card, model="my model.pt", photo="a photo.png", flags=dict(flags), **more
    )
    found = shlex.split(line)
    assert found[:5] == ["python", "cli.py", "explain", "my model.pt", "a photo.png"]
    return found[2:]


@pytest.mark.parametrize(("method", "changed"), CASES)
def test_the_command_repeats_the_values(method: str, changed: dict[str, Any]) -> None:
    args = commands.parse(words(method, changed, target=ClassTarget(1, of="probability")))
    again = make(args.method, args.values, engine=args.engine, size=SIZE)
    first = make(method, {}, size=SIZE)
    values = {name: getattr(first, name) for name in first.declared()}
    assert {name: getattr(again, name) for name in again.declared()} == values | changed
    assert (args.target, args.of) == ("star", "probability")


def test_a_unit_is_repeated() -> None:
    target: Any = UnitTarget("layer:4.0", 12)
    args = commands.parse(words("saliency", target=target))
    assert args.unit == target
    assert (args.target, args.against) == (None, None)
    for bad in ("layer4", ":3", "layer4:", "layer4:-1", "layer4:\u0664"):
        with pytest.raises(SystemExit):
            commands.parse([*words("saliency", target=target)[:-2], f"--unit={bad}", "--out=o"])


@pytest.mark.parametrize("cls", explaining("classification").values())
def test_each_parameter_and_engine_is_repeated(cls: Any) -> None:
    other: dict[str, Any] = {}
    usual = cls.suggest(SIZE)
    for name, param in cls.declared().items():
        if param.kind == "switch":
            other[name] = not param.default
        elif param.kind == "choice":
            other[name] = param.options[-1]
        elif param.kind in ("integer", "real"):
            other[name] = param.lo if usual.get(name, param.default) != param.lo else param.hi
        else:
            other[name] = "features.1/conv"
    engine = cls.engines[-1].name
    flags = {"mean": "-0.5,0.1,1", "size": "64x96"}
    target = ClassTarget(1, against=2)
    args = commands.parse(
        words(cls.name, other, engine=engine, target=target, flags=flags, frame="upload")
    )
    assert other == {
        name: args.values.get(name, cls.suggest(SIZE, args.values).get(name)) for name in other
    }
    assert (args.target, args.against, args.frame) == ("star", "ring", "upload")
    assert args.engine == ("" if len(cls.engines) == 1 else engine)
    assert (args.mean, args.size) == ("-0.5,0.1,1", "64x96")


def test_what_is_taken_anyway_is_left_out() -> None:
    changed = {"layer": "features.3", "relu": False}
    assert words(changed=changed, flags={"preprocessing": "caffe", "mean": "-1"})[3:] == [
        "--method", "grad-cam", "--target", "star", "--relu", "off", "--preprocessing", "caffe",
        "--mean=-1", "--out", "out/",
    ]  # fmt: skip


def test_a_doubled_or_odd_class_name_goes_by_its_number() -> None:
    def named(*labels: str) -> str:
        return words(labels=labels)[6]

    assert named("star", "star") == "1"
    assert named("0", "-rf /") == "1"
    assert named("0", "7") == "1"
    assert named("a", "$(reboot)") == "$(reboot)"
