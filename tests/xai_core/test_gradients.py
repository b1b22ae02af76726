"""The loop of gradient methods, on a model whose gradients are its weights."""

import numpy as np
import pytest

from tests.fakes import tiny
from tests.fakes.linear import LinearModel
from xai_core import gradients
from xai_core.perturb import Dense
from xai_core.target import ClassTarget

WEIGHTS = np.random.default_rng(1).normal(size=(2, 4, 5, 3)).astype(np.float32)


class Squared(LinearModel):
    """Each class's score is its weighted sum of squares: the gradient is 2 x weight x view."""

    def gradients(self, images, target, batch=0):
        return 2 * super().gradients(images, target) * images


@pytest.mark.parametrize("count", [1, 8, 19])
def test_views_are_made_when_they_are_due_and_counted(count):
    asked, told = [], []

    def views(start, stop):
        asked.append((start, stop))
        at = np.arange(start, stop, dtype=np.float32)[:, None, None, None]
        return np.broadcast_to(at, (stop - start, 4, 5, 3)).astype(np.float32)

    made = gradients.mean(
        Squared(WEIGHTS), views, count, ClassTarget(1), lambda *said: told.append(said[:2])
    )
    np.testing.assert_allclose(made, 2 * WEIGHTS[1] * np.arange(count).mean(), rtol=1e-5)
    assert asked == [
        (at, min(at + gradients.CHUNK, count)) for at in range(0, count, gradients.CHUNK)
    ]
    assert told == [(stop, count) for _, stop in asked]


def test_weights_count_each_view():
    def views(start, stop):
        return np.stack([np.full((4, 5, 3), at, np.float32) for at in range(start, stop)])

    share = np.array([0.5, 0.25, 0.25])
    made = gradients.mean(
        Squared(WEIGHTS), views, 3, ClassTarget(0), lambda *_: None, weights=share, chunk=2
    )
    np.testing.assert_allclose(made, 2 * WEIGHTS[0] * (0.25 + 0.5), rtol=1e-5)


@pytest.mark.parametrize("twin", [tiny.torch_model, tiny.keras_model])
@pytest.mark.parametrize("batch", [3, 20])
def test_as_many_go_through_at_once_as_are_asked_for(twin, batch):
    model, target, view = twin(), ClassTarget(1), tiny.view()
    masks = np.random.default_rng(0).random((22, *tiny.SIZE), np.float32)
    hidden = np.zeros_like(view)
    parts = [part for part, _ in model.masked_scores(view, Dense(masks), hidden, [target], batch)]
    assert [part.start for part in parts] == list(range(0, 22, batch))
    views = masks[..., None] * view
    np.testing.assert_allclose(
        model.gradients(views, target, batch), model.gradients(views, target), atol=1e-6
    )


def test_gradients_go_through_as_many_at_once():
    model, sizes = tiny.torch_model(), []
    model.native().register_forward_pre_hook(lambda module, args: sizes.append(len(args[0])))
    model.gradients(np.zeros((22, *tiny.SIZE, 3), np.float32), ClassTarget(0), 20)
    assert sizes == [20, 2]
