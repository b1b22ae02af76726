"""Declared data goes out and comes back as it was; what is not declared is refused."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from xai_core import plain
from xai_core.card import Cost, Pace
from xai_core.grain import PIXELS, Cells, Superpixels
from xai_core.plain import Family, pack, unpack
from xai_core.question import Question
from xai_core.target import BoxTarget, ClassTarget, UnitTarget


class Animal(Family):
    pass


@dataclasses.dataclass(frozen=True)
class Cat(Animal):
    kind: ClassVar[str] = "cat"
    lives: int


@dataclasses.dataclass(frozen=True)
class Fish(Animal):
    kind: ClassVar[str] = "fish"


@dataclasses.dataclass(frozen=True, eq=False)
class Box:
    name: str
    pet: Animal
    sides: tuple[int, int] = (1, 2)
    weight: float | None = None
    colour: Literal["red", "blue"] = "red"
    maps: Mapping[str, NDArray[Any]] = dataclasses.field(default_factory=dict)
    mask: NDArray[np.bool_] | None = None


GOOD: dict[str, Any] = {"name": "a", "pet": {"kind": "cat", "lives": 9}}


def test_what_goes_out_comes_back() -> None:
    made = Box("a", Cat(9), weight=2, maps={"x": np.eye(3)}, mask=np.array([True]))
    data, arrays = pack(made)
    assert sorted(arrays) == ["maps.x", "mask"]
    back = unpack(Box, json.loads(json.dumps(data)), arrays)
    assert (back.name, back.pet, back.sides, back.weight) == ("a", Cat(9), (1, 2), 2.0)
    np.testing.assert_array_equal(back.maps["x"], np.eye(3))
    assert unpack(Box, GOOD).mask is None


@pytest.mark.parametrize(
    "changed",
    [
        {"pet": {"kind": "dog"}}, {"pet": {"lives": 9}}, {"pet": None},
        {"pet": {"kind": "fish", "x": 1}},
        {"name": 3}, {"name": None}, {"sides": [1]}, {"sides": [1, 2.5]}, {"sides": [True, 2]},
        {"weight": float("nan")}, {"weight": float("inf")}, {"weight": "2"}, {"weight": True},
        {"colour": "green"}, {"colour": 0}, {"other": 1}, {"maps": {"x": None}}, {"maps": []},
        {"sides": [1, 1 << 70]},
    ],
)  # fmt: skip
def test_what_is_not_declared_is_refused(changed: dict[str, Any]) -> None:
    unpack(Box, GOOD)
    with pytest.raises((TypeError, ValueError)):
        unpack(Box, GOOD | changed)


def test_arrays_of_no_known_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no known name: pet\.fur"):
        unpack(Box, GOOD, {"pet.fur": np.eye(2)})
    with pytest.raises(TypeError, match="no plain data"):
        pack(object())


def test_what_is_nested_too_deep_is_refused() -> None:
    deep = Any
    for _ in range(plain.DEEPEST + 2):
        deep = tuple[deep, ...]
    data: Any = 1
    for _ in range(plain.DEEPEST + 2):
        data = [data]
    with pytest.raises(ValueError, match="too deep"):
        plain._builder(deep)(data, {}, "x", 0)


@pytest.mark.parametrize(
    "target",
    [
        ClassTarget(3, against=1, of="probability"),
        UnitTarget("layer4", 7, at=(2, 3)),
        BoxTarget((0.0, 1.5, 20.0, 30.0), 2, asks="position"),
    ],
)
def test_a_question_travels_whole(target: Any) -> None:
    asked = Question(method="m", engine="e", values={"a": 1, "b": [0.5]}, target=target)
    back = unpack(Question, json.loads(json.dumps(pack(asked)[0])))
    assert (back.method, back.engine, dict(back.values), back.target) == (
        "m",
        "e",
        asked.values,
        target,
    )


def test_grains_are_told_apart() -> None:
    for grain in (
        PIXELS,
        Cells(rows=2, columns=3, map=np.ones((2, 3), np.float32)),
        Superpixels(labels=np.zeros((2, 2), np.int32), weights=np.ones(1)),
    ):
        data, arrays = pack(grain)
        back = unpack(type(grain).__mro__[1], data, arrays)
        assert type(back) is type(grain)


def test_a_pace_counts_what_was_not_measured_by_what_was() -> None:
    cost = Cost(forward=10, backward=4, tails=2)
    assert Pace(forward=100).seconds(cost) == pytest.approx(1 + 0.8 + 0.2)
    assert Pace(forward=100, backward=50, tail=1000).seconds(cost) == pytest.approx(1 + 0.2 + 2)
