"""What a taken-over worker may answer: refused in one sentence, or made harmless."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from loaders.options import Options
from loaders.preprocessing import preset
from tests.fakes.explained import explanation
from workers import results, words
from workers.models import ModelHandle
from workers.process import BURST, _Ear
from workers.protocol import Declared, ProtocolError
from workers.tasks.companions import Companions
from workers.tasks.decode import Decode
from workers.tasks.explain import Explain
from workers.tasks.load import Load, Loaded
from workers.tasks.measure import Measure, Measured
from workers.tasks.predict import Predict, Prediction
from workers.tasks.recognise import Recognise
from xai_core.card import Card, Pace, Service
from xai_core.errors import JobError, LoadError, NeedsSource
from xai_core.explanation import Explanation
from xai_core.grain import Cells
from xai_core.hashes import hash_of
from xai_core.model import Geometry, Head, Layer
from xai_core.question import Question
from xai_core.result import Result
from xai_core.target import ClassTarget

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
PREPARED = preset("unit", (2, 3))
CARD = Card(
    kind="fake", framework="torch", architecture="fake", parameters=1, input_size=(2, 3),
    channels=3, labels=("a", "b"), layers=(Layer("l", "Conv", (2, 3), 4),), default_layer="l",
    findings=(), preprocessing=PREPARED.to_json(), head=Head("logits"), pace=Pace(forward=1.0),
    methods={"occlusion": Service(why_not=None, engines={"ours": None})},
)  # fmt: skip
PLACE = PREPARED.geometry((4, 6))


def answer(task, card, result, **changed):
    """Return what the client makes of a result, after what crossed the wire was changed."""
    data, arrays = result.to_wire()
    folder = Path("nowhere")
    return results.answer(task, card, {**data, **changed}, arrays, folder, folder)


# A card


def load(card=CARD, **changed):
    task = Load(path=Path("m.pt"), options=Options(), called="m")
    data, arrays = Loaded(card=card).to_wire()
    data["card"] |= changed
    return results.answer(task, None, data, arrays, Path("nowhere"), Path("nowhere")).card


def test_a_good_card_passes():
    assert load() == CARD


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("labels", [1, 2]),
        ("labels", "ab"),
        ("labels", []),
        ("labels", ["a"] * 100_001),
        ("findings", [{"level": "info", "message": "x"}] * 201),
        ("input_size", [8]),
        ("input_size", [0, 8]),
        ("input_size", [2, 4]),
        ("input_size", [12_000, 12_000]),
        ("input_size", ["a", "b"]),
        ("layers", [{"name": 3}]),
        ("layers", [3]),
        ("layers", [{"name": "l", "kind": "c", "map_size": [0, 3], "channels": 4}]),
        ("default_layer", "another"),
        ("findings", [{"level": "alert", "message": "x"}]),
        ("methods", {"rise": None}),
        ("methods", []),
        ("parameters", "many"),
        ("parameters", -1),
        ("preprocessing", None),
        ("preprocessing", {}),
        ("pace", {"forward": -1.0}),
        ("pace", {"forward": 1e300}),
        ("pace", {"forward": 1.0, "backward": 1.0}),
        ("surprise", 1),
        (
            "stages",
            [
                {
                    "map_size": [2, 2],
                    "channels": [1, 2],
                    "groups": [{"times": 1, "parts": ["<b>layer</b>"]}],
                }
            ],
        ),
        ("stages", [{"map_size": [0, 2], "channels": [1, 2], "groups": []}]),
        ("stages", [{"map_size": [2, 2], "channels": [1, 2], "groups": []}] * 500),
    ],
)
def test_a_bad_card_is_refused(key, value):
    with pytest.raises(JobError, match="made no sense"):
        load(**{key: value})


@pytest.mark.parametrize(
    "key", [f.name for f in dataclasses.fields(Card) if f.default is f.default_factory]
)
def test_a_card_that_lacks_something_is_refused(key):
    task = Load(path=Path("m"), options=Options(), called="m")
    data, arrays = Loaded(card=CARD).to_wire()
    del data["card"][key]
    with pytest.raises(JobError):
        results.answer(task, None, data, arrays, Path("nowhere"), Path("nowhere"))


def test_text_is_made_plain():
    made = load(architecture="a\x1b[31mred\x00\u202eb" + "x" * 9000)
    assert made.architecture.startswith("a[31mredb")
    assert len(made.architecture) <= results.TEXT_CAP


# A prediction


def said(**changed):
    made = {
        "probabilities": np.array([0.5, 0.5], np.float32),
        "logits": np.zeros(2, np.float32),
        "geometry": PLACE,
        "seconds": 0.1,
    }
    return Prediction(**made | changed)


def test_a_good_prediction_is_rebuilt():
    made = answer(Predict(pixels=PIXELS), CARD, said())
    assert made.geometry == PLACE
    np.testing.assert_array_equal(made.probabilities, [0.5, 0.5])


@pytest.mark.parametrize(
    "changed",
    [
        {"geometry": dataclasses.replace(PLACE, view=(12_000, 12_000))},
        {"geometry": dataclasses.replace(PLACE, photo=(8, 6))},
        {"geometry": dataclasses.replace(PLACE, box=(0.0, 0.0, 4.0, 5.9))},
        {"logits": np.array([np.nan, 0], np.float32)},
        {"probabilities": np.array([-0.5, 0.5], np.float32)},
        {"probabilities": np.array([1.5, 0.5], np.float32)},
        {"seconds": -1.0},
    ],
)
def test_a_bad_prediction_is_refused(changed):
    with pytest.raises(JobError, match="made no sense"):
        answer(Predict(pixels=PIXELS), CARD, said(**changed))


WIRED = {"photo": [4, 6], "box": [0.0, 0.0, 4.0, 6.0], "view": [2, 3]}


@pytest.mark.parametrize(
    "changed",
    [
        {"geometry": {}},
        {"geometry": None},
        {"geometry": WIRED | {"view": [3, 3]}},
        {"geometry": WIRED | {"box": [1.0, 2.0, 3.0]}},
        {"geometry": WIRED | {"photo": [1.5, 2]}},
        {"seconds": "soon"},
        {"findings": [1]},
    ],
)
def test_a_prediction_of_other_types_is_refused(changed):
    with pytest.raises(JobError, match="made no sense"):
        answer(Predict(pixels=PIXELS), CARD, said(), **changed)


def test_scores_that_do_not_come_are_refused():
    data, arrays = said().to_wire()
    folder = Path("nowhere")
    for name in arrays:
        left = {each: array for each, array in arrays.items() if each != name}
        with pytest.raises(JobError, match=f"the array {name} is missing"):
            results.answer(Predict(pixels=PIXELS), CARD, data, left, folder, folder)


# Arrays, before they are read


def admitted(task, kind, *listed, card=CARD):
    _Ear(task, card).admit(kind, {}, [Declared(*each) for each in listed])


ASKED = Question(method="occlusion", target=ClassTarget(0))


@pytest.mark.parametrize(
    ("task", "kind", "listed"),
    [
        (Predict(pixels=PIXELS), "result", [("logits", "<f4", (3,))]),
        (Predict(pixels=PIXELS), "result", [("logits", "<f8", (2,))]),
        (Predict(pixels=PIXELS), "result", [("view", "<f4", (2, 3, 3))]),
        (Predict(pixels=PIXELS), "progress", [("partial", "<f4", (2, 3))]),
        (Explain(pixels=PIXELS, question=ASKED), "result", [("attribution", "<f4", (4000, 4000))]),
        (Explain(pixels=PIXELS, question=ASKED), "result", [("arrays.secret", "<f4", (2,))]),
        (Explain(pixels=PIXELS, question=ASKED), "progress", [("partial", "<f4", (4000, 4000))]),
        (Decode(data=np.zeros(3, np.uint8)), "result", [("pixels", "|u1", (1 << 20, 1 << 9, 3))]),
        (Decode(data=np.zeros(3, np.uint8)), "result", [("pixels", "|u1", (4, 4, 4))]),
        (Measure(), "result", [("x", "<f4", (1,))]),
        (Measure(), "error", [("x", "<f4", (1,))]),
    ],
)
def test_arrays_that_no_task_declared_are_not_admitted(task, kind, listed):
    with pytest.raises(ProtocolError):
        admitted(task, kind, *listed)


def test_those_that_are_declared_are():
    admitted(Predict(pixels=PIXELS), "result", ("logits", "<f4", (2,)))
    task = Explain(pixels=PIXELS, question=ASKED)
    admitted(task, "result", ("attribution", "<f4", (2, 3)), ("arrays.scores", "<f4", (9,)))
    admitted(task, "progress", ("partial", "<f4", (2, 3)))


def test_too_much_progress_is_no_progress():
    ear = _Ear(Measure(), CARD)
    with pytest.raises(ProtocolError, match="more than 20 messages a second"):  # noqa: PT012
        for _ in range(100 * int(BURST)):
            ear.admit("progress", {}, [])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"done": 1},
        {"done": 1.0, "total": 2},
        {"done": True, "total": 2},
        {"done": 3, "total": 2},
        {"done": -1, "total": 2},
        {"done": 1, "total": 1 << 60},
    ],
)
def test_progress_that_is_no_number(body):
    with pytest.raises(ProtocolError):
        _Ear(Measure(), CARD).progress(body, {})


# An explanation


def explained(**changed):
    made = explanation(
        np.ones((2, 3)),
        signed=True,
        method="occlusion",
        parameters={"patch_height": 2},
        geometry=PLACE,
        arrays={"scores": np.arange(3, dtype=np.float32)},
        notes=("a",),
    )
    return dataclasses.replace(made, **changed)


def explain(**changed):
    question = Question(method="occlusion", target=explained().target, values={"patch_height": 2})
    return answer(Explain(pixels=PIXELS, question=question), CARD, explained(**changed))


def test_an_explanation_is_rebuilt():
    made = explain()
    assert (made.question, made.geometry, made.notes) == (explained().question, PLACE, ("a",))
    np.testing.assert_array_equal(made.arrays["scores"], [0, 1, 2])


def test_the_client_s_own_hashes_stand_in_it():
    class Held(ModelHandle):
        def __init__(self):
            self.hash, self.card = "mine", CARD

    task = Explain(pixels=PIXELS, question=ASKED)
    made = Held()._noted(task, explained(model_hash="a lie", image_hash="a lie"))
    assert (made.model_hash, made.image_hash) == ("mine", hash_of(PIXELS))


@pytest.mark.parametrize(
    "changed",
    [
        {"geometry": None},
        {"geometry": dataclasses.replace(PLACE, view=(9, 9))},
        {"geometry": Geometry(photo=(4, 6), box=(0.0, 0.0, 2.0, 6.0), view=(2, 3))},
        {"question": Question(method="lime", engine="ours", target=ClassTarget(0))},
        {"question": dataclasses.replace(explained().question, engine="xplique")},
        {"question": dataclasses.replace(explained().question, target=ClassTarget(7))},
        {"question": dataclasses.replace(explained().question, values={"patch_height": 1})},
        {"question": dataclasses.replace(explained().question, values={"patch_height": 1e9})},
        {"attribution": np.ones((3, 2), np.float32)},
    ],
)
def test_an_answer_to_another_question_is_refused(changed):
    with pytest.raises(JobError, match="made no sense"):
        explain(**changed)


@pytest.mark.parametrize(
    ("changed", "arrays"),
    [
        ({"question": {}}, {}),
        ({"question": {"method": "occlusion", "target": {"kind": "class", "number": 1}}}, {}),
        ({"question": {"method": "occlusion", "target": {"kind": "other"}}}, {}),
        ({"grain": {"kind": "superpixels"}}, {}),
        ({"surprise": 1}, {}),
        ({"notes": 3}, {}),
        ({"scalars": {"score": "high"}}, {}),
        ({}, {"attribution": np.ones(3, np.float32)}),
        ({}, {"attribution": np.full((2, 3), np.inf, np.float32)}),
    ],
)
def test_an_explanation_of_other_types_is_refused(changed, arrays):
    data, good = explained().to_wire()
    task = Explain(pixels=PIXELS, question=ASKED)
    folder = Path("nowhere")
    with pytest.raises(JobError):
        results.answer(task, CARD, data | changed, {**good, **arrays}, folder, folder)


def test_a_grain_that_does_not_fit_is_refused():
    with pytest.raises(JobError, match="made no sense"):
        answer(
            Explain(pixels=PIXELS, question=ASKED),
            CARD,
            explained(),
            grain=cells(rows=9, columns=9),
        )


def cells(**changed):
    data, _ = explained(grain=Cells(rows=1, columns=1)).to_wire()
    return data["grain"] | changed


# The others


def test_names_that_are_paths_are_refused():
    task = Companions(path=Path("m.onnx"))
    data, _ = task.returns(names=("a.data", "b")).to_wire()
    folder = Path("nowhere")
    assert results.answer(task, None, data, {}, folder, folder).names == ("a.data", "b")
    for names in (["../a"], ["/etc/passwd"], ["a"] * 100_000):
        with pytest.raises(JobError):
            results.answer(task, None, data | {"names": names}, {}, folder, folder)


def test_a_kind_that_opens_no_files_is_refused():
    task, folder = Recognise(path=Path("m")), Path("nowhere")
    assert results.answer(task, None, {"kind": "torch"}, {}, folder, folder).kind == "torch"
    for kind in ("both", "plain", "magic"):
        with pytest.raises(JobError):
            results.answer(task, None, {"kind": kind}, {}, folder, folder)


def test_a_pace_that_no_model_has_is_refused():
    assert answer(Measure(), CARD, Measured(pace=Pace(forward=1.0, tail=2.0))).pace.tail == 2.0
    for pace in (Pace(forward=1.0, backward=-1.0), Pace(forward=1e300)):
        with pytest.raises(JobError):
            answer(Measure(), CARD, Measured(pace=pace))


def test_an_error_is_one_of_ours_and_plain():
    made = words.error_of({"kind": "LoadError", "message": "a\x1b[1mb", "detail": "x" * 50_000})
    assert type(made) is LoadError
    assert str(made) == "a[1mb"
    assert len(made.detail) == 20_000
    assert type(words.error_of({"kind": "SystemExit", "message": ""})) is JobError
    needs = words.error_of({"kind": "NeedsSource", "message": "m", "example": [3, -1, "x"]})
    assert isinstance(needs, NeedsSource)
    assert needs.example == (3, 0, 0)


@pytest.mark.parametrize("what", ["a link", "a pipe", "a folder", "too long", "missing", "up"])
def test_only_a_plain_file_of_its_own_is_copied_out(tmp_path, what):
    from tests.workers.extension.tasks.honest import Files

    scratch, folder = tmp_path / "scratch", tmp_path / "folder"
    scratch.mkdir()
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    place = scratch / "film.gif"
    match what:
        case "a link":
            place.symlink_to(tmp_path / "secret")
        case "a pipe":
            os.mkfifo(place)
        case "a folder":
            place.mkdir()
        case "too long":
            place.write_bytes(b"x" * 2000)
    name = "../secret" if what == "up" else "film.gif"
    data, _ = Result(files={"film": Path(name)}).to_wire()
    with pytest.raises(JobError, match="made no sense"):
        results.answer(Files(), None, data, {}, scratch, folder)
    assert list(folder.iterdir()) == []


def test_an_explanation_is_a_result():
    assert issubclass(Explanation, Result)
