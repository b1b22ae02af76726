"""Grad-CAM against its two libraries, its equations written out, and what a dog and a cat say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loaders.load import load
from loaders.preprocessing import Options
from tests.fakes import tiny
from tests.fakes.linear import LinearModel
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.explainer import make
from xai_core.layers import default_layer
from xai_core.target import ClassTarget

PHOTOS = range(5)


@pytest.fixture(scope="module")
def twins() -> tuple[Any, Any]:
    return tiny.torch_model(), tiny.keras_model()


def scaled(values: np.ndarray) -> np.ndarray:
    """Scale to 0..1 as pytorch-grad-cam does."""
    values = values - values.min()
    return values / (1e-7 + values.max())


def test_is_its_equations() -> None:
    import torch

    model = tiny.torch_model()
    body = model.native()
    view = torch.from_numpy(tiny.view(3)).permute(2, 0, 1)[None]
    maps = body.body[:5]((view - 0.5) / 0.5).detach().requires_grad_()
    score = body.body[5:](maps)[0, 2]
    score.backward()
    weights = maps.grad.mean((2, 3))[0]  # eq. 1
    cam = torch.relu((weights[:, None, None] * maps[0]).sum(0))  # eq. 2
    result = make("grad-cam", {"layer": "4"}).explain(model, tiny.view(3), ClassTarget(2))
    np.testing.assert_allclose(result.grain.cells, cam.detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(result.arrays["weights"], weights.numpy(), atol=1e-6)


@pytest.mark.parametrize("photo", PHOTOS)
def test_is_pytorch_grad_cam(twins: tuple[Any, Any], photo: int) -> None:
    model, view = twins[0], tiny.view(photo)
    for target in (ClassTarget(0), ClassTarget(1), ClassTarget(2, against=0)):
        ours = make("grad-cam", {}).explain(model, view, target).attribution
        theirs = make("grad-cam", {}, engine="grad-cam").explain(model, view, target).attribution
        if ours.max() > 0:
            np.testing.assert_allclose(scaled(ours), theirs, atol=1e-4)
    assert any(
        np.ptp(make("grad-cam", {}).explain(model, view, ClassTarget(k)).attribution) > 0
        for k in range(3)
    )


@pytest.mark.parametrize("photo", PHOTOS)
def test_is_xplique(twins: tuple[Any, Any], photo: int) -> None:
    import tensorflow as tf

    model, view = twins[1], tiny.view(photo)
    drawn = 0
    for target in (ClassTarget(0), ClassTarget(1), ClassTarget(2, against=0)):
        ours = make("grad-cam", {}).explain(model, view, target)
        theirs = make("grad-cam", {}, engine="xplique").explain(model, view, target)
        cubic = tf.image.resize(ours.grain.cells[..., None], tiny.SIZE, method="bicubic")
        np.testing.assert_allclose(
            np.maximum(cubic.numpy()[..., 0], 0), theirs.attribution, atol=1e-4
        )
        drawn += np.ptp(ours.attribution) > 0
    assert drawn >= 2


@pytest.mark.parametrize("photo", PHOTOS)
def test_twins_agree(twins: tuple[Any, Any], photo: int) -> None:
    view = tiny.view(photo)
    for method, values in (("grad-cam", {}), ("occlusion", {"patch_height": 8, "patch_width": 8})):
        for index in range(3):
            maps = [
                make(method, values).explain(m, view, ClassTarget(index)).attribution for m in twins
            ]
            np.testing.assert_allclose(maps[0], maps[1], atol=1e-4)


@pytest.mark.parametrize("index", [0, 1])
def test_occlusion_in_their_convention_is_xplique(twins: tuple[Any, Any], index: int) -> None:
    values = {"patch_height": 6, "patch_width": 5, "stride_height": 4, "stride_width": 3}
    for photo in (0, 1):
        for target in (ClassTarget(0), ClassTarget(1, against=2), ClassTarget(2, of="probability")):
            view = tiny.view(photo)
            ours = make("occlusion", values | {"overlap": "sum"})
            theirs = make("occlusion", values, engine="xplique")
            maps = [each.explain(twins[index], view, target).attribution for each in (ours, theirs)]
            assert np.ptp(maps[0]) > 1e-3
            np.testing.assert_allclose(maps[0], maps[1], atol=1e-4)


def test_without_relu_the_map_is_signed(twins: tuple[Any, Any]) -> None:
    result = make("grad-cam", {"relu": False}).explain(twins[0], tiny.view(), ClassTarget(0))
    assert result.signed
    assert result.attribution.min() < 0


def test_a_model_without_maps_is_told_so() -> None:
    model = LinearModel(np.ones((2, 8, 8, 3), np.float32))
    with pytest.raises(UnsupportedModel, match="Grad-CAM needs a layer whose output is a map"):
        make("grad-cam", {}).explain(model, np.zeros((8, 8, 3), np.float32), ClassTarget(0))


def test_an_unknown_layer_is_refused(twins: tuple[Any, Any]) -> None:
    for model in twins:
        with pytest.raises(
            ParamError, match=r"layer must be one whose output is a map .*'nowhere'"
        ):
            make("grad-cam", {"layer": "nowhere"}).explain(model, tiny.view(), ClassTarget(0))


def test_dog_and_cat(shared: Path) -> None:
    from PIL import Image

    photo = np.asarray(Image.open(shared / "images" / "dog_and_cat.png").convert("RGB"))
    for file in ("imagenet_mobilenet_v2.pth", "imagenet_mobilenet_v2.h5"):
        model = load(shared / "models" / file, Options(), name=file)
        view, _ = model.preprocessing.view(photo)
        assert default_layer(model)
        shares = {}
        for label in ("bull mastiff", "tabby"):
            target = ClassTarget(model.labels.index(label))
            cam = make("grad-cam", {}).explain(model, view, target).attribution
            shares[label] = cam[: cam.shape[0] // 2].sum() / cam.sum()
        assert shares["bull mastiff"] > 0.5 > shares["tabby"], (file, shares)
