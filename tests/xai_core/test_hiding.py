"""The hiding test, against a linear model: what hiding does to its score has a closed form."""

import dataclasses
import re

import numpy as np
import pytest

from tests.fakes.explained import explanation
from tests.fakes.linear import LinearModel
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.grain import PIXELS, Cells, Patches, Superpixels
from xai_core.hashes import hash_of
from xai_core.model import Detections
from xai_core.parts import cuts, grid, parts
from xai_core.perturb import baseline, stream
from xai_core.probes.hiding import Hiding
from xai_core.report import hidden_facts, hidden_sentences, hidden_verdict
from xai_core.report.hiding import ranged
from xai_core.target import BoxTarget, ClassTarget
from xai_core.task import silent, tasks

SIZE = (12, 10)
NO_PHOTO = np.zeros((4, 4, 3), np.uint8)
LABELS = ("ring", "star", "heart")
NBSP = "\u00a0"


def rng(seed=0):
    return np.random.default_rng(seed)


def linear(seed=1, scale=1.0):
    return LinearModel((scale * rng(seed).normal(size=(3, *SIZE, 3))).astype(np.float32))


def photo(seed=2):
    return rng(seed).random((*SIZE, 3), np.float32)


def hiding(attribution, **values):
    return Hiding(
        pixels=NO_PHOTO,
        attribution=np.asarray(attribution, np.float32),
        **({"target": ClassTarget(1)} | values),
    )


def asked(attribution, model=None, image=None, **values):
    task = hiding(attribution, **values)
    made = task.tested(model or linear(), photo() if image is None else image, silent)
    task.check(made, None)
    return made


def scored(model, image, fill, hidden, target):
    """Return the closed form: the score of the photo, and what each hidden pixel takes away."""
    weights = model.weights[target.index].astype(np.float64)
    if target.against is not None:
        weights = weights - model.weights[target.against]
    gone = weights * (image.astype(np.float64) - baseline(fill, image))
    return float((weights * image).sum() - gone[hidden].sum())


def contribution(model, image, fill, index=1):
    """Return the planted truth: what hiding each pixel takes from the score."""
    return (model.weights[index] * (image - baseline(fill, image))).sum(2)


# The answers


@pytest.mark.parametrize("fill", ["mean", "grey", "black", "blur"])
@pytest.mark.parametrize("target", [ClassTarget(1), ClassTarget(2, against=0)])
def test_each_answer_is_the_closed_form(fill, target):
    model, image, scores = linear(), photo(), rng(5).random(SIZE)
    made = asked(scores, model, image, fill=fill, target=target, draws=3, points=5)
    ranked = np.argsort(-scores.ravel())
    nothing, everything = np.zeros(SIZE, bool), np.ones(SIZE, bool)

    def known(hidden):
        return pytest.approx(scored(model, image, fill, hidden, target), abs=1e-4)

    assert made.whole.scores[0] == known(nothing)
    assert made.blank.scores[0] == known(everything)
    for at, share in enumerate((0.05, 0.1, 0.2)):
        count = round(share * scores.size)
        strongest, least = (np.zeros(scores.size, bool) for _ in range(2))
        strongest[ranked[:count]] = least[ranked[-count:]] = True
        strongest, least = strongest.reshape(SIZE), least.reshape(SIZE)
        assert (made.marked(at) == strongest).all()
        assert (made.least_marked(at) == least).all()
        assert made.areas[at] == made.least_areas[at] == pytest.approx(share)
        assert made.strongest.scores[at] == known(strongest)
        assert made.kept.scores[at] == known(~strongest)
        assert made.least.scores[at] == known(least)
        for draw, (down, right) in enumerate(made.shifts):
            moved = np.roll(np.roll(strongest, down, 0), right, 1)
            assert made.random.scores[at, draw] == known(moved)
            assert made.overlap[at, draw] == pytest.approx((moved & strongest).sum() / count)
    np.testing.assert_allclose(made.curve_areas, [0, 0.2, 0.4, 0.6, 0.8, 1])
    for point, area in enumerate(made.curve_areas):
        hidden = np.zeros(scores.size, bool)
        hidden[ranked[: round(area * scores.size)]] = True
        hidden = hidden.reshape(SIZE)
        assert made.curve.scores[point] == known(hidden)
        drawn = [
            scored(model, image, fill, np.roll(hidden, shift, (0, 1)), target)
            for shift in made.shifts
        ]
        np.testing.assert_allclose(made.curve_random.scores[point], drawn, atol=1e-4)
        assert made.curve_mean[point] == pytest.approx(np.mean(drawn), abs=1e-4)
        assert made.curve_spread[point] == pytest.approx(np.std(drawn, ddof=1), abs=1e-4)


