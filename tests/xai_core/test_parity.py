"""The built-in twins and the libraries, on five photos and three classes, one of them unlikely."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.fakes import twins as made
from tests.hostile.conftest import SOAK
from xai_core.engines import xplique as xplique_engine
from xai_core.explainer import make
from xai_core.target import Target

PATCHES = {"patch_height": 24, "patch_width": 20, "stride_height": 20, "stride_width": 16}


@pytest.fixture(scope="module")
def twins(small_twins: tuple[Any, Any]) -> tuple[Any, Any]:
    return small_twins


@pytest.fixture(scope="module")
def questions(twins: tuple[Any, Any]) -> list[tuple[Any, Target]]:
    """Return each photo's view with its first, its second and its least likely class."""
    asked = made.questions(twins[0])
    assert len(asked) == 15
    return asked


def few(questions: list[tuple[Any, Target]]) -> list[tuple[Any, Target]]:
    """Return each photo with one of its classes in turn, for what is slow; all in `make soak`."""
    return questions if SOAK else [questions[3 * at + at % 3] for at in range(5)]


def attribution(model: Any, view: Any, target: Target, method: str, **values: Any) -> Any:
    engine = values.pop("engine", "ours")
    return make(method, values, engine=engine).explain(model, view, target)


def scaled(values: Any) -> Any:
    values = values - values.min()
    return values / (1e-7 + values.max())


def test_grad_cam(twins: tuple[Any, Any], questions: list[tuple[Any, Target]]) -> None:
    drawn = 0
    for view, target in questions:
        ours, keras = (attribution(twin, view, target, "grad-cam") for twin in twins)
        np.testing.assert_allclose(ours.grain.cells, keras.grain.cells, atol=1e-4)
        if not np.any(ours.attribution):
            continue
        drawn += 1
        library = attribution(twins[0], view, target, "grad-cam", engine="grad-cam")
        np.testing.assert_allclose(scaled(ours.attribution), library.attribution, atol=1e-4)
        xplique = attribution(twins[1], view, target, "grad-cam", engine="xplique").attribution
        cubic = tf.image.resize(ours.grain.cells[..., None], view.shape[:2], method="bicubic")
        cubic = np.maximum(cubic.numpy()[..., 0], 0)
        np.testing.assert_allclose(cubic / cubic.max(), xplique / cubic.max(), atol=1e-4)
    assert drawn >= 10  # a class that nothing speaks for has a blank map


def test_occlusion(twins: tuple[Any, Any], questions: list[tuple[Any, Target]]) -> None:
    for view, target in questions:
        ours, keras = (attribution(twin, view, target, "occlusion", **PATCHES) for twin in twins)
        assert np.ptp(ours.attribution) > 0.01
        np.testing.assert_allclose(ours.attribution, keras.attribution, atol=1e-4)


@pytest.mark.parametrize("twin", [0, 1])
def test_occlusion_in_their_convention(
    twins: tuple[Any, Any], questions: list[tuple[Any, Target]], twin: int
) -> None:
    for view, target in few(questions):
        ours = attribution(twins[twin], view, target, "occlusion", overlap="sum", **PATCHES)
        xplique = attribution(twins[twin], view, target, "occlusion", engine="xplique", **PATCHES)
        np.testing.assert_allclose(ours.attribution, xplique.attribution, atol=1e-4)


GRADIENTS: dict[str, dict[str, Any]] = {
    "saliency": {},
    "gradient-x-input": {},
    "integrated-gradients": {"steps": 8},
}
THEIRS: dict[str, dict[str, Any]] = {"integrated-gradients": {"nodes": "trapezoid"}}


def close(values: Any, wanted: Any) -> None:
    """Hold maps to each other; the rounding of a step may lie to both sides of a ReLU's bend."""
    size = np.abs(wanted).max()
    assert np.ptp(wanted) > 0.01
    off = np.abs(values - wanted) / size
    assert np.mean(off > 1e-4) < 0.01
    assert off.max() < 0.03


@pytest.mark.parametrize("method", [*GRADIENTS, "guided-backprop", "smoothgrad"])
def test_gradients_of_the_twins(whole_twins: tuple[Any, Any], method: str) -> None:
    # at their own size: of a smaller view one bend of a ReLU moves a larger share
    values = {"samples": 4} if method == "smoothgrad" else GRADIENTS.get(method, {})
    asked = made.questions(whole_twins[0])
    for view, target in asked if method == "saliency" else few(asked):
        ours, keras = (attribution(twin, view, target, method, **values) for twin in whole_twins)
        close(keras.attribution, ours.attribution)


