"""Kept runs: bounded, pinned ones stay longest, what is removed comes back."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from tests.fakes.explained import explanation
from ui import runs as kept
from ui import strip
from ui.held import Answer, Photo, Prediction, Scene
from ui.runs import Runs


def run(side=2):
    made = explanation(np.ones((side, side)))
    photo = Photo("p", "p", np.zeros((side, side, 3), np.uint8))
    prediction = Prediction(np.ones(2), np.zeros((side, side, 3), np.float32), made.placed)
    scene = Scene(SimpleNamespace(), SimpleNamespace(), [], photo, prediction)
    return Answer(made.question, scene, made)


@pytest.fixture
def runs():
    made = Runs()
    for _ in range(3):
        made.add(run())
    return made


def test_the_newest_is_shown_and_any_comes_back(runs):
    first, _, last = runs
    assert runs.shown is last
    assert runs.show(first.id) is first
    assert runs.shown is first
    assert runs.show(-1) is None
    assert runs.shown is first
    assert [runs.number(each) for each in runs] == [1, 2, 3]


def test_pins_are_bounded_and_in_order(runs):
    for _ in range(5):
        runs.add(run())
    numbers = [each.id for each in runs]
    for number in reversed(numbers[:6]):
        assert runs.pin(number)
    assert not runs.pin(numbers[6])
    assert [each.id for each in runs.pinned] == numbers[:6][::-1]
    assert runs.pin(numbers[0])  # again: unpinned
    assert numbers[0] not in [each.id for each in runs.pinned]
    assert not runs.pin(-1)


def test_what_is_removed_comes_back_where_it_was(runs):
    first, second, third = runs
    runs.pin(second.id)
    runs.show(second.id)
    runs.remove(second.id)
    assert list(runs) == [first, third]
    assert runs.shown is third
    assert runs.pinned == []
    assert runs.removed is second
    runs.undo()
    assert list(runs) == [first, second, third]
    assert runs.shown is second
    assert runs.pinned == [second]
    assert runs.removed is None
    runs.undo()
    assert len(runs) == 3


def test_a_new_run_ends_the_undo(runs):
    runs.remove(next(iter(runs)).id)
    runs.add(run())
    assert runs.removed is None


def test_the_last_one_that_goes_leaves_nothing_shown(runs):
    for each in runs:
        runs.remove(each.id)
    assert runs.shown is None
    assert len(runs) == 0


def test_the_oldest_unpinned_goes_first(runs, monkeypatch):
    monkeypatch.setattr(kept, "MOST", 3)
    first, second, third = runs
    runs.pin(first.id)
    assert runs.gone == 0
    runs.add(run())
    assert second not in list(runs)
    assert [first, third] == list(runs)[:2]
    assert runs.gone == 1


def test_bytes_are_bounded_and_what_is_shared_counts_once(runs, monkeypatch):
    big = run(64)
    same = dataclasses.replace(big)
    assert kept.size([big, same]) == kept.size([big])
    monkeypatch.setattr(kept, "BYTES", kept.size([big]) + 10)
    runs.add(big)
    assert list(runs) == [big]
    assert runs.shown is big
    assert runs.gone == 3
    # both bounds, and what went for them, are told under the strip
    assert "and 192 MB of them at most" in strip.bounds(0)
    assert strip.bounds(1).endswith("1 run of this visit has gone.")
    assert strip.bounds(runs.gone).endswith("3 runs of this visit have gone.")
