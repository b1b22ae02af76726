"""The page on the MLP: it opens on a recording, trains, branches, and says what it shows."""

import base64
import dataclasses
import html
import io

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from loaders import digit_sets
from loaders.trainings import pace, shipped
from tests.conftest import PATIENCE, ROOT
from tests.fakes.publisher import publishing
from tests.pages.conftest import settle
from tests.pages.test_offering import desk, parts, words
from ui import mlp_data, mlp_draw, mlp_own, mlp_page, mlp_view, state, theatre, trainings
from workers.fetch import Cache
from workers.tasks.train_mlp import TrainMlp
from xai_core.training import mlp_units
from xai_core.training.dense import Dense
from xai_core.training.digits import digits
from xai_core.training.mlp_presets import PRESETS
from xai_core.training.recording import Frames


@pytest.fixture
def page(wall, monkeypatch):
    """Return the page, on its recording."""
    monkeypatch.setattr(state, "key", lambda: "one browser")
    app = AppTest.from_file(str(ROOT / "pages" / "mlp.py"), default_timeout=PATIENCE)
    return settle(app, lambda app: shown(app))


def shown(app):
    """Return what the browser is given to draw."""
    return parts(app, "training")


def held(app):
    return trainings.of(desk(app), mlp_page.NAME)


def said(app):
    return html.unescape(words(app))


def press(app, key):
    return app.button(key=key).click().run()


def small(app, **values):
    """Set a training that is over at once."""
    for name, value in ({"hidden_size": 16, "batch_size": 500, "epochs": 3} | values).items():
        app.number_input(key=f"mlp:{name}").set_value(value)
    return app.run()


def trained(app, **values):
    before = len(held(small(app, **values)).runs)
    press(app, "mlp-submit")
    return settle(app, lambda app: len(held(app).runs) > before and shown(app))


def test_a_folder_of_pictures_is_read_by_its_folders(page, monkeypatch):
    def given(count):
        files = []
        for name, shade in (("cat", 30), ("dog", 200)):
            for at in range(count):
                out = io.BytesIO()
                Image.fromarray(np.full((9, 7), shade + at, np.uint8)).save(out, "PNG")
                files.append((f"pets/{name}/{at}.png", out.getvalue(), "image/png"))
        page.file_uploader(key="mlp-folder").set_value(files).run()

    given(25)
    settle(page, lambda app: mlp_data.own(desk(app)))
    samples = mlp_data.own(desk(page))
    assert (samples.word, samples.classes, samples.sides) == ("pets", ("cat", "dog"), (9, 7))
    assert samples.x.mean(1)[samples.y == 0].max() < 60 < samples.x.mean(1)[samples.y == 1].min()
    assert "Trains on 40 samples of pets in 2 classes" in said(page)
    monkeypatch.setattr(mlp_data, "FOLDER", 45)
    given(24)
    assert "pets has 48 pictures, and the page takes up to 45 from a folder. Send it as a ZIP." in (
        said(page)
    )


def test_it_opens_on_a_labelled_recording(page):
    (theatre_data,) = shown(page)
    pane = theatre_data["panes"][0]
    layer = pane["layers"]["layer 1"]
    assert layer["title"] == "MLP layer 1 (784, 512)"
    assert (layer["rows"], layer["columns"], pane["epochs"]) == (100, 512, 100)
    frames = shipped("mlp").recording.frames["layer 1"]
    assert base64.b64decode(layer["data"]) == frames.data.tobytes()
    assert [group["label"] for group in pane["groups"]] == list("0123456789")
    assert "Recording: 5,000 MNIST digits" in said(page)
    assert "It overfits from epoch" in said(page)
    assert "nothing about overfitting" in said(page)
    for order in layer["orders"].values():
        assert sorted(order) == list(range(512))
    last = frames.decoded()[-1]
    active = shipped("mlp").recording.arrays["each active layer 1"]
    assert layer["counts"]["dark lines"][-1] == int((last == 0).all(0).sum())
    assert layer["counts"]["dead units"] == (active == 0).sum(1).tolist()
    assert layer["counts"]["always active"] == (active == 255).sum(1).tolist()
    by_activity = last.mean(0)[layer["orders"]["by activity"]]
    assert (np.diff(by_activity) <= 1e-6).all()