@pytest.mark.parametrize("method", GRADIENTS)
def test_gradients_are_xpliques(
    twins: tuple[Any, Any], questions: list[tuple[Any, Target]], method: str
) -> None:
    values = GRADIENTS[method]
    for view, target in few(questions):
        like = values | THEIRS.get(method, {})
        ours = attribution(twins[1], view, target, method, **like).attribution
        xplique = attribution(twins[1], view, target, method, engine="xplique", **values)
        assert np.ptp(ours) > 0.01
        np.testing.assert_allclose(xplique.attribution, ours, atol=1e-4 * np.abs(ours).max())


@pytest.mark.parametrize("method", GRADIENTS)
def test_gradients_are_xpliques_through_its_torch_wrapper(
    twins: tuple[Any, Any], questions: list[tuple[Any, Target]], method: str
) -> None:
    values = GRADIENTS[method]
    for view, target in few(questions):
        like = values | THEIRS.get(method, {})
        ours = attribution(twins[0], view, target, method, **like).attribution
        xplique = attribution(twins[0], view, target, method, engine="xplique", **values)
        close(xplique.attribution, ours)


# captum on the torch twin: another library than the engines'

CAPTUM: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "guided-backprop": ("GuidedBackprop", {"colours": "sum"}, {}),
    "integrated-gradients gauss-legendre": (
        "IntegratedGradients",
        {"nodes": "gauss-legendre", "steps": 4},
        {"method": "gausslegendre", "n_steps": 4, "baselines": 0.0},
    ),
}


@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU activations")
@pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already require gradients")
@pytest.mark.parametrize("case", CAPTUM)
def test_gradients_are_captums(
    twins: tuple[Any, Any], questions: list[tuple[Any, Target]], case: str
) -> None:
    import torch
    from captum import attr

    name, values, theirs = CAPTUM[case]
    method = getattr(attr, name)(twins[0].native())
    for view, target in few(questions):
        ours = attribution(twins[0], view, target, case.split()[0], **values).attribution
        given = torch.from_numpy(view.transpose(2, 0, 1).copy())[None]
        found = method.attribute(given, target=target.classes()[0], **theirs)
        parts = found.detach()[0].numpy()
        wanted = parts.sum(0) if ours.min() < 0 else np.abs(parts).sum(0)
        close(ours, wanted)


# What is random, at equal draws


def test_rise_is_xpliques_at_equal_masks(
    twins: tuple[Any, Any], questions: list[tuple[Any, Target]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from xplique.attributions import Rise as Theirs

    given = {"masks": 50, "grid": 5, "keep": 0.5, "value": 0.25, "seed": 3}
    grids = make("rise", given).grids(twins[1])
    masks, at = np.empty((50, *twins[1].input_size), np.float32), 0
    grids.write(masks, 0)

    def drawn(one: tf.Tensor, binary: tf.Tensor, value: float) -> tuple[tf.Tensor, tf.Tensor]:
        nonlocal at
        part = tf.constant(masks[at : at + len(binary)][..., None])
        at = (at + len(binary)) % 50
        return part * one[None] + (1 - part) * value, part

    monkeypatch.setattr(Theirs, "_apply_masks", staticmethod(tf.function(drawn)))
    for view, target in few(questions):
        theirs = xplique_engine.rise(twins[1], view, target, **given)
        ours = attribution(twins[1], view, target, "rise", **given)
        assert np.ptp(theirs) > 0.01
        made = ours.attribution + ours.scalars["mean_score"]
        np.testing.assert_allclose(made, theirs, atol=1e-4)


RANDOM: dict[str, dict[str, Any]] = {
    "rise": {"masks": 50, "grid": 5},
    "lime": {"samples": 40, "segmentation": "grid", "segments": 30},
    "kernelshap": {"samples": 40, "segmentation": "grid", "segments": 16},
}


@pytest.mark.parametrize("method", RANDOM)
def test_perturbations_of_the_twins(
    twins: tuple[Any, Any], questions: list[tuple[Any, Target]], method: str
) -> None:
    for view, target in few(questions):
        ours, keras = (
            attribution(twin, view, target, method, **RANDOM[method]).attribution for twin in twins
        )
        assert np.ptp(ours) > 0.01
        np.testing.assert_allclose(keras, ours, atol=1e-4)


def test_lime_is_the_librarys(twins: tuple[Any, Any], questions: list[tuple[Any, Target]]) -> None:
    for view, target in few(questions):
        ours, library = (
            attribution(twins[0], view, target, "lime", engine=engine, **RANDOM["lime"])
            for engine in ("ours", "lime")
        )
        assert np.ptp(ours.attribution) > 0.01
        np.testing.assert_allclose(library.attribution, ours.attribution, atol=1e-4)
