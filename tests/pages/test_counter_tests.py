"""Counter-tests: masking by the map, a part drawn by the reader, the whole photo changed."""

import math
import re
import shlex
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import commands
from loaders import catalogue
from tests.conftest import PATIENCE
from tests.pages.conftest import settle
from tests.pages.test_offering import desk, parts, run_button, words
from ui import (
    another_model,
    counter_changes,
    counter_draw,
    counter_edits,
    counter_mask,
    counter_page,
    counter_strengths,
    drawing,
    photo_card,
    plates,
    takeaway,
    text,
)
from workers.tasks.try_changes import TryChanges
from xai_core.hashes import hash_of
from xai_core.probes._augmented import Change, reduced
from xai_core.probes.augmentations import AUGMENTATIONS
from xai_core.probes.edit_words import Edit
from xai_core.probes.edits import edited
from xai_core.probes.masking import POINTS
from xai_core.region import Region
from xai_core.report import markup
from xai_core.report.augmented import answered, change_sentences, flip_sentence
from xai_core.report.edited import edited_sentences
from xai_core.report.masked import CONTROLS, masked_sentences


@pytest.fixture
def page(app):
    """Return the page, with a model and a photo that were looked at."""
    app.run()
    app.switch_page("pages/counter_tests.py")
    return settle(app, lambda app: run_button(app) is not None and not run_button(app).disabled)


def ran(app):
    run_button(app).click()
    return settle(app, lambda app: desk(app).run is None and desk(app).answer is not None)


def button(app, key):
    return next(each for each in app.button if each.key == key)


def masked(app):
    before = dict(desk(app).answer.measured)
    button(app, "mask").click()
    return settle(app, lambda app: desk(app).answer.measured != before)


def test_the_page_invites(page):
    assert page.title[0].value == "Try to break it"
    assert "Press Run for a map first" in words(page)


def test_masking_shows_four_photos_the_curve_and_computed_sentences(page):
    app = masked(ran(page))
    made = desk(app).answer.measured[counter_mask.kept_as("hide")]
    assert words(app).count("<figure>") == 4
    assert "data:image/svg+xml" in words(app)
    slider = app.select_slider[0]
    assert made.areas[int(slider.value)] == pytest.approx(
        made.areas[1:][np.abs(made.areas[1:] - 0.05).argmin()]
    )
    labels = desk(app).answer.scene.card.labels
    for point in (int(slider.value), len(made.counts) - 2):
        app.select_slider[0].set_value(point).run()
        said = masked_sentences(made, labels, point)
        for sentence in said:
            assert text.emphasised(sentence) in words(app)
        assert said[CONTROLS].startswith("Hiding the same region")


def test_keeping_is_another_curve_and_both_stay_with_the_run(page):
    app = masked(ran(page))
    app.selectbox(key="mask-way").set_value("keep").run()
    assert not app.select_slider
    app = masked(app)
    run = desk(app).answer
    assert {"masked-hide", "masked-keep"} <= set(run.measured)
    assert "With nothing but the strongest" in words(app)
    before = run.measured["masked-keep"]
    assert (before.draws, before.way) == (5, "keep")
    app.number_input(key="mask-draws").set_value(2).run()
    app.selectbox(key="mask-fill").set_value("inpainted").run()
    app = masked(app)
    now = desk(app).answer.measured["masked-keep"]
    assert (now.draws, now.fill, now.seed) == (2, "inpainted", 0)
    again = masked(app)
    assert desk(again).answer.measured["masked-keep"].seed == 1
    assert len(now.counts) <= len(POINTS) + 1
    said = counter_mask.sentences(desk(again).answer)
    assert any(each.startswith("Hiding the strongest") for each in said)


def test_a_run_whose_model_is_gone_cannot_be_tested(page):
    app = ran(page)
    desk(app).answer.scene.model.handle.state = "closed"
    app.run()
    assert button(app, "mask").disabled
    assert "no longer open" in words(app)


# The whole photo changed


def grid_of(app):
    return desk(app).results.get(counter_changes.SLOT)


def tried(app):
    app.session_state[counter_page.PART] = "changes"
    app.run()
    before = grid_of(app)
    button(app, "changes").click()
    return settle(app, lambda app: grid_of(app) is not before)


def cards(app):
    return parts(app, "vitrine_changes")[0]["cards"]