def test_the_next_visitor_costs_no_reading_and_no_working_out(page, monkeypatch):
    asked = []

    def counted(cls, name):
        own = getattr(cls, name)
        monkeypatch.setattr(
            cls, name, lambda *given, **more: asked.append(name) or own(*given, **more)
        )

    for cls, name in ((np, "load"), (Frames, "coded"), (Dense, "integrated")):
        counted(cls, name)
    before = shown(page)
    other = AppTest.from_file(str(ROOT / "pages" / "mlp.py"), default_timeout=PATIENCE)
    other = settle(other, lambda app: shown(app))
    assert shown(other)[0]["panes"] == before[0]["panes"]
    assert asked == []


def test_accuracy_and_weight_norms_are_drawn_as_recorded(page):
    recording = shipped("mlp").recording
    curves = shown(page)[0]["panes"][0]["curves"]
    assert list(curves) == ["loss", "accuracy", "weight norms"]
    assert list(curves["accuracy"]) == ["training accuracy", "validation accuracy"]
    right = recording.curves["validation accuracy"].tolist()
    assert curves["accuracy"]["validation accuracy"] == right
    assert list(curves["weight norms"]) == ["layer 1", "output"]
    output = recording.arrays["each norms"][:, 1].tolist()
    assert curves["weight norms"]["output"] == output
    # the weights that ship are rounded, the norms are not
    near = np.linalg.norm(recording.arrays["weight 2"])
    assert output[-1] == pytest.approx(near, rel=0.01)


def test_two_runs_say_whether_they_begin_with_the_same_weights(page):
    def together():
        return shown(page)[0]["together"]

    trained(page)
    trained(page, learning_rate=0.1)
    runs = [run for run in held(page).runs if not run.shipped]
    held(page).show(*runs)
    page.run()
    assert together().endswith(
        "Both begin with the same weights: they have the same seed and sizes."
    )
    first = runs[0].settings
    other = dataclasses.replace(runs[1], settings=dataclasses.replace(first, seed=first.seed + 1))
    assert "their seeds differ" in mlp_view.beginning(runs[0], other)
    recorded = next(run for run in held(page).runs if run.shipped)
    held(page).show(runs[0], recorded)
    page.run()
    assert together().endswith("so they cannot begin with the same weights.")


def test_the_form_begins_with_the_reader_s_own_fields(page):
    labels = [each.label for each in page.number_input][:4]
    assert labels == ["Batch size (digits)", "Hidden layer size (units)", "Learning rate", "Epochs"]
    assert "at most 5.1 MB" in said(page)
    expected = TrainMlp().work().seconds(pace("mlp"))
    label = page.button(key="mlp-submit").label
    assert label == f"Submit: train, about {expected:.0f}\u00a0s"
    small(page, epochs=50)
    assert page.button(key="mlp-submit").label != label
    small(page, hidden_size=1024, epochs=200)
    page.number_input(key="mlp:layers").set_value(4).run()
    assert "million values" in said(page)
    assert page.button(key="mlp-submit").disabled


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_preset_sets_the_form_and_shows_its_recording(page, preset):
    page.number_input(key="mlp:batch_size").set_value(77).run()
    assert "The form has other values: Submit trains with those." in said(page)
    press(page, f"mlp-preset-{preset.name}")
    assert preset.watch in said(page)
    (run,) = held(page).shown
    assert run.settings == preset.settings()
    (pane,) = shown(page)[0]["panes"]
    assert pane["said"].startswith(f"{preset.title}, a recording: batch size")
    assert f"The form has the values of <b>{preset.title}</b>: Submit trains it" in said(page)
    assert "rounded to 8 bits" in said(page)
    assert f"Trains on {round(4000 * run.settings.share):,} MNIST digits" in said(page)
    assert mlp_page.settings_form.key("mlp", "epochs") == "mlp:epochs"
    for name in ("batch_size", "hidden_size", "learning_rate", "epochs"):
        assert page.number_input(key=f"mlp:{name}").value == getattr(preset.settings(), name)


