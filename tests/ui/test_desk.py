import threading

import pytest

from loaders.preprocessing import Options
from tests.conftest import PATIENCE
from tests.ui.conftest import ask, until
from ui.desk import MEASURING, Desk
from ui.held import answered_otherwise, changes
from workers.tasks.measure import Measure
from workers.tasks.predict import Predict
from xai_core.target import ClassTarget


def test_a_model_and_a_photo_lead_to_a_prediction_by_themselves(desk):
    assert desk.prediction.probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert desk.prediction.view.shape == (64, 64, 3)
    assert not desk.pending


def test_another_photo_is_predicted_anew_and_the_answer_stays(desk, photo):
    desk.start(ask(method="grad-cam"))
    until(desk, lambda: desk.answer)
    desk.open_photo(photo, name="again.png", word="again.png")
    until(desk, lambda: desk.photo.name == "again.png" and desk.prediction)
    assert desk.answer.scene.photo.name == "photo.png"


def test_a_bad_photo_costs_a_sentence_and_nothing_else(desk):
    before = desk.photo, desk.prediction
    desk.open_photo(b"no photo", name="bad", word="bad")
    until(desk, lambda: not desk.pending)
    assert (desk.photo, desk.prediction) == before
    assert desk.photo_error


def test_a_bad_model_costs_a_sentence_and_nothing_else(desk):
    before = desk.model, desk.prediction
    desk.upload_model("bad.pt", b"not a model", Options())
    until(desk, lambda: not desk.pending)
    assert (desk.model, desk.prediction) == before
    assert desk.model.handle.state == "ready"
    assert desk.model_error.startswith("This is not a model file")


def test_a_new_model_closes_the_old_one(desk):
    old = desk.model
    desk.upload_model("new.pt", b"new", Options())
    assert old.handle.state == "ready"
    until(desk, lambda: desk.model is not old)
    assert old.handle.state == "closed"


def test_a_bad_setting_ends_as_a_sentence(desk):
    desk.start(ask(values={"patch_height": 900}))
    until(desk, lambda: not desk.pending)
    assert "patch_height must be from 1 to" in desk.run_note
    assert desk.answer is None


def test_cancel_keeps_the_last_answer(desk, wall):
    desk.start(ask(method="grad-cam"))
    until(desk, lambda: desk.answer)
    kept = desk.answer
    wall.held = True
    desk.start(ask())
    job = desk.run.job
    desk.cancel()
    assert desk.answer is kept
    assert desk.run_note == "Cancelled. The last answer is kept."
    until(desk, lambda: job.snapshot().state == "cancelled")


def test_reopening_with_other_names_keeps_the_file(desk):
    names = tuple("abcdef")
    before = desk.model
    desk.reopen(classes=names)
    until(desk, lambda: desk.model is not before)
    assert desk.model.card.labels == tuple(names)
    assert desk.model.path == before.path
    assert desk.model.path.exists()


def test_a_closed_model_is_noticed_once(desk):
    desk.model.handle.close()
    assert desk.step()
    assert "has ended" in desk.model_error
    assert not desk.step()


def test_what_differs_from_the_answer_is_said(desk):
    desk.start(ask(values={"patch_height": 20}))
    until(desk, lambda: desk.answer)
    answer = desk.answer
    assert changes(answer, answer.question) == []
    assert changes(answer, ask(values={"patch_height": 30})) == ["patch height 20 px"]
    assert changes(answer, ask(values={"patch_height": 20}, target=ClassTarget(3))) == ["class 0"]
    assert changes(answer, ask(method="grad-cam")) == ["Occlusion"]


def test_a_switch_that_differs_is_said_in_words(desk):
    desk.start(ask(method="grad-cam", values={"relu": True}))
    until(desk, lambda: desk.answer)
    off = ask(method="grad-cam", values={"relu": False})
    assert changes(desk.answer, off) == ["only what speaks for the class: on"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"classes": tuple("abcdef")}, "with the earlier class names"),
        ({"mean": (0.1, 0.2, 0.3), "std": (1.0, 1.0, 1.0)}, "with the earlier pre-processing"),
        ({"classes": tuple("abcdef"), "fit": "crop"}, "with the earlier answers about the file"),
        ({}, "before the model was opened again"),
    ],
)
def test_one_file_opened_with_other_answers_is_told_from_another_file(desk, given, said):
    before = desk.model
    desk.reopen(**given)
    until(desk, lambda: desk.model is not before)
    assert answered_otherwise(before, desk.model) == said
    desk.upload_model("m.pt", b"m", Options())  # of the same name
    again = desk.model
    until(desk, lambda: desk.model is not again)
    assert answered_otherwise(before, desk.model) == ""


def test_a_model_that_goes_takes_its_file_along(desk):
    first = desk.model.path
    desk.upload_model("bad.pt", b"not a model", Options())
    bad = desk.opening.path
    until(desk, lambda: not desk.pending)
    assert (first.exists(), bad.exists()) == (True, False)
    desk.upload_model("x.pt", b"x", Options())
    superseded = desk.opening.path
    desk.upload_model("y.pt", b"y", Options())
    assert not superseded.exists()
    until(desk, lambda: desk.model.path != first)
    assert (first.exists(), desk.model.path.exists()) == (False, True)