def test_probabilities_and_first_classes_are_the_model_s():
    model, image, scores = linear(scale=0.2), photo(), rng(5).random(SIZE)
    made = asked(scores, model, image, fill="grey", draws=4)
    for at in range(3):
        masks = [made.marked(at), ~made.marked(at), made.least_marked(at)]
        masks += [made.rolled(at, draw) for draw in range(4)]
        views = np.stack([np.where(mask[..., None], np.float32(0.5), image) for mask in masks])
        logits = model.logits(views)
        chances, firsts = model.head.probabilities(logits)[:, 1], logits.argmax(1)
        got = [made.strongest, made.kept, made.least]
        for row, answers in enumerate(got):
            assert answers.probabilities[at] == pytest.approx(chances[row], abs=1e-5)
            assert answers.firsts[at] == firsts[row]
        np.testing.assert_allclose(made.random.probabilities[at], chances[3:], atol=1e-5)
        assert made.random.firsts[at].tolist() == firsts[3:].tolist()


def test_the_planted_truth_passes_and_its_opposite_fails():
    model, image = linear(), photo()
    truth = contribution(model, image, "grey")
    found = asked(truth, model, image, signed=True, fill="grey", draws=20)
    wrong = asked(-truth, model, image, signed=True, fill="grey", draws=20)
    for at in range(3):
        # no other region of that size takes more away: these are its largest parts
        count = int(found.marked(at).sum())
        assert hidden_facts(found, at)["fall"] == pytest.approx(
            np.sort(truth.ravel())[-count:].sum(), rel=1e-4
        )
        assert hidden_facts(found, at)["verdict"] == "passes"
        assert hidden_facts(wrong, at)["verdict"] == "fails"
        # nearest to zero, neither for nor against
        least = np.abs(truth.ravel()).argsort()[:count]
        assert sorted(np.flatnonzero(found.least_marked(at))) == sorted(least)


def test_a_map_that_knows_nothing_passes_no_more_often_than_chance():
    model, image = linear(), photo()
    verdicts = [
        hidden_facts(asked(rng(seed).random(SIZE), model, image, seed=seed, draws=9))["verdict"]
        for seed in range(40)
    ]
    assert verdicts.count("passes") <= 10  # 4 are expected: the best of ten
    assert verdicts.count("fails") >= 10


