"""Films against the numbers that they are drawn from, and against numbers that do not fit."""

import dataclasses
import re

import numpy as np
import pytest
from PIL import Image

from tests.fakes import tiny
from xai_core import discovery, film, render, stage
from xai_core.explainer import explaining, make
from xai_core.film import film_of
from xai_core.report import amount, percent, place_of
from xai_core.target import ClassTarget, UnitTarget
from xai_core.upsample import resize

VIEW = tiny.view(3)
SIZE = stage.frame_size(tiny.SIZE)


@pytest.fixture(scope="module")
def model():
    return tiny.torch_model()


def run(model, name, **values):
    return make(name, values, size=tiny.SIZE).explain(model, VIEW, ClassTarget(0))


@pytest.fixture(scope="module")
def runs(model):
    """Return one run of each method that has a film."""
    small = {"samples": 100, "segmentation": "grid", "segments": 12}
    found = {}
    for name, cls in explaining("classification").items():
        values = {key: value for key, value in small.items() if key in cls.declared()}
        if film.drawn_for(name):
            found[name] = run(model, name, **values)
    return found


def panel(picture, at, of=2):
    """Cut one panel out of a frame."""
    left = round(stage.WIDTH / of * (at + 0.5) - SIZE[1] / 2)
    return picture[stage.GAP : stage.GAP + SIZE[0], left : left + SIZE[1]]


def cells(values, *, signed, vmax):
    """Colour a map and enlarge its cells, by Pillow alone."""
    small = Image.fromarray(render.colours(values, signed=signed, vmax=vmax))
    return np.asarray(small.resize((SIZE[1], SIZE[0]), Image.Resampling.NEAREST))


def changed(explanation, **arrays):
    """Return a run whose arrays a worker has made up; None takes one away."""
    kept = dict(explanation.arrays) | arrays
    kept = {name: array for name, array in kept.items() if array is not None}
    return dataclasses.replace(explanation, arrays=kept)


def test_each_file_of_steps_has_a_film_for_its_method(runs):
    files = discovery.find("steps")
    assert len(files) == len(film._FILMS) >= 3
    assert len(runs) >= len(files)
    for name, explanation in runs.items():
        made = film_of(explanation, VIEW)
        assert made is not None, name
        assert 3 < len(made.frames) <= film.FRAMES
        assert made.steps
        for frame in (*made.frames, made.still):
            assert re.fullmatch(r"[A-Z0-9].*\.", frame.caption), frame.caption
            assert "nan" not in frame.caption
        pictures = {frame.picture.tobytes() for frame in made.frames}
        assert len(pictures) == len(made.frames), "two frames are the same"


def test_a_view_of_another_size_or_an_unknown_method_has_no_film(runs):
    for explanation in runs.values():
        assert film_of(explanation, VIEW[:-1]) is None
    assert film.drawn_for("no such method") is None


def test_every_array_may_be_missing_or_of_any_shape(runs):
    for name, explanation in runs.items():
        for key, array in explanation.arrays.items():
            if key == "map":
                continue  # the figure's, not the film's
            wrong = [
                None,
                array[:0],
                *([] if key == "masks" else [array[:-1]]),  # one masked photo less is a film too
                array[None],
                array.astype("U8"),
                array.astype(np.complex64),
                np.zeros((2, 3), np.float32),
            ]
            if array.dtype.kind == "f":
                wrong += [np.full_like(array, np.nan), np.full_like(array, np.inf)]
                wrong += [np.full_like(array, 1e38)] if key in ("channels", "sum") else []
            if key in ("numbers", "segments", "corners"):
                wrong += [np.full_like(array, -1), np.full_like(array, 1 << 20)]
            for each in wrong:
                assert film_of(changed(explanation, **{key: each}), VIEW) is None, (name, key, each)


def test_a_scalar_that_is_no_number_gives_no_film(runs):
    for explanation in runs.values():
        if "score" in explanation.scalars:
            for value in (float("nan"), float("inf"), "7"):
                scalars = dict(explanation.scalars) | {"score": value}
                made = dataclasses.replace(explanation, scalars=scalars)
                assert film_of(made, VIEW) is None


