"""What the levels of a backbone hold, and how far two boxes' maps differ."""

import dataclasses

import numpy as np
import pytest

from tests.fakes import boxes
from workers.tasks.levels import DrawLevels, LookAtLevels
from xai_core.detection import blind
from xai_core.detection.levels import SHOWN, Levels, film, summed_up
from xai_core.explainer import explaining, make
from xai_core.task import Bench, silent

PIXELS = (boxes.view() * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def model():
    return boxes.detector()


@pytest.fixture(scope="module")
def levels(model):
    return LookAtLevels(pixels=PIXELS).run(Bench(model=model), silent)


def test_a_level_is_summed_up_by_hand():
    values = np.zeros((2, 2, 6), np.float32)
    values[0, 0] = [0, -8, 1, 4, 0, 2]
    maps, numbers = summed_up(values)
    assert numbers == (1, 3, 5, 2)
    assert maps.shape == (1 + SHOWN, 2, 2)
    assert maps[0, 0, 0] == pytest.approx(15 / 6)
    assert [channel[0, 0] for channel in maps[1:]] == [-8, 4, 2, 1]


def test_each_level_is_read_and_none_of_all_together(model, levels):
    rows = {row.name: row for row in model.layers() if row.kind == "level"}
    assert list(levels.maps) == list(rows) != []
    view, _ = model.preprocessing.view(PIXELS)
    for name, row in rows.items():
        own = model.activations(view[None], name)[0]
        assert levels.maps[name].shape[1:] == row.map_size
        np.testing.assert_allclose(levels.maps[name][0], np.abs(own).mean(2), rtol=1e-5)
        first = levels.numbers[name][0]
        np.testing.assert_allclose(levels.maps[name][1], own[..., first], rtol=1e-5)


def test_the_answer_is_checked(levels):
    task = LookAtLevels(pixels=PIXELS)
    task.check(levels, None)
    assert task.check(Levels.from_wire(*levels.to_wire()), None) is None
    name = next(iter(levels.maps))
    short = {**levels.maps, name: levels.maps[name][:2]}
    with pytest.raises(ValueError, match="a level that is none"):
        task.check(dataclasses.replace(levels, maps=short), None)
    with pytest.raises(ValueError, match="different names"):
        task.check(dataclasses.replace(levels, numbers={}), None)
    wrong = {**levels.numbers, name: (10_000,) * SHOWN}
    with pytest.raises(ValueError, match="a channel that is none"):
        task.check(dataclasses.replace(levels, numbers=wrong), None)


def test_the_film_has_a_picture_for_each_level(levels):
    view = boxes.view()
    made = film(levels, view)
    assert len(made.frames) == 1 + len(levels.maps)
    for frame, (name, maps) in zip(made.frames[1:], levels.maps.items(), strict=True):
        rows, columns = maps.shape[1:]
        assert f"Level {name}: {rows} x {columns} cells" in frame.caption
    pictures = [frame.picture for frame in made.frames]
    assert not np.array_equal(pictures[1], pictures[2])
    assert [len(step.pictures) for step in made.steps] == [len(levels.maps)]
    reel = DrawLevels(levels=levels, view=view).run(Bench(), silent)
    assert len(reel.frames) == len(made.frames)


def test_a_map_that_knows_no_box_is_said_to_be_the_same_and_another_is_measured(model):
    view = boxes.view()
    two = [boxes.target(model, view, place) for place in (0, 3)]
    for name, cls in explaining("detection").items():
        if name not in ("eigencam", "odam"):
            continue
        made = [make(name, {}, size=model.input_size).explain(model, view, box) for box in two]
        said = blind.sentence(cls.title, *made, ("a", "b"))
        if cls.class_agnostic:
            assert blind.apart(*made) == 0
            assert said.endswith("It does not know which box is asked about.")
        else:
            like = np.corrcoef(*(each.attribution.ravel() for each in made))[0, 1]
            assert blind.likeness(*made) == pytest.approx(like, abs=1e-5)
            assert f"correlate with {like:.2f}" in said
