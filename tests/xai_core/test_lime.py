"""LIME against the lime library's own run, a closed form, and the mark that a model looks at."""

from typing import Any

import numpy as np
import pytest
from lime.lime_base import LimeBase
from lime.lime_image import LimeImageExplainer
from lime.wrappers.scikit_image import SegmentationAlgorithm

from assets.scenes import scene
from benchmarks.lime_mark import caught
from loaders import catalogue
from loaders.load import load
from tests.fakes import tiny
from tests.fakes.linear import LinearModel
from xai_core.explainers.lime import SHOWN, Lime, draw, kernel
from xai_core.local_line import LocalLine
from xai_core.target import ClassTarget, Target

# blocks of colour, for the algorithms to find: on noise they find little
VIEW = (
    np.random.default_rng(3).random((6, 7, 3), np.float32).repeat(4, 0).repeat(4, 1) * 0.9
    + tiny.view(3) * 0.1
)
FEW = {"segmentation": "slic", "segments": 20, "samples": 150}


@pytest.fixture(scope="module", params=["torch", "keras"])
def model(request: Any) -> Any:
    return tiny.torch_model() if request.param == "torch" else tiny.keras_model()


@pytest.fixture(scope="module")
def shapes() -> Any:
    entry = catalogue.find("shapes")
    assert entry
    return load(entry.path, entry.options, name=entry.name)


def by_the_library(model: Any, view: Any, target: Target, **values: Any) -> Any:
    """Run lime as its own documentation does, on every class, and return weights and the rest."""
    made = LimeImageExplainer(
        kernel_width=values.get("kernel_width", 0.25), random_state=values.get("seed", 0)
    ).explain_instance(
        view,
        lambda views: (
            model.head.probabilities(model.logits(views))
            if target.of == "probability"
            else model.logits(views)
        ).astype(np.float64),
        labels=(target.index,),
        top_labels=None,
        hide_color=values.get("hide_color"),
        num_features=values.get("features") or 100_000,
        num_samples=values["samples"],
        segmentation_fn=values.get("segmentation_fn"),
    )
    weights = np.zeros(made.segments.max() + 1)
    for index, weight in made.local_exp[target.index]:
        weights[index] = weight
    return made, weights


@pytest.mark.parametrize("of", ["logit", "probability"])
@pytest.mark.parametrize("features", [0, 4, 9])
def test_is_the_librarys_own_run_at_the_same_seed(model: Any, of: Any, features: int) -> None:
    target = ClassTarget(1, of=of)
    slic = SegmentationAlgorithm("slic", n_segments=20, start_label=0)
    values = {"samples": 150, "features": features, "seed": 11, "kernel_width": 0.3}
    made, weights = by_the_library(model, VIEW, target, segmentation_fn=slic, **values)
    ours = Lime(segmentation="slic", segments=20, **values).explain(model, VIEW, target)
    np.testing.assert_array_equal(ours.grain.labels, made.segments)
    assert np.count_nonzero(weights) == (features or made.segments.max() + 1)
    np.testing.assert_allclose(ours.grain.weights, weights, rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours.attribution, weights[made.segments], rtol=0, atol=1e-6)
    assert ours.scalars["r2"] == pytest.approx(made.score, abs=1e-5)
    assert ours.scalars["intercept"] == pytest.approx(made.intercept[1], abs=1e-5)
    assert ours.scalars["prediction"] == pytest.approx(made.local_pred[0], abs=1e-5)