def test_what_does_not_give_the_map_is_no_film_of_it(runs):
    gradient, sliding = runs["grad-cam"], runs["occlusion"]
    assert film_of(changed(gradient, sum=gradient.arrays["sum"] * 1.1), VIEW) is None
    assert film_of(changed(sliding, scores=sliding.arrays["scores"] * 1.1), VIEW) is None
    assert film_of(changed(sliding, corners=sliding.arrays["corners"][::-1]), VIEW) is None
    parameters = dict(sliding.parameters) | {"patch_height": 1 << 30}
    if hasattr(sliding, "question"):
        return
    assert film_of(dataclasses.replace(sliding, parameters=parameters), VIEW) is None


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("smoothing", ["linear", "cubic", "nearest"])
def test_grad_cams_running_sum_ends_in_its_own_map(model, relu, smoothing):
    explanation = run(model, "grad-cam", relu=relu, smoothing=smoothing)
    made = film_of(explanation, VIEW)
    arrays = explanation.arrays
    weights, numbers, channels = arrays["weights"], arrays["numbers"], arrays["channels"]
    assert len(numbers) == len(weights)  # the network has 8 channels: all are kept
    running = np.zeros_like(channels[0])
    sums = []
    for number, channel in zip(numbers, channels, strict=True):
        running = running + weights[number] * channel
        sums.append(running)
    kept = np.maximum(running, 0) if relu else running
    enlarged = resize(kept, tiny.SIZE, smoothing)
    enlarged = np.maximum(enlarged, 0) if relu else enlarged
    np.testing.assert_allclose(enlarged, explanation.attribution, atol=1e-5)
    top = max(np.abs(each).max() for each in sums)
    for at, each in enumerate(sums):
        frame = made.frames[1 + at]
        wanted = cells(each, signed=True, vmax=top)
        assert np.abs(panel(frame.picture, 1).astype(int) - wanted).max() <= 6  # a level
        weight = weights[numbers[at]]
        way = "raise" if weight > 0 else "lower" if weight < 0 else "not move"
        assert frame.caption == (
            f"Channel {numbers[at]} has the weight {amount(weight)}: a little more of it would "
            f"{way} the score."
        )
    each = [np.abs(weights[n] * c).sum() for n, c in zip(numbers, channels, strict=True)]
    rows = made.steps[0].table.rows
    for at, row in enumerate(rows):
        assert row == (
            str(numbers[at]), amount(weights[numbers[at]]), percent(float(each[at] / sum(each)))
        )  # fmt: skip
    assert f"of these {len(numbers)} channels" in made.steps[0].table.head[2]
    cut, over = made.frames[-2:]
    signed, (_, end) = render.is_signed(explanation), render.scale(explanation)
    wanted = cells(kept, signed=signed, vmax=end)
    assert np.abs(panel(cut.picture, 1).astype(int) - wanted).max() <= 6
    share = np.maximum(-running, 0).sum() / np.abs(running).sum()
    assert percent(float(share)) in cut.caption
    assert ("off" in cut.caption) is not relu
    wanted = cells(explanation.attribution, signed=signed, vmax=end)
    np.testing.assert_array_equal(panel(over.picture, 1), wanted)


def test_occlusions_last_frame_is_its_map_and_its_captions_are_the_scores(model):
    explanation = run(model, "occlusion", patch_height=6, patch_width=5, stride_height=3)
    made = film_of(explanation, VIEW)
    scores, whole = explanation.arrays["scores"], explanation.scalars["score"]
    assert len(scores) > 12
    last = made.frames[-1]
    signed, (_, end) = render.is_signed(explanation), render.scale(explanation)
    wanted = cells(explanation.attribution, signed=signed, vmax=end)
    np.testing.assert_array_equal(panel(last.picture, 1), wanted)
    before = panel(made.frames[-2].picture, 1).astype(int)
    assert np.abs(before - wanted).max() <= 6  # the map that has filled up
    for frame in made.frames[:-1]:
        at = int(re.match(r"Patch ([\d,]+) of", frame.caption)[1].replace(",", "")) - 1
        change = float(scores[at]) - whole
        said = "stays at" if change == 0 else "falls by" if change < 0 else "rises by"
        assert said in frame.caption
        assert change == 0 or f"by {amount(abs(change))}." in frame.caption
    lowest = int(np.argmin(scores))
    assert f"falls by {amount(whole - float(scores[lowest]))}" in last.caption
    top, left = explanation.arrays["corners"][lowest]
    where = np.zeros(tiny.SIZE, bool)
    where[top : top + 6, left : left + 5] = True
    assert place_of(where) in last.caption
    assert f"falls for {int((scores < whole).sum())} of them" in made.steps[1].sentence