def test_every_change_is_counted_for_the_other_tabs(desk):
    before = desk.version
    assert not desk.step()
    assert desk.version == before
    desk.start(ask())
    assert desk.version == before + 1 + 1  # the start cancels what ran before
    until(desk, lambda: desk.answer)
    assert desk.version > before + 2


def test_what_the_card_leaves_open_is_measured_once_nobody_waits(desk):
    card = desk.model.card
    assert card.pace.tail is not None
    assert desk.model.handle.measured == 1
    desk.start(ask())
    until(desk, lambda: desk.answer and not desk.pending)
    assert desk.model.handle.measured == 1


def test_nothing_is_measured_before_the_first_prediction(wall, photo):
    desk = Desk(wall.session("no photo yet"))
    desk.upload_model("m.pt", b"m", Options())
    until(desk, lambda: desk.model and not desk.pending)
    assert desk.model.handle.measured == 0
    desk.open_photo(photo, name="photo.png", word="photo.png")
    until(desk, lambda: desk.prediction is not None and not desk.pending)
    assert desk.model.handle.measured == 1


@pytest.fixture
def measuring(wall, photo):
    """Return a desk whose model is being measured, and goes on to be until somebody stops it."""
    wall.measuring.clear()
    desk = Desk(wall.session("two"))
    desk.upload_model("m.pt", b"m", Options())
    desk.open_photo(photo, name="photo.png", word="photo.png")
    until(desk, lambda: desk.prediction is not None and desk.slots.work(MEASURING))
    until(desk, lambda: desk.job(MEASURING).snapshot().state == "running")
    return desk


def test_a_run_does_not_wait_for_the_measuring_which_is_made_up_for(measuring, wall):
    stopped = measuring.job(MEASURING)
    measuring.start(ask())
    until(measuring, lambda: measuring.answer)
    assert stopped.snapshot().state == "done"  # not cancelled, which may cost the worker
    assert measuring.model.handle.measured == 0
    wall.measuring.set()
    until(measuring, lambda: not measuring.pending)
    assert measuring.model.handle.measured == 1
    assert measuring.model.card.pace.tail is not None


def test_another_photo_does_not_wait_for_the_measuring(measuring, photo):
    measuring.open_photo(photo, name="again.png", word="again.png")
    until(measuring, lambda: measuring.photo.name == "again.png" and measuring.prediction)


def test_no_task_of_a_slot_waits_for_the_measuring(measuring):
    measuring.begin("looking", measuring.model.handle, Predict(pixels=measuring.photo.pixels))
    until(measuring, lambda: "looking" in measuring.results)


def test_a_measuring_that_fails_says_nothing(desk, monkeypatch):
    def fails(*given):
        raise RuntimeError("no such pass")

    before = desk.version
    monkeypatch.setattr(Measure, "run", fails)
    desk.reopen(classes=tuple("abcdef"))
    model = desk.model
    until(desk, lambda: desk.model is not model and desk.prediction and not desk.pending)
    assert desk.model.handle.measured == 0
    assert desk.version > before
    said = (desk.model_error, desk.photo_error, desk.prediction_error, desk.run_note, desk.notes)
    assert said == ("", "", "", "", {})
    desk.start(ask())
    until(desk, lambda: desk.answer)


def test_a_slow_model_is_not_measured(wall, photo, monkeypatch):
    monkeypatch.setattr("ui.desk.SLOW", 0.0)
    desk = Desk(wall.session("slow"))
    desk.upload_model("m.pt", b"m", Options())
    desk.open_photo(photo, name="photo.png", word="photo.png")
    until(desk, lambda: desk.prediction is not None and not desk.pending)
    assert desk.model.handle.measured == 0
    assert desk.model.card.pace.tail is None


@pytest.fixture
def slow(monkeypatch):
    """Let no model answer until the event is set."""
    goes_on, run = threading.Event(), Predict.run

    def waits(task, bench, progress):
        assert goes_on.wait(PATIENCE)
        return run(task, bench, progress)

    monkeypatch.setattr(Predict, "run", waits)
    yield goes_on
    goes_on.set()


@pytest.mark.parametrize("changed", ["photo", "model"])
def test_what_was_seen_stays_whole_until_the_next_is_there(desk, photo, slow, changed):
    before = desk.seen
    assert (before.model, before.photo) == (desk.model, desk.photo)
    assert before.prediction is desk.prediction
    if changed == "photo":
        desk.open_photo(photo, name="next.png", word="next.png")
    else:
        desk.upload_model("next.pt", b"n", Options())
    until(desk, lambda: getattr(desk, changed) is not getattr(before, changed))
    assert desk.prediction is None
    assert desk.seen is before
    slow.set()
    until(desk, lambda: desk.prediction is not None)
    assert (desk.seen.model, desk.seen.photo) == (desk.model, desk.photo)
    assert desk.seen.prediction is desk.prediction
    assert desk.seen is not before