def test_it_trains_branches_and_shows_both_side_by_side(page):
    trained(page)
    run = held(page).shown[0]
    assert (run.called, len(run.recording), run.shipped) == ("Run 1", 3, "")
    assert "Recording: 5,000" not in said(page)
    for name in ("learning_rate", "dropout", "weight_decay"):
        assert page.number_input(key=f"mlp-branch-{run.id}-1:{name}").label
    page.number_input(key=f"mlp-branch-{run.id}-1-after").set_value(0)
    page.number_input(key=f"mlp-branch-{run.id}-1:learning_rate").set_value(0.01)
    page.run()
    press(page, "mlp-branch")
    settle(page, lambda app: len(held(app).shown) == 2 and len(shown(app)[0]["panes"]) == 2)
    first, second = (each.recording for each in held(page).shown)
    assert "from epoch 1 learning rate 0.01" in said(page)
    one, two = (each.frames["layer 1"].coded() for each in (first, second))
    assert np.array_equal(one[0], two[0])
    assert not np.array_equal(one[1:], two[1:])
    tops = shown(page)[0]["tops"]
    every = [
        value
        for each in shown(page)[0]["panes"]
        for curve in each["curves"]["loss"].values()
        for value in curve
    ]
    assert tops["curves"]["loss"] == max(every)


def test_a_branch_off_the_recording_is_trained_from_its_start(page):
    """The recording's own states are not here, and it may have been made on another machine."""
    run = mlp_page.recorded("mlp-dying")
    held(page).show(run)
    page.run()
    assert "A branch off the recording is trained here from its first epoch" in said(page)
    page.number_input(key=f"mlp-branch-{run.id}-7-after").set_value(1)
    page.number_input(key=f"mlp-branch-{run.id}-7-epochs").set_value(3).run()
    press(page, "mlp-branch")
    settle(page, lambda app: len(held(app).shown) == 2)
    branch = held(page).shown[1].recording
    assert (branch.first, len(branch)) == (0, 3)


def test_a_rate_that_breaks_it_is_said_in_a_sentence(page):
    small(page, learning_rate=100.0)
    page.number_input(key="mlp:weight_decay").set_value(1.0)
    page.selectbox(key="mlp:optimiser").set_value("sgd").run()
    press(page, "mlp-submit")
    settle(page, lambda app: held(app).note)
    assert "learning rate is too large. Nothing was trained before" in said(page)
    assert shown(page)


def test_it_is_paused_stepped_left_and_come_back_to(page):
    small(page, epochs=200)
    page.run()
    press(page, "mlp-submit")
    settle(page, lambda app: desk(app).job(held(app).slot).snapshot().arrays)
    assert any(key.key == "training-pause" for key in page.button)
    job = desk(page).job(held(page).slot)
    later = AppTest.from_file(str(ROOT / "pages" / "mlp.py"), default_timeout=PATIENCE).run()
    assert any(key.key == "training-stop" for key in later.button)
    assert parts(later, "training")[0]["live"]
    before = later.button(key="training-pause")
    assert before.label == "Pause"
    before.click().run()
    settle(later, lambda app: app.button(key="training-pause").label == "Go on")
    # no other has taken its place, nor its room: a click on those beside it finds them
    assert later.button(key="training-pause").proto.id == before.proto.id
    later.button(key="training-pause").click().run()
    settle(later, lambda app: app.button(key="training-pause").label == "Pause")
    later.button(key="training-stop").click().run()
    settle(later, lambda app: job.over and shown(app))
    made = held(later).shown[0].recording
    assert 1 <= len(made) < 200
    assert f"what was trained up to epoch {made.last} is kept" in said(later)


def test_dark_lines_and_overfitting_stand_side_by_side(page):
    press(page, "mlp-contrast")
    titles = [each["layers"]["layer 1"]["title"] for each in shown(page)[0]["panes"]]
    assert titles == ["MLP layer 1 (784, 128)", "MLP layer 1 (784, 64)"]
    words = said(page)
    first, second = (each["said"].split(":")[0] for each in shown(page)[0]["panes"])
    assert (first, second) == ("Dying ReLU, a recording", "Overfit, a recording")
    assert shown(page)[0]["together"].startswith(mlp_view.TOGETHER)
    assert shown(page)[0]["top"] == max(
        mlp_units.white(shipped(name).recording.frames["layer 1"]) for name in mlp_page.CONTRAST
    )
    assert "It does not overfit" in words
    assert "It overfits from epoch" in words
    before = len(held(page).runs)
    press(page, "mlp-contrast")
    assert len(held(page).runs) == before


def test_a_unit_is_looked_into(page):
    run = held(page).shown[0]
    page.session_state[mlp_view.unit_key(run.id)] = 7
    page.run()
    box = next(each for each in page.number_input if each.label == "Unit")
    assert box.value == 7
    assert "Unit 7 " in said(page)
    active = run.recording.arrays["each active layer 1"]
    dead = int(np.flatnonzero((active == 0).all(0))[0])
    box.set_value(dead).run()
    assert f"Unit {dead} is dead: from epoch 0 on" in said(page)