def test_occlusion_hatches_what_no_patch_has_hidden_yet(model):
    explanation = run(model, "occlusion", patch_height=6, patch_width=5)
    first = panel(film_of(explanation, VIEW).frames[0].picture, 1)
    rows, columns = (side * 6 // 5 for side in (SIZE[0] // 4, SIZE[1] // 5))
    far = first[rows + 20 :, columns + 20 :].reshape(-1, 3)
    assert {tuple(colour) for colour in np.unique(far, axis=0)} == {stage.GROUND, stage.QUIET}


def test_occlusion_has_sixty_frames_however_many_patches(model):
    explanation = run(model, "occlusion", patch_height=4, patch_width=4, stride_height=1,
                      stride_width=1)  # fmt: skip
    made = film_of(explanation, VIEW)
    assert explanation.scalars["patches"] > 400
    assert len(made.frames) == 60
    assert made.frames[-2].caption.startswith("Patch 525 of 525")


def test_the_hidden_patch_shows_what_the_model_saw(model):
    explanation = run(model, "occlusion", patch_height=12, patch_width=14, fill="value", value=1.0)
    made = film_of(explanation, VIEW)
    first = panel(made.frames[0].picture, 0)
    inside = first[4 : SIZE[0] // 2 - 8, 4 : SIZE[1] // 2 - 8]
    assert (inside == 255).all()


def test_limes_film_says_this_runs_scores_weights_and_fit(runs):
    explanation = runs["lime"]
    made = film_of(explanation, VIEW)
    arrays, scalars = explanation.arrays, explanation.scalars
    masks, scores, kernel = arrays["masks"], arrays["scores"], arrays["kernel"]
    labels, weights = _split(explanation)
    photo = render.pixels(VIEW)
    for at, mask in enumerate(masks):
        frame = made.frames[1 + at]
        said = f"scores {amount(float(scores[at]))} and counts {kernel[at]:.2f}."
        assert frame.caption.endswith(said)
        seen = np.where(mask[labels][..., None], photo, arrays["hidden"])
        small = Image.fromarray(seen.astype(np.uint8))
        wanted = np.asarray(small.resize((SIZE[1], SIZE[0]), Image.Resampling.NEAREST))
        np.testing.assert_array_equal(panel(frame.picture, 0), wanted)
        step = made.steps[1].pictures[at]
        np.testing.assert_array_equal(step.picture, seen)
        assert f"score {amount(float(scores[at]))}, counts {kernel[at]:.2f}" in step.caption
    assert "cut into 12 superpixels" in made.steps[0].sentence
    assert "100 times over" in made.steps[1].sentence
    order = np.argsort(-np.abs(weights), kind="stable")
    for rank, part in enumerate(order[:5], 1):
        row = made.steps[2].table.rows[rank - 1]
        assert row == (str(rank), amount(float(weights[part])), place_of(labels == part))
        put = next(f for f in made.frames if f.caption.startswith(f"Superpixel {rank},"))
        assert f"adds {amount(float(weights[part]))}." in put.caption
        values = np.where(np.isin(labels, order[:rank]), weights[labels], 0).astype(np.float32)
        wanted = cells(values, signed=True, vmax=np.abs(weights).max())
        np.testing.assert_array_equal(panel(put.picture, 1), wanted)
    assert percent(max(scalars["r2"], 0)) in made.frames[-1].caption
    _, top = render.scale(explanation)
    wanted = cells(explanation.attribution, signed=True, vmax=top)
    assert np.abs(panel(made.frames[-1].picture, 1).astype(int) - wanted).max() <= 6


def test_limes_bars_are_what_is_written_under_them(model, monkeypatch):
    drawn = []
    bars, note = stage.Stage.bars, stage.Stage.note

    def noted(self, values, lit):
        drawn.append([np.asarray(values)])
        return bars(self, values, lit)

    def written(self, words):
        drawn[-1].append(words)
        return note(self, words)

    explanation = run(model, "lime", samples=100, segmentation="grid", segments=12)
    monkeypatch.setattr(stage.Stage, "bars", noted)
    monkeypatch.setattr(stage.Stage, "note", written)
    film_of(explanation, VIEW)
    _, weights = _split(explanation)
    masks = explanation.arrays["masks"]
    scores = explanation.arrays["scores"][: len(masks)]
    ordered = weights[np.argsort(-np.abs(weights), kind="stable")]
    line = explanation.scalars["intercept"] + masks @ weights
    wanted = {
        "Scores of the masked photos": scores,
        "The weights, the largest first": ordered[ordered != 0],
        "The model's scores, and beside each what the line gives": np.stack(
            [scores, line], 1
        ).ravel(),
    }
    assert {words for _, words in drawn} == set(wanted)
    for values, words in drawn:
        np.testing.assert_allclose(values, wanted[words], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("target", "number"),
    [
        (ClassTarget(0, 1, "probability"), "lead in probability"),
        (UnitTarget("4", 3), "mean of channel 3 of \u201c4\u201d"),
    ],
)
def test_films_name_what_is_explained(model, target, number):
    for name in ("occlusion", "rise", "integrated-gradients", "grad-cam"):
        values = {"masks": 60} if name == "rise" else {}
        if name == "grad-cam":
            values["layer"] = "2"
        made = make(name, values, size=tiny.SIZE).explain(model, VIEW, target)
        shown = film_of(made, VIEW)
        words = [f.caption for f in (*shown.frames, shown.still)]
        words += [step.sentence for step in shown.steps]
        assert any(f"the {number} " in each.replace("The ", "the ") for each in words), name
        assert not any(re.search(r"\bscores?\b", each) for each in words), name
        if name == "integrated-gradients":
            assert f"the {number} goes from" in made.notes[-1]


def test_limes_edges_lie_between_superpixels():
    from xai_core.pieces import EDGE, outlined

    labels = np.zeros(tiny.SIZE, int)
    labels[:, 14:] = 1
    drawn = outlined(render.pixels(VIEW), labels, [], (48, 56))
    edge = (drawn == EDGE).all(-1)
    assert edge[:, 28].all()
    assert edge.sum() == 48


def seen(pixels):
    """Enlarge a photo, by Pillow alone."""
    small = Image.fromarray(pixels)
    return np.asarray(small.resize((SIZE[1], SIZE[0]), Image.Resampling.BICUBIC)).astype(int)


@pytest.mark.parametrize("base", ["mean", "zero"])
def test_rises_frames_are_its_masks_scores_and_means(model, base):
    explanation = run(model, "rise", masks=60, grid=4, keep=0.4, value=0.2, base=base, seed=2)
    made, scores = film_of(explanation, VIEW), explanation.arrays["scores"]
    masks = np.empty((60, *tiny.SIZE), np.float32)
    make("rise", dict(explanation.parameters)).grids(model).write(masks, 0)
    signed, (_, top) = render.is_signed(explanation), render.scale(explanation)
    ends = []
    for frame in made.frames:
        end = int(re.match(r"With mask ([\d,]+) of 60 the score is", frame.caption)[1])
        ends.append(end)
        said = f"the score is {amount(float(scores[end - 1]))}; the mean so far is "
        assert said + f"{amount(float(scores[:end].mean()))}." in frame.caption
        shown = masks[end - 1][..., None]
        through = seen(render.pixels(VIEW * shown + np.float32(0.2) * (1 - shown)))
        assert np.abs(panel(frame.picture, 0) - through).max() <= 2  # the rounding of a mixture
        if end < 10:
            continue  # some pixels no mask has shown yet
        total = np.tensordot(scores[:end], masks[:end], 1)
        so_far = total / (end * 0.4)
        if base == "mean":
            so_far = total / masks[:end].sum(0) - scores[:end].mean()
        wanted = cells(so_far.astype(np.float32), signed=signed, vmax=top)
        assert np.abs(panel(frame.picture, 1).astype(int) - wanted).max() <= 6
    assert ends[0] == 1
    assert ends[-1] == 60
    assert len(ends) >= 15
    wanted = cells(explanation.attribution, signed=signed, vmax=top)
    assert np.abs(panel(made.frames[-1].picture, 1).astype(int) - wanted).max() <= 6
    error = float(np.sqrt(np.mean(explanation.arrays["standard_error"] ** 2)))
    assert f"the standard error of the map is {amount(error)}," in made.still.caption


@pytest.mark.parametrize("nodes", ["midpoint", "gauss-legendre"])
def test_integrated_gradients_frames_are_its_way_and_its_sum(model, nodes):
    explanation = run(model, "integrated-gradients", steps=12, nodes=nodes, value=0.3)
    made, arrays, scalars = film_of(explanation, VIEW), explanation.arrays, explanation.scalars
    at, slopes = arrays["nodes"], arrays["slopes"]
    weights = np.full(12, 1 / 12)
    if nodes == "gauss-legendre":
        weights = np.polynomial.legendre.leggauss(12)[1] / 2
    sums = np.cumsum(weights * slopes)
    assert sums[-1] == pytest.approx(scalars["sum"], rel=1e-4)
    assert len(made.frames) == 13
    start = np.full_like(VIEW, 0.3)
    for index, frame in enumerate(made.frames[:-1]):
        assert frame.caption == (
            f"Step {index + 1} of 12, {percent(float(at[index]))} of the way: the parts add up to "
            f"{amount(float(sums[index]))} so far."
        )
        np.testing.assert_array_equal(panel(frame.picture, 0), seen(render.pixels(start)))
        mixture = seen(render.pixels(start + at[index] * (VIEW - start)))
        assert np.abs(panel(frame.picture, 1) - mixture).max() <= 2  # the rounding of a mixture
    last = made.frames[-1]
    signed, (_, top) = render.is_signed(explanation), render.scale(explanation)
    np.testing.assert_array_equal(panel(last.picture, 0), seen(render.pixels(VIEW)))
    wanted = cells(explanation.attribution, signed=signed, vmax=top)
    np.testing.assert_array_equal(panel(last.picture, 1), wanted)
    assert f"the gap is {amount(abs(scalars['gap']))}." in last.caption


def test_integrated_gradients_frames_are_those_of_the_last_doubling(model):
    given = {"steps": 3, "stop_at_gap": True, "largest_gap": 0.01}
    explanation = run(model, "integrated-gradients", **given)
    used = explanation.scalars["steps"]
    assert used > 3
    assert len(film_of(explanation, VIEW).frames) == min(used, 40) + 1
    wrong = dataclasses.replace(explanation, scalars={**explanation.scalars, "steps": 7})
    assert film_of(wrong, VIEW) is None


def test_another_model_gives_other_frames_of_the_same_photo(model, runs):
    import torch

    other = tiny.torch_model()
    with torch.no_grad():
        other.native().body[7].weight.copy_(model.native().body[7].weight.flip(0) * 0.7)
    for name, first in runs.items():
        values = dict(first.parameters)
        second = make(name, values).explain(other, VIEW, ClassTarget(0))
        frames, others = (film_of(each, VIEW).frames for each in (first, second))
        assert len(frames) == len(others)
        pairs = list(zip(frames, others, strict=True))
        assert sum(one.caption != two.caption for one, two in pairs) > len(pairs) / 2, name
        assert any((one.picture != two.picture).any() for one, two in pairs), name
        assert (frames[-1].picture != others[-1].picture).any(), name


def _split(explanation):
    return explanation.grain.labels, explanation.grain.weights
