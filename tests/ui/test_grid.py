"""A grid of runs: each as if it had been made alone, and what fails is said."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from loaders.preprocessing import Options
from tests.ui.conftest import ask, until
from ui import grid
from ui.compared import differing, of_one_class, panel, summed_up
from ui.grid import Network, Picture
from ui.held import Model
from xai_core.agreement import Agreement
from xai_core.errors import ParamError
from xai_core.target import ClassTarget

METHODS = (grid.Ask("grad-cam"), grid.Ask("occlusion"))


def network(name, file=b"m"):
    """Return a network that is not on the desk."""

    def opened(session, path):
        place = session.add_file(name, file)
        handle = session.open(place, Options(), name=name)
        return Model(name, name, place, Options(), handle)

    return Network(name, opened=opened)


@pytest.fixture
def both(desk, photo):
    """Return the model on the desk and another, the photo on the desk and another."""
    networks = [Network("m.pt", model=desk.model), network("there.pt")]
    pictures = [
        Picture("photo.png", "photo.png", photo=desk.photo),
        Picture("again.png", "again.png", data=lambda: photo),
    ]
    return networks, pictures


def made(desk, *given):
    grid.begin(desk, *given)
    until(desk, lambda: not desk.pending)
    return grid.of(desk)


def test_each_run_is_what_it_would_be_alone(desk, both):
    networks, pictures = both
    found = made(desk, networks, pictures, METHODS)
    assert [(each.network, each.photo, each.ask) for each in found.cells] == [
        (at, place, method) for at in (0, 1) for place in (0, 1) for method in METHODS
    ]
    assert [each.answer for each in found.cells] == list(desk.runs)
    for cell in found.cells:
        scene = cell.answer.scene
        assert scene.model.name == networks[cell.network].name
        assert scene.photo.name == pictures[cell.photo].name
        likeliest = int(scene.prediction.probabilities.argmax())
        assert cell.answer.explanation.target == ClassTarget(likeliest)
        assert scene.prediction.view.shape == (64, 64, 3)
    alone = found.cells[0].answer
    for asked, cell in zip(METHODS, found.cells[:2], strict=True):
        question = ask(method=asked.method, target=alone.explanation.target)
        before = len(desk.runs)
        desk.start(question)
        until(desk, lambda before=before: len(desk.runs) > before)
        np.testing.assert_array_equal(
            desk.answer.explanation.attribution, cell.answer.explanation.attribution
        )


def test_models_are_open_for_as_long_as_their_runs(desk, both, wall):
    session = desk.session
    made(desk, *both, METHODS)
    here, there = session.models[0], session.models[1]
    assert here is desk.model.handle
    assert (here.state, there.state) == ("ready", "closed")
    assert len(session.models) == 2


def test_the_run_that_is_shown_stays(desk, both):
    desk.start(ask())
    until(desk, lambda: desk.answer)
    shown = desk.answer
    made(desk, *both, METHODS[:1])
    assert desk.answer is shown
    assert len(desk.runs) == 5


def test_one_class_by_its_name_in_all_models(desk, both):
    networks, pictures = both
    others = tuple("abcdef")
    other = network("other.pt")

    def opened(session, path):
        model = other.opened(session, path)
        handle = session.open(model.path, Options(classes=others), name="other")
        return dataclasses.replace(model, handle=handle)

    found = made(desk, [*networks, Network("other", opened=opened)], pictures[:1], METHODS[:1],
                 "class 3")  # fmt: skip
    assert [each.answer and each.answer.explanation.target for each in found.cells] == [
        ClassTarget(3), ClassTarget(3), None,
    ]  # fmt: skip
    assert found.cells[2].problem == "This model has no class \u201cclass 3\u201d."


def test_what_cannot_be_opened_says_why_and_the_rest_goes_on(desk, both):
    networks, pictures = both
    bad = network("bad.pt", b"not a model")
    broken = Picture("broken.png", "broken.png", data=lambda: b"no photo")
    found = made(desk, [bad, networks[0]], [pictures[0], broken], METHODS[:1])
    first, second, third, fourth = found.cells
    assert first.problem == second.problem
    assert first.problem.startswith("This is not a model file")
    assert third.answer is not None
    assert fourth.answer is None
    assert fourth.problem


def test_a_method_that_does_not_serve_says_why(desk, both, monkeypatch):
    card = desk.model.card
    lost = dataclasses.replace(card.methods["grad-cam"], why_not="It has no layers.")
    methods = dict(card.methods) | {"grad-cam": lost}
    desk.model.handle.card = dataclasses.replace(card, methods=methods)
    found = made(desk, both[0][:1], both[1][:1], METHODS)
    assert [each.problem for each in found.cells] == ["It has no layers.", ""]


def test_a_stop_keeps_what_is_done(desk, both, wall):
    grid.begin(desk, *both, METHODS)
    until(desk, lambda: grid.of(desk).done > 0)
    wall.held = True
    until(desk, lambda: grid.of(desk).next is None or desk.slots.work(grid.SLOT))
    grid.stop(desk)
    found = grid.of(desk)
    kept = [each for each in found.cells if each.answer is not None]
    assert kept
    assert found.next is None
    assert {each.problem for each in found.cells if each.answer is None} <= {
        "Cancelled before its turn."
    }
    assert desk.slots.work(grid.SLOT) is None


def test_a_grid_has_bounds(desk, both):
    networks, pictures = both
    with pytest.raises(ParamError, match="1 to 12 runs, and this one would have 32"):
        grid.begin(desk, networks * 2, pictures * 2, METHODS)
    with pytest.raises(ParamError, match="would have 0"):
        grid.begin(desk, networks, pictures, ())
    assert grid.of(desk) is None


def test_the_time_that_is_left(desk, both):
    found = grid.Grid(*both, METHODS)
    assert found.left() is None
    made(desk, *both, METHODS)
    assert grid.of(desk).left() == 0


def test_what_differs_is_said(desk, both):
    found = made(desk, *both, METHODS)
    answers = [each.answer for each in found.cells]
    same_photo = [answers[0], answers[1]]
    assert differing(same_photo) == [
        "These runs differ in method.",
        "All share the photo \u201cphoto.png\u201d and model \u201cm.pt\u201d.",
    ]
    assert "photo and model" in differing([answers[0], answers[6]])[0]
    assert differing([answers[0], answers[0]]) == [
        "These runs do not differ in anything that was set."
    ]
    shown = panel(desk, answers[1])
    assert shown.title.startswith("2 Occlusion for class ")
    assert shown.about.startswith("photo.png: class ")
    assert shown.about.endswith("says m.pt")


def test_pairs_are_summed_up():
    def agreement(rank, overlap):
        return Agreement(rank, overlap, 0.05, 2, 2, np.zeros((2, 2), np.float32))

    yes, partly, no = agreement(0.9, 0.9), agreement(0.9, 0.4), agreement(0.0, 0.0)
    end = " Two maps that agree may still be wrong in the same way."
    assert summed_up([yes]) == "They agree." + end
    assert summed_up([no]) == "They disagree." + end
    assert summed_up([yes, partly, no, no, agreement(None, 1.0)]) == (
        "Of 5 pairs of runs on one photo and for one class, 1 agrees, 1 agrees in part, 2 disagree "
        "and 1 cannot be compared, as a map is flat." + end
    )


@pytest.mark.parametrize(
    ("other", "alike"),
    [(ClassTarget(0, of="probability"), True), (ClassTarget(1), False), (ClassTarget(0, 1), False)],
)
def test_only_maps_for_one_class_are_counted(other, alike):
    def asked(target):
        made = SimpleNamespace(target=target)
        card = SimpleNamespace(labels=("heart", "star"))
        answer = SimpleNamespace(explanation=made, scene=SimpleNamespace(card=card))
        return SimpleNamespace(answer=answer)

    assert of_one_class(asked(ClassTarget(0)), asked(other)) is alike


def test_a_score_and_a_probability_of_one_class_differ_in_the_number(desk, both):
    networks, pictures = both
    asks = [grid.Ask("grad-cam", called=of, of=of) for of in ("logit", "probability")]
    found = made(desk, networks[:1], pictures[:1], asks)
    answers = [cell.answer for cell in found.cells]
    assert [each.explanation.target.of for each in answers] == ["logit", "probability"]
    said = differing(answers)
    assert said[0] == "These runs differ in the number that is explained."