def test_a_mistake_is_explained(page):
    page.selectbox(key=f"mlp-wrong-{held(page).shown[0].id}").select_index(2).run()
    assert "Integrated gradients from black" in said(page)


def test_a_drawn_digit_is_answered(page):
    run = held(page).shown[0]
    assert mlp_draw.answer(run, None)["bars"] == []
    probes, classes = (run.recording.arrays[name] for name in ("probes", "probe classes"))
    right = 0
    for pixels, label in zip(probes, classes, strict=True):
        answer = mlp_draw.answer(run, pixels)
        right += int(np.argmax([bar["share"] for bar in answer["bars"]])) == label
        values = base64.b64decode(answer["layers"][0]["values"])
        assert len(values) == 512
    assert right > 85
    sent = {"pixels": theatre.coded(probes[4])}
    assert np.array_equal(mlp_draw.read(sent), probes[4])
    for wrong in (None, {}, {"pixels": "?"}, {"pixels": "AAAA"}):
        assert mlp_draw.read(wrong) is None
    page.selectbox(key=f"mlp-digit-{run.id}").select_index(5).run()
    assert base64.b64decode(parts(page, "draw")[0]["given"]["pixels"]) == probes[4].tobytes()


def test_it_trains_on_a_reader_s_own_samples(page):
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = (rng.integers(0, 60, (90, 6, 5)) + 90 * (np.arange(5) == y[:, None, None])).astype(np.uint8)
    file = io.BytesIO()
    np.savez(file, x=x, y=np.array(["ant", "bee", "fly"])[y])
    page.file_uploader(key="mlp-upload").set_value(("own.npz", file.getvalue(), "")).run()
    settle(page, lambda app: mlp_data.own(desk(app)))
    assert "Trains on 72 samples of own.npz in 3 classes" in said(page)
    trained(page, batch_size=8, epochs=40)
    pane = shown(page)[0]["panes"][0]
    assert pane["layers"]["layer 1"]["title"] == "MLP layer 1 (30, 16)"
    assert [group["label"] for group in pane["groups"]] == ["ant", "bee", "fly"]
    run = held(page).shown[0]
    assert run.recording.curves["validation accuracy"][-1] == 1
    assert "of the training samples are right" in said(page)
    assert "Digits can be drawn for a network that was trained on digits." in said(page)
    assert run.recording.arrays["each confusion"].shape == (40, 3, 3)
    press(page, "mlp-branch")
    settle(page, lambda app: len(held(app).shown) == 2)
    one, two = (each.recording.frames["layer 1"].coded() for each in held(page).shown)
    assert np.array_equal(one, two)
    press(page, "mlp-digits")
    assert "Trains on 4,000 MNIST digits" in said(page)


def test_a_file_that_is_none_is_a_sentence(page):
    page.file_uploader(key="mlp-upload").set_value(("own.npz", b"no", "")).run()
    settle(page, lambda app: desk(app).notes.get(mlp_data.FILE))
    assert "is no NPZ and no ZIP" in said(page)
    assert "Trains on 4,000 MNIST digits" in said(page)


def checkpoints(wide=784, classes=10):
    """Return the files of three checkpoints by name, in which the second is twice the first."""
    torch.manual_seed(0)
    nn = torch.nn
    made = nn.Sequential(nn.Linear(wide, 6), nn.ReLU(), nn.Linear(6, classes))
    files = {}
    for name, factor in (("epoch-2.pt", 1), ("epoch-10.pt", 2), ("epoch-9.pt", 3)):
        file = io.BytesIO()
        torch.save({key: each * factor for key, each in made.state_dict().items()}, file)
        files[name] = file.getvalue()
    return made, files


def given(app, files):
    app.file_uploader(key="mlp-network-upload").set_value(
        [(name, data, "") for name, data in files.items()]
    ).run()
    return settle(app, lambda app: mlp_own.OPENED not in desk(app).slots.names())