def test_is_the_library_as_it_comes(shapes: Any) -> None:
    """With 0 segments all is the library's own: its quickshift, its hiding, its kernel."""
    view = scene(np.random.default_rng(5), 128, ["star"])[0].astype(np.float32) / 255
    target = ClassTarget(5, of="probability")
    made, weights = by_the_library(shapes, view, target, samples=60, seed=3)
    ours = Lime(segments=0, samples=60, seed=3).explain(shapes, view, target)
    assert made.segments.max() > 5
    np.testing.assert_array_equal(ours.grain.labels, made.segments)
    np.testing.assert_allclose(ours.grain.weights, weights, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"distance": "l2"},
        {"hide": "blur"},
        {"hide": "grey", "features": 5},
        {"features": 12, "seed": 4},
        {"segmentation": "felzenszwalb"},
        {"segmentation": "quickshift"},
        {"segmentation": "grid", "kernel_width": 1.0},
    ],
)
def test_engines_agree(model: Any, values: dict[str, Any]) -> None:
    target = ClassTarget(2, against=0)
    ours, library = (
        Lime(**FEW | values, engine=engine).explain(model, VIEW, target)
        for engine in ("ours", "lime")
    )
    assert np.abs(ours.grain.weights).max() > 1e-3
    assert len(ours.grain.weights) > 10
    np.testing.assert_allclose(ours.grain.weights, library.grain.weights, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(ours.grain.labels, library.grain.labels)
    for name in ("kernel", "masks"):
        np.testing.assert_allclose(ours.arrays[name], library.arrays[name], rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours.arrays["scores"], library.arrays["scores"], rtol=1e-5)
    for name, value in ours.scalars.items():
        assert value == pytest.approx(library.scalars[name], abs=1e-5), name


def test_a_linear_model_gets_what_each_superpixel_holds() -> None:
    weights = np.random.default_rng(0).normal(size=(2, 20, 24, 3)).astype(np.float32)
    weights[:, :, :12] = 0  # the left half is ignored
    image = np.random.default_rng(1).random((20, 24, 3), np.float32)
    method = Lime(segmentation="grid", segments=24, samples=4000, hide="black", kernel_width=5.0)
    made = method.explain(LinearModel(weights), image, ClassTarget(1))
    labels = made.grain.labels
    held = np.bincount(labels.ravel(), (weights[1] * image).sum(-1).ravel())
    np.testing.assert_allclose(made.grain.weights, held, atol=0.005 * np.abs(held).max())
    assert np.abs(made.attribution[:, :12]).max() < 0.002 * np.abs(held).max()
    assert made.scalars["r2"] > 0.999
    assert made.scalars["prediction"] == pytest.approx(made.scalars["score"], abs=0.05)
    assert made.notes == ()


@pytest.mark.parametrize("keep", [0, 1, 3, 6, 7, 15])
def test_the_line_is_limes_whatever_the_batches(keep: int) -> None:
    rng = np.random.default_rng(2)
    bits = rng.random((200, 15)) < 0.5
    bits[0] = True
    for index in (5, 6, 7, 8):  # features that say much the same
        bits[:, index] = np.where(rng.random(200) < 0.2 * (index - 4), bits[:, index], bits[:, 10])
    bits[:, 9] = bits[:, 4]  # a doubled feature: nothing is left of it once its twin is chosen
    scores = 1000 + bits @ rng.normal(size=15) + 2 * bits[:, 5:9].sum(1) + rng.normal(size=200)
    weights = kernel(bits, "cosine", 0.25)
    line = LocalLine(15)
    for part in (slice(0, 1), slice(1, 8), slice(8, 120), slice(120, 200)):
        line.add(bits[part], scores[part], weights[part])
    fit = line.fit(keep)
    base = LimeBase(lambda distances: weights, random_state=0)
    intercept, pairs, r2, prediction = base.explain_instance_with_data(
        bits.astype(int), scores[:, None], weights, 0, keep or 100
    )
    expected = np.zeros(15)
    for index, weight in pairs:
        expected[index] = weight
    np.testing.assert_allclose(fit.weights, expected, atol=1e-8)
    assert fit.intercept == pytest.approx(intercept, abs=1e-7)
    assert fit.r2 == pytest.approx(r2, abs=1e-8)
    assert fit.prediction == pytest.approx(prediction[0], abs=1e-7)
    assert line.worth == pytest.approx(weights.sum() ** 2 / (weights**2).sum())


def test_samples_are_limes_and_every_superpixel_is_hidden_now_and_then() -> None:
    bits = draw(7, 2500, 33)
    state = np.random.RandomState(7)
    state.randint(0, high=1000)
    expected = state.randint(0, 2, 2500 * 33).reshape(2500, 33)
    expected[0] = 1
    np.testing.assert_array_equal(bits, expected.astype(bool))
    assert bits[0].all()
    assert ((bits.mean(0) > 0.4) & (bits.mean(0) < 0.6)).all()


def test_the_kernel_is_one_on_the_photo_and_falls_with_what_is_hidden() -> None:
    bits = np.tri(5, 4, -1).astype(bool)[::-1]  # all four shown, then three, ... none
    for distance in ("cosine", "l2"):
        weights = kernel(bits, distance, 0.5)
        assert weights[0] == 1
        assert (np.diff(weights) < 0).all()
        assert weights[-1] == pytest.approx(np.exp(-2))


def test_what_goes_along_shows_the_four_steps() -> None:
    made = Lime(**FEW).explain(tiny.torch_model(), VIEW, ClassTarget(0))
    labels, masks = made.grain.labels, made.arrays["masks"]
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(np.unique(labels), np.arange(labels.max() + 1))
    assert masks.shape == (SHOWN, labels.max() + 1)
    assert masks[0].all()
    assert made.arrays["scores"].shape == made.arrays["kernel"].shape == (150,)
    assert made.arrays["scores"][0] == made.scalars["score"]
    model = tiny.torch_model()
    hidden = made.arrays["hidden"].astype(np.float32) / 255
    for bits, score in zip(masks, made.arrays["scores"], strict=False):
        shown = np.where(bits[labels][..., None], VIEW, hidden)
        assert model.logits(shown[None])[0, 0] == pytest.approx(score, abs=0.02)


def test_partial_maps_grow_into_the_result() -> None:
    partials: list[Any] = []

    def keep(done: int, total: int, partial: Any = None) -> None:
        if partial is not None:
            partials.append(partial.copy())

    made = Lime(**FEW).explain(tiny.torch_model(), VIEW, ClassTarget(0), progress=keep)
    assert 5 < len(partials) <= 41
    away = [float(np.abs(partial - made.attribution).mean()) for partial in partials]
    assert away[-1] == 0
    assert away[0] > away[len(away) // 2] > 0


def test_a_seed_repeats_and_another_is_another() -> None:
    first, again, other = (
        Lime(**FEW, seed=seed).explain(tiny.torch_model(), VIEW, ClassTarget(0))
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.grain.weights, again.grain.weights)
    assert first.seed == 1
    assert not np.allclose(first.attribution, other.attribution, atol=1e-4)


@pytest.mark.parametrize("segmentation", ["quickshift", "slic", "felzenszwalb", "grid"])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 9), (8, 8), (28, 28), (3, 400)])
@pytest.mark.parametrize("plain", [True, False])
def test_tiny_and_plain_photos_end_in_a_map_and_true_notes(
    segmentation: str, size: tuple[int, int], plain: bool
) -> None:
    rng = np.random.default_rng(0)
    image = np.full((*size, 3), 0.4, np.float32) if plain else rng.random((*size, 3), np.float32)
    model = LinearModel(rng.normal(size=(2, *size, 3)).astype(np.float32))
    values = Lime.suggest(size) | {"segmentation": segmentation}
    for extra in ({}, {"segments": 0}):
        made = Lime(**values | extra).explain(model, image, ClassTarget(1))
        notes = " ".join(made.notes)
        count = made.grain.labels.max() + 1
        assert ("it is one superpixel" in notes) == (count == 1)
        assert ("The score is the same for all masked photos" in notes) == (
            count > 1 and np.ptp(made.arrays["scores"]) == 0
        )