def test_sixteen_changes_stand_sorted_with_computed_sentences(page):
    app = tried(page)
    grid = grid_of(app)
    assert len(grid.rows) == len(AUGMENTATIONS) == 16
    labels = grid.asked.model.card.labels
    for sentence in change_sentences(grid.made.cells[0], grid.rows, labels):
        assert text.emphasised(sentence) in words(app)
    shown = cards(app)
    assert [card["at"] for card in shown] == [row.at for row in grid.rows]
    flips = [card["flips"] for card in shown]
    assert flips == sorted(flips, reverse=True)
    for card, row in zip(shown, grid.rows, strict=True):
        assert len(card["pictures"]) == 2
        assert card["answer"].removeprefix("then ").startswith(labels[row.facts["first"]])
        cell = row.cell
        pixels = grid.asked.task.photo(cell.change).pixels
        logits = desk(app).model.handle.model.logits(
            desk(app).model.preprocessing.view(pixels)[0][None]
        )
        np.testing.assert_allclose(cell.logits, logits[0], atol=1e-4)


def test_a_grid_of_another_photo_says_so(page):
    app = tried(page)
    own = desk(app).photo
    assert "Shown: the changes of the last photo" not in words(app)
    photo_card.open_sample(desk(app), desk(app).samples()[0])
    app = settle(app, lambda app: desk(app).photo is not own and desk(app).prediction is not None)
    assert "Shown: the changes of the last photo" in words(app)
    assert own.name in words(app)


def test_a_cell_opens_as_a_run_in_the_offering(page):
    app = tried(page)
    grid = grid_of(app)
    row = grid.rows[3]
    app.session_state[counter_changes._OPENS] = (f"grid-{id(grid)}", row.at)
    app.run()
    run = desk(app).answer
    np.testing.assert_array_equal(run.explanation.attribution, row.cell.explanation.attribution)
    assert run.scene.photo.name.endswith(row.facts["words"])
    assert run.explanation.image_hash == hash_of(run.scene.photo.pixels)
    assert app.title[0].value == "Your model, behind glass"
    app.session_state[counter_changes._OPENS] = ("another grid", 1)
    app.switch_page("pages/counter_tests.py").run()
    assert len(desk(app).runs) == 1


def test_a_grid_is_stopped_and_keeps_what_there_is(page, monkeypatch):
    app = page
    app.session_state[counter_page.PART] = "changes"
    app.run()
    reached = threading.Event()
    own = TryChanges._cell

    def slowly(self, bench, change, progress):
        if change.name == "turned-left":
            reached.set()
            for step in range(int(PATIENCE * 100)):
                progress(step, 100)
                time.sleep(0.01)
        return own(self, bench, change, progress)

    monkeypatch.setattr(TryChanges, "_cell", slowly)
    button(app, "changes").click()
    app.run()
    assert reached.wait(PATIENCE)
    settle(app, lambda app: parts(app, "vitrine_changes"))
    assert len(cards(app)) == 2  # mirrored, upside down
    button(app, "cancel-changes").click()
    settle(app, lambda app: grid_of(app) is not None)
    assert len(grid_of(app).rows) == 2
    assert "stopped after 2 changes" in words(app)


def test_a_slider_asks_about_another_strength_of_one_change(page):
    app = tried(page)
    grid, order = grid_of(app), [card["at"] for card in cards(app)]
    row = next(row for row in grid.rows if row.cell.change.name == "turned-left")
    card = next(card for card in cards(app) if card["at"] == row.at)
    assert (
        card["title"] == card["slider"]["words"][card["slider"]["at"]] == "Turned left by 15\u00b0"
    )
    assert card["slider"]["words"][-1] == "Turned left by 180\u00b0"
    mirrored = next(row for row in grid.rows if row.cell.change.name == "mirrored")
    assert next(card for card in cards(app) if card["at"] == mirrored.at)["slider"] is None
    step = len(card["slider"]["words"]) - 1
    app.session_state[counter_changes._SLID] = (f"grid-{id(grid)}", row.at, step)
    app = settle(app, lambda app: grid_of(app) is not grid)
    made = grid_of(app)
    assert [card["at"] for card in cards(app)] == order  # each stays where it was
    new = next(row for row in made.rows if row.at == card["at"])
    assert new.cell.change == Change("turned-left", 180)
    model = desk(app).model
    pixels = desk(app).photo.pixels[::-1, ::-1]
    wanted = model.handle.model.logits(model.preprocessing.view(pixels)[0][None])
    np.testing.assert_allclose(new.cell.logits, wanted[0], atol=0.05)
    for sentence in change_sentences(made.made.cells[0], made.rows, model.card.labels):
        assert text.emphasised(sentence) in words(app)
    app.session_state[counter_changes._SLID] = ("another grid", row.at, 0)
    assert grid_of(app.run()) is made