def test_checkpoints_of_one_s_own_are_shown_in_their_order(page):
    made, files = checkpoints()
    given(page, files)
    settle(page, lambda app: held(app).shown[0].settings is None)
    (theatre_data,) = shown(page)
    (pane,) = theatre_data["panes"]
    assert (pane["word"], pane["first"], pane["epochs"]) == ("checkpoint", 1, 3)
    assert pane["layers"]["layer 1"]["title"] == "MLP layer 1 (784, 6)"
    assert "Yours: epoch-2.pt, epoch-9.pt and epoch-10.pt, in this order" in pane["said"]
    assert list(pane["curves"]["loss"]) == ["loss"]
    assert list(pane["curves"]["accuracy"]) == ["accuracy"]
    assert "whether it overfits cannot be read off here" in said(page)
    assert "ReLU is taken" in said(page)
    run = held(page).shown[0]
    data = digits()
    x = torch.tensor(data.held_x[data.probes] / np.float32(255))
    hidden = made[1](made[0](x)).detach().numpy()
    frames = run.recording.frames["layer 1"]
    assert np.abs(frames.decoded()[0] - hidden).max() <= frames.steps[0] / 2 * 1.001
    assert "Branch" not in [each.label for each in page.button]
    press(page, "mlp-contrast")
    assert "Recordings: 5,000 MNIST digits" in said(page)
    page.selectbox(key="mlp-network-scaling").set_value("0 to 255").run()
    settle(page, lambda app: held(app).shown[0].settings is None)
    assert len([run for run in held(page).runs if run.settings is None]) == 1
    assert "inputs scaled to 0 to 255" in shown(page)[0]["panes"][0]["said"]


def test_a_network_that_does_not_fit_the_data_is_a_sentence(page):
    given(page, {"mine.pt": checkpoints(classes=7)[1]["epoch-2.pt"]})
    settle(page, lambda app: desk(app).notes.get(mlp_own.OPENED))
    assert "gives 7 scores, and 5,000 MNIST digits has 10 classes" in said(page)
    assert held(page).shown[0].shipped
    given(page, {"mine.pt": b"no model"})
    settle(page, lambda app: desk(app).notes.get(mlp_own.FOUND))
    assert held(page).shown[0].shipped


def test_a_published_set_is_fetched_checked_and_trained_on(page, wall, tmp_path, monkeypatch):
    monkeypatch.setattr(digit_sets, "LEARNED", 60)
    monkeypatch.setattr(digit_sets, "HELD", 50)
    rng = np.random.default_rng(0)
    parts = {}
    for name, count in (("train", 60), ("test", 50)):
        parts[f"x_{name}"] = rng.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        parts[f"y_{name}"] = (np.arange(count) % 10).astype(np.uint8)
    file = io.BytesIO()
    np.savez_compressed(file, **parts)
    monkeypatch.setattr(wall, "cache", Cache(tmp_path / "cache", scheme="http"))
    monkeypatch.setattr(mlp_data, "_read", {})
    with publishing(file.getvalue()) as publisher:
        remote = publisher.remote("mnist.npz", title="The whole MNIST")
        remote.otherwise = digit_sets.BUILT_IN
        found = dataclasses.replace(digit_sets.find("mnist"), files=(remote,))
        monkeypatch.setattr(mlp_data, "SETS", (found,))
        page.run()
        assert f"Checked by its sha256: {remote.checksum[7:]}." in said(page)
        press(page, "mlp-set-mnist")
        settle(page, lambda app: mlp_data.own(desk(app)))
    assert (
        "Trains on 60 pictures of whole MNIST, on one thread, and is tried on 50 others."
        in said(page)
    )
    trained(page)
    assert held(page).shown[0].recording.scalars["held out"] == 50
    press(page, "mlp-digits")
    assert page.button(key="mlp-set-mnist").label == "Use whole MNIST"
    press(page, "mlp-set-mnist")  # read once a process
    assert mlp_data.own(desk(page)).held == 50


def test_without_a_network_it_says_what_is_built_in(page, wall, tmp_path, monkeypatch):
    monkeypatch.setattr(wall, "cache", Cache(tmp_path / "cache", scheme="http"))
    with publishing(b"") as publisher:
        remote = publisher.remote("mnist.npz", title="The whole MNIST")
    remote.otherwise = digit_sets.BUILT_IN  # and nobody listens any more
    found = dataclasses.replace(digit_sets.find("mnist"), files=(remote,))
    monkeypatch.setattr(mlp_data, "SETS", (found,))
    page.run()
    press(page, "mlp-set-mnist")
    settle(page, lambda app: desk(app).notes.get(mlp_data.FETCH))
    assert "cannot be reached from this server. The built-in data are 5,000 real" in said(page)
    assert not page.button(key="mlp-set-mnist").disabled