def test_a_poor_line_and_a_narrow_kernel_are_said() -> None:
    class Jumps(LinearModel):
        """Answers by the parity of the bright cells, which no straight line follows."""

        def logits(self, images: Any) -> Any:
            bright = (images[:, 2::4, 2::4, 0] > 0.5).sum((1, 2)) % 2
            return np.stack([bright, -bright], 1).astype(np.float32)

    model = Jumps(np.zeros((2, 16, 16, 3), np.float32))
    image = np.ones((16, 16, 3), np.float32)
    values = {"segmentation": "grid", "segments": 16, "hide": "black"}
    made = Lime(**values, samples=400).explain(model, image, ClassTarget(0))
    assert made.scalars["r2"] < 0.3
    share = f"{made.scalars['r2'] * 100:.0f}\u00a0%"
    assert f"The straight line explains only {share} of how the score varies" in made.notes[0]
    narrow = Lime(**values, samples=400, kernel_width=0.05).explain(model, image, ClassTarget(0))
    assert narrow.scalars["samples_worth"] < 32
    assert f"worth about {narrow.scalars['samples_worth']:.0f} of full weight" in narrow.notes[-1]


def test_suggestions_fit_any_view() -> None:
    for size in [(224, 224), (64, 64), (28, 28), (2, 2), None]:
        Lime(**Lime.suggest(size))
    assert Lime.suggest((224, 224)) == {"segments": 50, "samples": 1000}
    assert Lime.suggest((28, 28))["segments"] == 32


def test_the_shortcut_model_is_caught_at_its_mark() -> None:
    """`make bench` asks it of 50 photos; here of 20, with as large a share to be found."""
    found, asked = caught(20, samples=100)
    assert asked == 20
    assert found >= 18