def test_the_flip_points_stand_at_the_sliders(page):
    app = tried(page)
    grid = grid_of(app)
    task = counter_strengths.asked(grid)
    most = 2 * 1 + 14 * (12 + 4 + 2) + 1
    assert task.passes == most
    assert f"at most {most} passes" in button(app, "flips").label
    button(app, "flips").click()
    app = settle(app, lambda app: counter_strengths.flips_of(grid_of(app)) is not None)
    made = counter_strengths.flips_of(grid_of(app))
    labels = desk(app).model.card.labels
    assert (made.turned >= 0).any()
    assert f"{(made.turned >= 0).sum()} of 16 changes turn the label at some strength" in words(app)
    for card, row in zip(cards(app), grid_of(app).rows, strict=True):
        name = row.cell.change.name
        assert card["turns"] == flip_sentence(made, name, labels).replace("\u201c", "").replace(
            "\u201d", ""
        )
        found = made.flip(name)
        if card["slider"] is None:
            continue
        assert (card["slider"]["flip"] is None) == (found is None)
        if found is not None:  # the mark lies between the steps that it lies between
            scale, at = counter_strengths.steps(name), card["slider"]["flip"]
            place = at * (len(scale) - 1)
            low = scale[math.floor(place)] if place >= 0 else 0.0
            assert low - 1e-9 <= found[1] <= scale[math.ceil(place)] + 1e-9


def test_a_shift_moves_what_is_marked(page):
    app = page
    desk(app).mark(desk(app).photo, Region(10, 10, 40, 40))
    app = tried(app)
    assert grid_of(app).asked.task.box == Region(10, 10, 40, 40)
    shown = parts(app, "vitrine_drawing")[0]
    assert shown["part"]["points"] == ((10, 10), (40, 40)) or shown["part"]["points"] == [
        [10, 10], [40, 40]
    ]  # fmt: skip
    assert shown["tools"] == ["box"]
    assert not shown["moves"]


# A part that the reader draws


BOX = {"kind": "box", "points": [[10, 12], [50, 60]], "width": 0, "by": [0, 0]}


def edits(app):
    return desk(app).results.get(counter_edits.SLOT)


@pytest.fixture
def surface(page):
    """Return the page with the photo to draw on."""
    page.session_state[counter_page.PART] = "draw"
    return page.run()


def drew(app, **more):
    """Draw something, as the browser tells it."""
    found = edits(app)
    counter_edits.draw(desk(app), found, drawing.read(BOX | more, found.now.shape[:2]))
    return app.run()


def did(app, act):
    before = edits(app).at
    button(app, f"edit-{act}").click()
    return settle(
        app,
        lambda app: edits(app).at == before + 1 and edits(app).step.made is not None,
    )


def test_a_drawn_part_is_hidden_and_what_changes_is_computed(surface):
    app = surface
    assert all(button(app, f"edit-{act}").disabled for act in ("hide", "keep", "move", "paste"))
    app = drew(app)
    assert not button(app, "edit-hide").disabled
    assert button(app, "edit-move").disabled  # not dragged yet
    app = did(app, "hide")
    step = edits(app).step
    original = desk(app).photo.pixels
    hidden = np.zeros(original.shape[:2], bool)
    hidden[10:50, 12:60] = True
    assert ((step.after != original).any(2) <= hidden).all()
    # an oracle: the model asked about each photo by itself
    model = desk(app).model
    photos = [original, step.after, step.control()]
    views = [model.preprocessing.view(each)[0] for each in photos]
    wanted = model.handle.model.logits(np.stack(views))
    np.testing.assert_allclose(step.made.logits[:3], wanted, atol=1e-4)
    assert (step.control() != original).any(2).sum() <= hidden.sum()
    assert step.made.draws == 5
    said = edited_sentences(step.made, "hide", float(hidden.mean()), model.card.labels)
    for sentence in said:
        assert text.emphasised(sentence) in words(app)
    assert words(app).count("<figure>") == 3
    assert edits(app).part is None  # what was drawn was used


def replayed(app, *others):
    """Do again what the printed command says."""
    found = edits(app)
    args = commands.parse(shlex.split(counter_draw.command(desk(app).model, found))[2:])
    photos = {each.word: reduced(each.pixels) for each in (desk(app).photo, *others)}
    now = photos[args.image]
    for word in args.do:
        edit = Edit.read(word)
        part = photos.get(edit.source, now)
        edit = edit.on(part.shape[:2], now.shape[:2])
        into = now if edit.source else None
        now = edited(part, edit.drawn, edit.act, fill=edit.fill, into=into)
    return now


def test_edits_are_undone_and_done_again(surface):
    app = did(drew(surface), "hide")
    first = edits(app).step
    app = did(drew(app, by=[20, -10]), "move")
    assert edits(app).words == "24\u00a0% of the photo hidden, 24\u00a0% of the photo moved"
    assert "Before all edits it was" in words(app)
    assert (replayed(app) == edits(app).now).all()
    (shown,) = [each.value for each in app.code]
    assert shown == counter_draw.command(desk(app).model, edits(app))
    button(app, "edit-undo").click().run()
    assert edits(app).step is first
    assert edits(app).now is first.after
    button(app, "edit-redo").click().run()
    assert edits(app).at == 2
    button(app, "edit-again").click().run()
    assert (edits(app).now == desk(app).photo.pixels).all()
    assert button(app, "edit-undo").disabled
    assert not button(app, "edit-redo").disabled
    app = did(drew(app), "keep")
    assert len(edits(app).steps) == 1  # what was undone is gone