def test_each_mask_is_asked_once_and_progress_ends():
    model, seen = linear(), []

    def progress(done, total, partial=None, arrays=None):
        seen.append((done, total, {name: array.copy() for name, array in arrays.items()}))

    task = hiding(rng(5).random(SIZE), draws=2)
    made = task.tested(model, photo(), progress)
    # 5, 10 and 20 % lie on the curve: nothing and all, 18 points between, 3 others for each share
    assert model.passes == 2 + 19 * 3 + 3 * 2 == seen[-1][0] == seen[-1][1]
    assert model.passes <= task.passes
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    np.testing.assert_array_equal(seen[-1][2]["scores"], made.curve.scores)
    np.testing.assert_array_equal(seen[-1][2]["areas"], made.curve_areas)
    early = seen[len(seen) // 2][2]
    assert 2 <= len(early["scores"]) < len(made.curve.scores)
    assert set(early["areas"]) <= set(made.curve_areas)


def test_the_seed_draws_the_regions():
    one, same, other = (asked(rng(5).random(SIZE), seed=seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(one.random.scores, same.random.scores)
    assert not np.array_equal(one.shifts, other.shifts)
    np.testing.assert_array_equal(one.strongest.scores, other.strongest.scores)
    many = asked(np.eye(*SIZE), draws=50)
    assert (many.shifts != 0).any(1).all()  # never the region itself
    assert set(many.shifts[:, 0]) == set(range(SIZE[0]))
    assert set(many.shifts[:, 1]) == set(range(SIZE[1]))


# Parts


def test_parts_are_whole_cells():
    small = rng(3).random((3, 5)).astype(np.float32)
    cut_up = parts(np.zeros(SIZE, np.float32), Cells(rows=3, columns=5, map=small))
    assert cut_up.labels.shape == SIZE
    assert (cut_up.sizes == 8).all()
    for row in range(12):
        for column in range(10):
            assert cut_up.values[cut_up.labels[row, column]] == small[row // 4, column // 2]
    # without the layer's own map: the mean in each cell
    drawn = rng(4).random(SIZE).astype(np.float32)
    means = parts(drawn, Cells(rows=3, columns=5)).values.reshape(3, 5)
    wanted = drawn.reshape(3, 4, 5, 2).mean((1, 3))
    np.testing.assert_allclose(means, wanted, rtol=1e-6)
    # patches of 5 x 3 on 12 x 10: a grid of 2 x 3
    assert parts(drawn, Patches(height=5, width=3)).labels.max() == 5


def test_cells_that_do_not_divide_the_view_and_cells_without_a_pixel():
    cells = grid((5, 7), (3, 4))  # the middles of five rows lie at 0.3, 0.9, 1.5, 2.1 and 2.7
    assert (cells[:, 0] // 4).tolist() == [0, 0, 1, 2, 2]
    assert cells[0].tolist() == [0, 0, 1, 2, 2, 3, 3]
    fine = parts(np.zeros((2, 2), np.float32), Cells(rows=3, columns=3, map=np.eye(3)))
    assert len(fine.values) == 4
    assert fine.values[fine.labels[0, 0]] == 1


def test_superpixels_are_hidden_whole():
    labels = np.zeros(SIZE, np.int32)
    labels[:, 3:] = 1
    labels[:, 9:] = 4  # 2 and 3 have no pixel
    weights = np.array([0.5, -1.0, 9.0, 9.0, 0.7])
    made = asked(
        weights[labels], grain=Superpixels(labels, weights), signed=True, shares=(0.05, 0.3)
    )
    assert (made.parts, made.part) == (3, "superpixel")
    assert (made.marked(0) == (labels == 4)).all()
    assert (made.marked(1) == (labels != 1)).all()
    assert made.areas.tolist() == pytest.approx([0.1, 0.4])
    assert (made.least_marked(0) == (labels == 0)).all()
    assert made.rolled(1, 0).sum() == made.marked(1).sum()


def test_a_map_of_one_part_hides_all_or_nothing():
    grain = Superpixels(np.zeros(SIZE, np.int32), np.ones(1))
    made = asked(np.ones(SIZE), grain=grain, draws=2)
    blank, whole = made.blank.scores[0], made.whole.scores[0]
    assert blank != whole
    assert made.strongest.scores.tolist() == made.least.scores.tolist() == [blank] * 3
    assert made.kept.scores.tolist() == [whole] * 3
    assert made.random.scores.tolist() == [[blank] * 2] * 3


def test_the_nearest_area_is_taken_and_one_part_at_least():
    sizes = np.array([30, 10, 10, 50])
    assert cuts(sizes, [0.01, 0.34, 0.36, 0.45, 0.46, 0.9]).tolist() == [1, 1, 2, 2, 3, 4]
    # a slow transcription
    for share in np.linspace(0.01, 0.99, 37):
        covered = {count: sizes[:count].sum() / 100 for count in range(1, 5)}
        best = min(covered, key=lambda count: (abs(covered[count] - share), count))
        assert cuts(sizes, [share]).tolist() == [best]


# Doubts


def noted(*values, **more):
    return " ".join(asked(*values, **more).notes).replace(NBSP, " ")


def test_a_map_without_a_mark_is_said_and_not_judged():
    blank = asked(np.zeros(SIZE))
    assert blank.flat
    assert blank.notes[0].startswith("The map is blank: no part of it is stronger")
    assert noted(np.full(SIZE, 2.0)).startswith("The map is flat: no part of it is stronger")
    said = hidden_sentences(blank, LABELS)
    assert hidden_facts(blank)["verdict"] == "untested"
    assert said[-1].startswith("The map was not tested")
    assert not any("passes" in each or "fails" in each for each in said)


def test_a_share_below_one_cell_is_said():
    small = np.array([[4, 1], [2, 3]], np.float32)
    said = noted(np.kron(small, np.ones((6, 5))), grain=Cells(2, 2, small), shares=(0.05, 0.5))
    assert said == ("5 % was asked, and one cell has 25 % of the view: that one cell was hidden.")


def test_a_fill_like_the_photo_is_said():
    image = np.full((*SIZE, 3), 0.5, np.float32)
    made = asked(rng(5).random(SIZE), image=image, fill="mean")
    said = " ".join(made.notes).replace(NBSP, " ")
    assert "The fill looks like the strongest 5 % itself, so hiding that changed nothing." in said
    assert hidden_facts(made)["verdict"] == "untested"
    assert made.changed.max() < 1e-6
    black = np.zeros((*SIZE, 3), np.float32)
    black[:6] = 1.0
    marks = np.zeros(SIZE)
    marks[2, :5] = [5, 4, 3, 2, 1]
    made = asked(marks, image=black, fill="black", shares=(5 / 120,), draws=20)
    unchanged = sum(not black[made.rolled(0, draw)].any() for draw in range(20))
    assert f"In {unchanged} of 20 draws for 4 % the fill looks like" in " ".join(
        made.notes
    ).replace(NBSP, " ")
    assert made.changed.tolist() == [1]


def test_a_probability_at_its_end_is_said():
    far = LinearModel(np.zeros((3, *SIZE, 3), np.float32))
    far.weights[1] = 1.0
    assert "so near to full that it hardly moves" in noted(rng(5).random(SIZE), far)
    assert "so near to zero" in noted(rng(5).random(SIZE), far, target=ClassTarget(0))
    assert "so near" not in noted(rng(5).random(SIZE), linear(scale=0.01))


def test_too_little_evidence_and_ties_are_said():
    few = np.zeros(SIZE)
    few[:2, :6] = np.arange(12).reshape(2, 6) + 1
    said = noted(few)
    assert said == (
        "Only 10 % of the view has evidence for what is explained: the rest of the strongest 20 % "
        "has none."
    )
    few[0, 0] = 0
    assert "the rest of the strongest 10 % (and of what is larger) has none" in noted(few)
    assert "speak least against it" in noted(-rng(1).random(SIZE), signed=True)
    ties = np.ones(SIZE)
    ties[0, :6] = 2
    assert noted(ties, shares=(0.05,)) == ""
    assert noted(ties, shares=(0.1,)) == (
        "114 pixels are equally strong at the edge of the strongest 10 %: which of them were "
        "hidden was drawn."
    )


def test_what_no_test_can_be_made_of_is_refused():
    with pytest.raises(ParamError, match=r"Hiding\.shares must be 1 to 10 rising parts"):
        hiding(np.zeros(SIZE), shares=(0.2, 0.1))
    for shares in ((), (0.0,), (1.0,), (float("nan"),)):
        with pytest.raises(ParamError, match=r"Hiding\.shares"):
            hiding(np.zeros(SIZE), shares=shares)
    with pytest.raises(ParamError, match=r"Hiding\.attribution must be a finite map"):
        hiding(np.full(SIZE, np.nan))
    with pytest.raises(ParamError, match=r"Hiding\.grain does not fit: patches larger"):
        hiding(np.zeros(SIZE), grain=Patches(height=13, width=1))
    with pytest.raises(ParamError, match=r"Hiding\.fill must be one of mean, grey, black, blur"):
        hiding(np.zeros(SIZE), fill="noise")
    made = explanation(np.zeros(SIZE), image_hash=hash_of(NO_PHOTO), model_hash="one")
    assert Hiding.of(made, NO_PHOTO, fill="grey").fill == "grey"
    with pytest.raises(ParamError, match="must be the photo that the map explains"):
        Hiding.of(made, NO_PHOTO + 1)

    class Other:
        hash = "another"

    with pytest.raises(ParamError, match="asks the model that the map explains"):
        Hiding.of(made, NO_PHOTO, card=Other())
    huge = LinearModel(np.full((3, *SIZE, 3), 1e38, np.float32))
    with np.errstate(all="ignore"), pytest.raises(UnsupportedModel, match="not a finite number"):
        asked(rng(5).random(SIZE), huge)


class Bright:
    """A detector of one box that is as sure as the view is bright; it gives no class scores."""

    name, framework, labels, input_size = "bright", "numpy", ("light",), SIZE

    def candidates(self, images):
        box, label = np.array([[0, 0, 12, 10]], np.float32), np.zeros(1, np.int32)
        return tuple(Detections(box, label, view.mean()[None]) for view in images)

    def masked_scores(self, image, masks, baseline, targets, batch=0):
        for part, found in stream(self.candidates, image, masks, baseline, batch or 7):
            yield part, np.stack([each.score(found, None) for each in targets], 1)

    def lacks(self, need):
        return None if need.__name__ == "MasksFast" else "It gives no scores."


def test_a_detector_has_scores_and_no_classes():
    image = photo()
    target = BoxTarget((0, 0, 12, 10), 0, asks="object")
    made = asked(image.mean(2), Bright(), image, fill="black", target=target, draws=3)
    assert made.whole.probabilities is None
    assert made.whole.firsts is None
    kept = np.where(made.marked(2)[..., None], 0, image)
    assert made.strongest.scores[2] == pytest.approx(kept.mean(), abs=1e-5)
    said = hidden_sentences(made, ("light",), 2)
    assert "the model" not in said[0]
    assert said[0].startswith(f"Hiding the strongest 20{NBSP}% takes the score of that there is")


# Crossing the wall


def test_it_crosses_as_declared_data_and_what_does_not_add_up_is_refused():
    assert tasks()["hiding"] is Hiding
    task = hiding(rng(5).random(SIZE), draws=3)
    made = task.tested(linear(), photo(), silent)
    data, arrays = made.to_wire()
    assert not made.whole.scores.flags.writeable
    declared, known = task.gives(None), {"h": SIZE[0], "w": SIZE[1]}
    for name, array in arrays.items():
        assert declared[name].refusal(array, known) == "", name
    task.check(type(made).from_wire(data, arrays), None)
    answers = dataclasses.replace
    far = made.most_places + 1
    broken = [
        answers(made, fill="grey"),
        answers(made, target=ClassTarget(2)),
        answers(made, shares=(0.05, 0.1, 0.3)),
        answers(made, cuts=made.cuts * 1000),
        answers(made, most_places=far),
        answers(made, curve_cuts=made.curve_cuts[::-1]),
        answers(made, changed=made.changed + 2),
        answers(made, part="thing"),
        answers(made, strongest=made.random),
        answers(made, kept=answers(made.kept, probabilities=None)),
        answers(made, kept=answers(made.kept, probabilities=made.kept.probabilities + 2)),
        answers(made, kept=answers(made.kept, firsts=made.kept.firsts - 9)),
    ]
    for each in broken:
        with pytest.raises(ValueError, match=r"answer|places|cuts|curve|changes|classes|proba"):
            task.check(each, None)


# Sentences


def numbers(text):
    """Return the figures of a sentence in their order."""
    return [float(each) for each in re.findall(r"(?<![\w“])-?\d+(?:\.\d+)?", text)]


def planted(places, values, firsts=(), draws=4, chance=0.9):
    """Return a test's result with planted answers: `values` are (strongest, *draws)."""
    made = asked(rng(5).random(SIZE), shares=(0.05,), draws=draws, points=2)

    def answers(old, probabilities, first):
        scores = np.asarray(probabilities, np.float32) * 10
        probabilities = np.asarray(probabilities, np.float32)
        firsts = np.broadcast_to(np.asarray(first, np.int32), probabilities.shape)
        return dataclasses.replace(old, scores=scores, probabilities=probabilities, firsts=firsts)

    strongest, *drawn = values
    first, *others = firsts or [1] * len(values)
    return dataclasses.replace(
        made,
        whole=answers(made.whole, [chance], 1),
        blank=answers(made.blank, [0.12], 0),
        strongest=answers(made.strongest, [strongest], first),
        kept=answers(made.kept, [places], 1),
        least=answers(made.least, [0.88], 1),
        random=answers(made.random, [drawn], [others]),
        notes=(),
    )


def plain(sentences):
    return [each.replace(NBSP, " ") for each in sentences]


def test_a_map_that_passes_in_words():
    made = planted(0.8, [0.03, 0.9, 0.7, 0.8, 0.8], firsts=[2, 1, 1, 1, 1])
    assert plain(hidden_sentences(made, LABELS)) == [
        "Hiding the strongest 5 % takes “star” from 90 % to 3 %, and the model then says “heart”.",
        "Hiding random regions as large takes it from 90 % to 80 % on average (4 draws, from 70 % "
        "to 90 %), and changes the answer in 0 of 4.",
        "With nothing but the strongest 5 % left, “star” has 80 %, and the model still says "
        "“star”; the fill alone gives it 12 %.",
        "Hiding the least important 5 % takes “star” from 90 % to 88 %, and the model still says "
        "“star”.",
        "The map passes the hiding test: without what it marks the score falls by 8.7, more than "
        "by any of the 4 random regions (at most 2).",
        "This says that the score hangs on that place. It does not say that the place is a good "
        "reason.",
    ]


def test_a_map_that_fails_in_words():
    made = planted(0.1, [0.8, 0.7, 0.6, 0.9, 0.9], firsts=[1, 1, 0, 1, 1])
    said = plain(hidden_sentences(made, LABELS))
    assert "and changes the answer in 1 of 4" in said[1]
    assert said[4:] == [
        "The map fails the hiding test: 2 of 4 random regions as large lower the score by as much "
        "(1) or more.",
        "So the map does not show what the score hangs on, or this fill disturbs the model "
        "wherever it lies; try another fill, and another method.",
    ]
    risen = plain(hidden_sentences(planted(0.1, [0.95, 0.9, 0.9, 0.9, 0.9]), LABELS))
    assert risen[0].startswith("Hiding the strongest 5 % takes “star” from 90 % to 95 %, and the")
    assert "leaves it at 90 % on average (4 draws, 90 % each time)" in risen[1]
    assert risen[4] == (
        "The map fails the hiding test: without what it marks, the score does not fall."
    )


def test_steps_that_are_none_are_not_said_to_be_any():
    made = planted(0.1, [0.012, 0.003, 0.004, 0.006, 0.014], chance=0.004)
    said = plain(hidden_sentences(made, LABELS))
    assert said[0].startswith("Hiding the strongest 5 % leaves “star” at 1 % or less")
    assert "(4 draws, 1 % at most)" in said[1]
    high = plain(hidden_sentences(planted(0.1, [0.5, 0.97, 0.98, 0.98, 0.999]), LABELS))
    assert "(4 draws, 97 % at least)" in high[1]
    assert ranged("70 %", "90 %") == "from 70 % to 90 %"


def test_the_verdict_is_one_of_the_sentences():
    for random in (0.9, 0.02):
        made = planted(0.8, [0.03, random, random, random, random])
        assert hidden_verdict(made) == hidden_sentences(made, LABELS)[4]


def test_a_doubt_and_a_single_draw_in_words():
    made = planted(0.1, [0.5, 0.4, 0.8, 0.8, 0.8])
    said = plain(hidden_sentences(made, LABELS))
    assert said[4] == (
        "The hiding test leaves a doubt: 1 of 4 random regions as large lowers the score by as "
        "much (4) or more."
    )
    assert "the answer stays, so other parts speak for it too" in said[5]
    one = plain(hidden_sentences(planted(0.1, [0.5, 0.8], draws=1), LABELS))
    assert one[1] == (
        "Hiding one random region as large takes it from 90 % to 80 %, and does not change the "
        "answer."
    )
    assert one[4] == (
        "The map passes the hiding test: without what it marks the score falls by 4, more than by "
        "the random region (1)."
    )


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("target", [ClassTarget(1), ClassTarget(1, against=2)])
def test_every_number_is_measured_again(at, target):
    model, image = linear(scale=0.1), photo()
    attribution = contribution(model, image, "grey")
    made = asked(
        attribution, model, image, signed=True, fill="grey", target=target, draws=6, seed=3
    )
    said = hidden_sentences(made, LABELS, at)
    ranked = np.argsort(-attribution.ravel())
    count = round(made.shares[at] * attribution.size)
    strongest = np.zeros(attribution.size, bool)
    strongest[ranked[:count]] = True
    strongest = strongest.reshape(SIZE)
    drawn = [np.roll(strongest, shift, (0, 1)) for shift in made.shifts]
    masks = [np.zeros(SIZE, bool), strongest, ~strongest, np.ones(SIZE, bool), *drawn]
    views = [np.where(mask[..., None], np.float32(0.5), image) for mask in masks]
    logits = model.logits(np.stack(views))
    scores = target.score(logits, model.head)
    if target.against is None:
        told = 100 * model.head.probabilities(logits)[:, 1]
        about = {"abs": 0.51}
    else:
        told, about = scores, {"rel": 0.06}
    before, after, kept, blank = told[:4]
    share = 100 * made.shares[at]

    def near(*values):
        return [pytest.approx(value, **about) for value in values]

    assert numbers(minus(said[0])) == [share, *near(before, after)]
    drawn = told[4:]
    changes = int((logits[4:].argmax(1) != logits[0].argmax()).sum())
    touching = [bool((mask & strongest).any()) for mask in masks[4:]]
    assert hidden_facts(made, at)["touching"] == sum(touching)
    spread = near(before, drawn.mean()), near(drawn.min(), drawn.max())
    figures = numbers(minus(said[1].split(" (a region")[0].split(" of these")[0]))
    assert figures[:7] == [*spread[0], 6, *spread[1], changes, 6]
    assert numbers(minus(said[2])) == [share, *near(kept, blank)]
    fall, most = scores[0] - scores[1], max(scores[0] - scores[4:])
    assert most < fall
    assert numbers(minus(said[4])) == [
        pytest.approx(fall, rel=0.06), 6, pytest.approx(most, rel=0.06)
    ]  # fmt: skip


def minus(text):
    return text.replace("\u2212", "-").replace("over ", "").replace("under ", "")


def test_regions_that_touch_the_mark_are_told():
    made = planted(0.1, [0.1, 0.4, 0.8, 0.8, 0.8], firsts=[0, 0, 0, 1, 1])
    at = hidden_facts(made)
    touching = [bool((made.rolled(0, draw) & made.marked(0)).any()) for draw in range(4)]
    assert at["changes"] == 2
    assert at["changes_touching"] == sum(touching[:2])
    near_by = dataclasses.replace(made, shifts=np.array([[0, 0]] * 4, np.int32))
    assert "2 of 4 (2 of these touch what the map marks)." in hidden_sentences(near_by, LABELS)[1]
    lone = planted(0.1, [0.1, 0.4, 0.8, 0.8, 0.8], firsts=[0, 0, 1, 1, 1])
    near_by = dataclasses.replace(lone, shifts=np.array([[0, 0]] * 4, np.int32))
    assert (
        "1 of 4 (a region that touches what the map marks)." in hidden_sentences(near_by, LABELS)[1]
    )


def test_a_doubt_says_which_regions_touch_the_mark():
    made = planted(0.1, [0.5, 0.4, 0.8, 0.8, 0.8])
    near_by = dataclasses.replace(made, shifts=np.array([[0, 0]] * 4, np.int32))
    assert plain(hidden_sentences(near_by, LABELS))[4] == (
        "The hiding test leaves a doubt: 1 of 4 random regions as large lowers the score by as "
        "much (4) or more (a region that touches what the map marks)."
    )


def test_the_grain_of_a_plain_map_is_its_pixels():
    made = asked(rng(5).random(SIZE), grain=PIXELS)
    assert (made.part, made.parts) == ("pixel", 120)
