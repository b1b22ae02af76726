"""Changes of a photo through the wall: cells, strengths, stop, cancel, and lies."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from loaders import catalogue
from loaders.preprocessing import Preprocessing
from tests.lasting import Lent
from tests.workers.conftest import wait_for
from workers.tasks.try_changes import TryChanges
from workers.tasks.try_edit import TryEdit
from workers.tasks.try_strengths import TryStrengths, dips
from xai_core.errors import JobError, ParamError
from xai_core.probes._augmented import AS_IS, Augmented, Change
from xai_core.probes._edited import Edited
from xai_core.probes.augmentations import AUGMENTATIONS, changed
from xai_core.probes.edits import Drawn
from xai_core.question import Question
from xai_core.region import Region
from xai_core.report.augmented import change_sentences, flip_sentence, rows
from xai_core.target import ClassTarget
from xai_core.task import Bench, silent

EVERY = tuple(Change(each.name, each.usual) for each in AUGMENTATIONS.values())


@pytest.fixture(scope="module")
def opened():
    """Return the shortcut model behind the wall, and a heart with the mark on it."""
    entry = next(each for each in catalogue.models() if each.name == "shapes_shortcut")
    photo = next(each for each in catalogue.photos() if each.path.name == "heart_marked.jpg")
    pixels = np.asarray(Image.open(photo.path).convert("RGB"))
    wall = Lent()
    handle = wall.session("test").open(
        entry.path, entry.options, name=entry.name, trusted_path=True
    )
    handle.loading.result(120)
    yield handle, pixels, entry
    wall.close()


def asked(pixels, entry, changes=EVERY, method="grad-cam", **values):
    target = ClassTarget(entry.classes.index("star"))
    question = Question(method=method, target=target, values=values)
    return TryChanges(pixels=pixels, question=question, changes=changes)


def test_every_change_has_its_answer_and_its_map(opened):
    handle, pixels, entry = opened
    task = asked(pixels, entry)
    job = handle.run(task)
    made = job.result(120)
    assert [cell.change.name for cell in made.cells] == [AS_IS, *AUGMENTATIONS]
    assert not any(cell.problem for cell in made.cells)
    for cell in made.cells:
        photo = task.photo(cell.change).pixels
        said = handle.predict(photo).result(120)
        np.testing.assert_allclose(cell.probabilities, said.probabilities, atol=1e-5)
        explained = handle.explain(photo, task.question).result(120)
        np.testing.assert_allclose(cell.explanation.attribution, explained.attribution, atol=1e-4)
    found = rows(made, lambda change: task.photo(change).places)
    flips = [row.facts["flips"] for row in found]
    assert flips == sorted(flips, reverse=True)
    assert 0 < sum(flips) < len(flips)
    said = change_sentences(made.cells[0], found, entry.classes)
    assert said[0].startswith(f"{sum(flips)} of 16 changes flip the label \u201cstar\u201d: ")


def test_cells_come_one_by_one_and_what_there_is_stays(opened):
    handle, pixels, entry = opened
    job = handle.run(asked(pixels, entry, method="rise", masks=400))
    wait_for(lambda: "maps" in job.snapshot().arrays or job.over)
    shown = job.snapshot().arrays
    assert len(shown["maps"]) == len(shown["firsts"]) == len(shown["chances"]) >= 1
    job.command("stop")
    made = job.result(120)
    assert 1 <= len(made.cells) < 17
    slow = handle.run(asked(pixels, entry, method="rise", masks=2000))
    slow.cancel()
    with pytest.raises(JobError, match="cancelled"):
        slow.result(120)


def test_what_one_change_cannot_is_said_in_its_place(opened):
    handle, _, entry = opened
    tiny = np.zeros((10, 200, 3), np.uint8)
    task = asked(tiny, entry, (Change("cropped", 0.6), Change("mirrored", 1)))
    made = handle.run(task).result(120)
    assert "must be at least 8 px" in made.cells[1].problem
    assert made.cells[2].explanation is not None


def test_strengths_until_the_answer_flips(opened):
    handle, pixels, entry = opened
    star = entry.classes.index("star")
    task = TryStrengths(pixels=pixels, index=star, names=("mirrored", "shifted"), steps=6)
    assert task.passes == 1 + 1 + 6 + 4 + 2
    made = handle.run(task).result(120)
    assert made.whole == star
    assert made.flip("mirrored") is None
    coarse = made.step(1)
    assert coarse == pytest.approx([0.5 * ((made.done[1] - each) / 6) ** 2 for each in (1, 0)])
    before, at = made.flip("shifted")
    assert at - before == pytest.approx((coarse[1] - coarse[0]) / 16)
    for strength, same in ((before, True), (at, False)):
        said = handle.predict(changed("shifted", pixels, strength).pixels).result(120)
        assert (said.logits.argmax() == star) == same
    assert said.logits.argmax() == made.turned[1]
    assert f"Shifted by {100 * at:.3g}\u00a0% the answer is " in flip_sentence(
        made, "shifted", entry.classes
    )
    assert flip_sentence(made, "mirrored", entry.classes).endswith(
        "the answer \u201cstar\u201d stays."
    )
    plain = handle.run(dataclasses.replace(task, halvings=0)).result(120)
    assert plain.flip("shifted") == plain.step(1) == coarse
    task.check(made, None)
    for lie in (
        {"turned": np.array([-1, -1], np.int32)},
        {"between": made.between + 1},
        {"between": made.between[:, ::-1]},
        {"turned": np.array([1, star], np.int32)},
    ):
        with pytest.raises(ValueError, match="a flip that the steps do not have"):
            task.check(dataclasses.replace(made, **lie), None)
    job = handle.run(TryStrengths(pixels=pixels, index=star, steps=32))
    job.command("stop")
    assert job.result(120).done.sum() < 16 * 32


class _Band:
    """Says another class in a narrow band of brightness alone; its lead is how far that is off."""

    labels = ("one", "two")
    preprocessing = SimpleNamespace(view=lambda pixels: (pixels / np.float32(255), None))
    head = SimpleNamespace(probabilities=lambda logits: np.full_like(logits, 0.5))

    def logits(self, views):
        return np.array([[abs(float(views.mean()) - 200 / 255 * 0.608) - 0.02, 0]], np.float32)


def test_a_turn_that_turns_back_between_two_steps_is_found():
    grey = np.full((8, 8, 3), 200, np.uint8)
    task = TryStrengths(pixels=grey, index=0, names=("darker", "noisy"))
    told = []
    made = task.run(Bench(model=_Band()), _Telling(told))
    assert made.step(0) is None  # no step of its own has it
    low, high = made.flip("darker")
    # from 0.608 + 0.02 of 200 / 255 down to 0.608 - 0.02 of it
    assert low <= 1 - 0.608 - 0.0255 + 0.003
    assert high == pytest.approx(1 - 0.608 - 0.0255, abs=0.006)
    assert made.flip("noisy") is None
    assert max(told) <= task.passes
    task.check(made, None)
    with pytest.raises(ValueError, match="a flip that the steps do not have"):
        task.check(dataclasses.replace(made, between=made.between + 0.1 * np.eye(2)), None)


def test_both_sides_of_the_lowest_lead_are_asked():
    at = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
    assert dips(at, [8, 3, 4, 1, 2, 9]) == [(2, 3), (3, 4)]
    assert dips(at, [8, 7, 6, 5, 6, 9]) == []  # far from naught
    assert dips(at, [8, 6, 4, 2, 1, 0.5]) == []  # it falls, and does not rise again
    assert dips(at[:3], [8, 3, 1, -1]) == []  # where it turned is known


class _Telling:
    stopping = False

    def __init__(self, told):
        self.told = told

    def __call__(self, done, total, *more):
        self.told.append(done)


def test_a_box_moves_what_lies_in_it(opened):
    _, pixels, entry = opened
    task = dataclasses.replace(
        asked(pixels, entry, (Change("shifted", 0.2),)), box=Region(40, 40, 120, 120)
    )
    made = task.photo(Change("shifted", 0.2)).pixels
    assert (made[0] == pixels[0]).all()
    assert (made != pixels).any()


def test_an_edit_and_its_controls_are_answered(opened):
    handle, pixels, entry = opened
    mark = next(each for each in catalogue.photos() if each.path.name == "star_marked.jpg")
    giver = np.asarray(Image.open(mark.path).convert("RGB"))
    box = Drawn("box", ((100.0, 0.0), (128.0, 30.0)), by=(-20, 40))
    for task in (
        TryEdit(pixels=pixels, drawn=box, act="move", draws=2, seed=4),
        TryEdit(pixels=giver, drawn=box, act="paste", into=pixels, draws=2),
    ):
        made = handle.run(task).result(120)
        geometry = Preprocessing.from_json(handle.card.preprocessing).geometry(pixels.shape[:2])
        photos = [task.before, task.edited(), *task.controls(geometry)]
        assert len(photos) == 2 + made.draws == 4
        for row, photo in enumerate(photos):
            said = handle.predict(photo).result(120)
            np.testing.assert_allclose(made.logits[row], said.logits, atol=1e-4)
            np.testing.assert_allclose(made.probabilities[row], said.probabilities, atol=1e-5)
        assert made.firsts[0] == entry.classes.index("star")


def test_bad_edits_are_refused():
    photo, box = np.zeros((20, 30, 3), np.uint8), Drawn("box", ((1.0, 1.0), (9.0, 9.0)))
    for wrong in ({"act": "melt"}, {"fill": "gold"}, {"into": photo}, {"draws": 0},
                  {"pixels": np.zeros((8, 2000, 3), np.uint8)}):  # fmt: skip
        with pytest.raises(ParamError):
            TryEdit(**{"pixels": photo, "drawn": box, "act": "hide"} | wrong)
    task = TryEdit(pixels=photo, drawn=box, act="hide", draws=1)
    for wrong in (np.full((3, 2), np.nan, np.float32), np.full((3, 2), 2, np.float32)):
        good = np.zeros((3, 2), np.float32)
        with pytest.raises(ValueError, match="that are none"):
            task.check(Edited(logits=good, probabilities=wrong), None)


def lies(opened):
    from loaders.load import load

    _, pixels, entry = opened
    model = load(entry.path, entry.options, name=entry.name)
    task = asked(pixels, entry, EVERY[:2])
    return task, task.run(Bench(model=model), silent)


def test_lies_are_refused(opened):
    task, made = lies(opened)
    task.check(made, None)
    own = made.cells[0]
    wrong = [
        (),
        made.cells[::-1],
        (dataclasses.replace(own, logits=None), *made.cells[1:]),
        (dataclasses.replace(own, problem="no"), *made.cells[1:]),
        (dataclasses.replace(own, probabilities=own.probabilities + 2), *made.cells[1:]),
        (own, dataclasses.replace(made.cells[1], change=Change("jpeg", 1))),
        (*made.cells, *made.cells),
    ]
    for cells in wrong:
        with pytest.raises((ValueError, AttributeError)):
            task.check(Augmented(question=task.question, cells=cells), None)


@pytest.mark.parametrize(
    ("changes", "match"),
    [((), "1 to 32 changes"), ((Change("melted", 1),), "A change must be one of"),
     ((Change("turned-left", 1e9),), "must be from 0 to 180")],
)  # fmt: skip
def test_bad_changes_are_refused(changes, match):
    entry = catalogue.models()[0]
    with pytest.raises(ParamError, match=match):
        asked(np.zeros((8, 8, 3), np.uint8), entry, changes)


def test_bad_strengths_are_refused():
    photo = np.zeros((8, 8, 3), np.uint8)
    for names in ((), ("melted",), ("jpeg", "jpeg")):
        with pytest.raises(ParamError):
            TryStrengths(pixels=photo, index=0, names=names)
