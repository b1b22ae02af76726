"""A code's distance and its gradient: the same in both kinds, and as differences have it."""

import numpy as np
import pytest

from tests.fakes import tiny
from xai_core.errors import ParamError
from xai_core.model import MatchesCodes, lacks

VIEWS = np.random.default_rng(1).random((9, *tiny.SIZE, 3)).astype(np.float32)


@pytest.fixture(scope="module", params=["torch", "keras"])
def model(request):
    return getattr(tiny, f"{request.param}_model")()


def test_the_distance_and_what_brings_nearer(model):
    layer = model.layers()[-1].name
    assert lacks(model, MatchesCodes) is None
    code = model.activations(VIEWS[:1], layer)[0]
    apart, slopes = model.code_gradients(VIEWS, layer, code)
    assert (apart.dtype, slopes.dtype) == (np.float32, np.float32)
    found = ((model.activations(VIEWS, layer) - code) ** 2).sum((1, 2, 3))
    np.testing.assert_allclose(apart, found, rtol=1e-4, atol=1e-4)
    assert slopes.shape == VIEWS.shape
    # what `vjp_to` says of twice the difference
    pulled = model.vjp_to(layer, VIEWS, 2 * (model.activations(VIEWS, layer) - code))
    np.testing.assert_allclose(slopes, pulled, rtol=1e-4, atol=1e-4)
    step = 1e-2 * slopes[3] / np.abs(slopes[3]).max()
    ends = np.stack([VIEWS[3] + step, VIEWS[3] - step])
    high, low = model.code_gradients(ends, layer, code)[0].astype(np.float64)
    assert high - low == pytest.approx(2 * float((slopes[3] * step).sum()), rel=0.02)


def test_what_is_refused(model):
    layer = model.layers()[0].name
    with pytest.raises(ParamError, match=r"layer"):
        model.code_gradients(VIEWS[:1], "nowhere", VIEWS[0])
    with pytest.raises(ParamError, match="code"):
        model.code_gradients(VIEWS[:1], layer, VIEWS[0])


def test_the_two_kinds_agree():
    one, other = tiny.torch_model(), tiny.keras_model()
    code = one.activations(VIEWS[:1], "4")[0]
    first = one.code_gradients(VIEWS, "4", code)
    second = other.code_gradients(VIEWS, other.layers()[-1].name, code)
    for got, wanted in zip(first, second, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-3)