def test_a_part_is_pasted_into_another_photo(surface):
    app = drew(surface)
    button(app, "edit-take").click().run()
    own = desk(app).photo
    assert "choose another photo at the left" in words(app)
    photo_card.open_sample(desk(app), desk(app).samples()[0])
    app = settle(app, lambda app: desk(app).photo is not own and desk(app).prediction is not None)
    assert parts(app, "vitrine_drawing")[0]["held"]
    assert not edits(app).steps  # those of the other photo are gone
    counter_edits.drag(desk(app), edits(app), (5, 7))
    app = did(app.run(), "paste-here")
    pasted = np.zeros(own.pixels.shape[:2], bool)
    pasted[15:55, 19:67] = True
    after = edits(app).step.after
    assert (after[pasted] == own.pixels[10:50, 12:60].reshape(-1, 3)).all()
    assert (after[~pasted] == desk(app).photo.pixels[~pasted]).all()
    assert edits(app).words.endswith(f"of {own.name} pasted in")
    assert (replayed(app, own) == after).all()
    assert not parts(app, "vitrine_drawing")[0]["held"]


def test_another_models_answer_is_said_to_be_one(surface):
    app = did(drew(surface), "hide")
    step, own = edits(app).step, desk(app).model
    other = next(each for each in catalogue.models() if each.name != own.word)
    another_model.open_built_in(desk(app), other)
    app = settle(app, lambda app: desk(app).model is not own and desk(app).prediction is not None)
    assert "which is not the model at the left" in words(app)
    assert button(app, "edit-explain").disabled
    button(app, "edit-ask").click()
    settle(app, lambda app: step.made is not None and step.model is desk(app).model)
    assert "which is not the model at the left" not in words(app.run())


def test_an_edited_photo_is_explained_and_its_command_names_a_file(surface):
    app = did(drew(surface), "hide")
    step = edits(app).step
    button(app, "edit-explain").click()
    app = settle(app, lambda app: desk(app).run is None and desk(app).answer is not None)
    run = desk(app).answer
    assert app.title[0].value == "Your model, behind glass"
    assert (run.scene.photo.pixels == step.after).all()
    assert run.explanation.image_hash == hash_of(step.after)
    stem = Path(desk(app).photo.word).stem
    assert run.scene.photo.word == f"{stem.replace('_', '-')}-24-of-the-photo-hidden.png"
    assert f" {run.scene.photo.word} " in takeaway.whole(run)["command"]
    offered = [each for each in app.get("download_button") if run.scene.photo.word in str(each)]
    assert offered


# The report


def test_the_report_has_the_curve_the_edits_and_the_grid_with_their_pictures(page):
    app = page
    assert not [each for each in app.get("download_button") if "counter-tests.html" in str(each)]
    app.session_state[counter_page.PART] = "draw"
    app = did(drew(app.run()), "hide")
    alone = plates.reported(desk(app), desk(app).model, desk(app).photo)
    assert alone.count("<figure>") == 3
    app = tried(app)
    app.session_state[counter_page.PART] = "mask"
    app = masked(ran(app))
    assert [each for each in app.get("download_button") if "counter-report" in str(each)]
    run = desk(app).answer
    labels = run.scene.card.labels
    made = takeaway.reported([run], desk(app))
    assert made.count("data:image/svg+xml;base64,") == 1
    parted = re.findall(r'<div class="plate">.*?</figure></div></div>', made, re.DOTALL)
    assert [part.count("<figure>") for part in parted] == [4, 3, 16]
    assert [part.count("data:image/jpeg") for part in parted] == [4, 3, 32]
    grid, step = grid_of(app), edits(app).step
    for sentence in [
        *change_sentences(grid.made.cells[0], grid.rows, labels),
        *counter_draw.sentences(step, step.made),
    ]:
        assert str(markup.sentence(sentence)) in made
    for row in grid.rows:
        for each in answered(row, labels):
            assert str(markup.sentence(each)) in parted[2]
    photo_card.open_sample(desk(app), desk(app).samples()[0])
    own = desk(app).photo
    app = settle(app, lambda app: desk(app).photo is not own and desk(app).prediction is not None)
    assert not plates.besides(desk(app), desk(app).model, desk(app).photo)
    titles = [each.title for each in plates.of(run, desk(app))]  # the run keeps its own
    assert titles[0] == "What the map marks, hidden"
    assert titles[-1].startswith("The photo changed in 16 ways")
