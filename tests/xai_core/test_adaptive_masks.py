"""Adaptive masks against a slow transcription, a planted line, and any number at once."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from tests.fakes.linear import LinearModel
from xai_core import perturb
from xai_core.errors import ParamError
from xai_core.explainers.adaptive_masks import ROUND, AdaptiveMasks
from xai_core.target import ClassTarget

SIZE = (32, 40)
VIEW = np.ones((*SIZE, 3), np.float32)
TARGET = ClassTarget(1)


class Batches(LinearModel):
    """A network that takes a number of photos of its own at once."""

    own = 5

    def masked_scores(
        self, image: Any, masks: Any, baseline: Any, targets: Sequence[Any], batch: int = 0
    ) -> Iterator[tuple[slice, Any]]:
        for part, logits in perturb.stream(self.logits, image, masks, baseline, self.own):
            yield part, np.stack([target.score(logits, self.head) for target in targets], 1)


def planted(kind: type[LinearModel] = LinearModel) -> Any:
    """Return a model with one good place and a bad one."""
    down, across = ((np.arange(side) + 0.5) / side for side in SIZE)
    weights = np.zeros((2, *SIZE, 3), np.float32)
    for at, size in (((0.3, 0.3), 1.0), ((0.7, 0.8), -0.6)):
        away = (down[:, None] - at[0]) ** 2 + (across[None] - at[1]) ** 2
        weights[1] += size * np.exp(-away / 0.01)[..., None]
    return kind(weights)


def bells(windows: np.ndarray) -> np.ndarray:
    """Return what each window hides, `[n, h, w]`, pixel by pixel."""
    down, across = ((np.arange(side) + 0.5) / side for side in SIZE)
    made = []
    for top, left, width in windows.astype(float):
        away = (down[:, None] - top) ** 2 + (across[None] - left) ** 2
        made.append(np.exp(-away / (2 * width**2)))
    return np.stack(made)


def test_is_the_slow_transcription() -> None:
    model = planted()
    made = AdaptiveMasks(passes=100, coarse=5).explain(model, VIEW, TARGET)
    assert model.passes == made.passes == 100
    windows, falls = made.arrays["windows"], made.arrays["falls"]
    hides = bells(windows)
    for hid, fall in zip(hides, falls, strict=True):
        seen = VIEW * (1 - hid)[..., None] + 0.5 * hid[..., None]
        score = planted().logits(seen[None].astype(np.float32))[0, 1]
        assert made.scalars["score"] - score == pytest.approx(fall, abs=2e-3)
    small = 1 / windows[:, 2].astype(float) ** 2
    slow = np.tensordot(small * falls, hides, 1) / np.tensordot(small, hides, 1)
    # it is drawn from every second place
    assert np.abs(made.attribution - slow).max() < 0.03 * np.abs(slow).max()
    assert made.way == "25 coarse windows hid the photo first, and 74 fine ones then."
    assert made.scalars["coarse_windows"] == 25


def test_the_planted_places_are_found_and_fine_windows_go_there() -> None:
    made = AdaptiveMasks(passes=150).explain(planted(), VIEW, TARGET)
    peak = np.array(np.unravel_index(made.attribution.argmax(), SIZE)) / SIZE
    assert np.abs(peak - 0.3).max() < 0.08
    low = np.array(np.unravel_index(made.attribution.argmin(), SIZE)) / SIZE
    assert np.abs(low - (0.7, 0.8)).max() < 0.12
    windows = made.arrays["windows"]
    coarse, fine = windows[:36], windows[36:]
    assert len(np.unique(coarse[:, :2], axis=0)) == 36
    assert fine[:, 2].max() < coarse[:, 2].min()
    near = (np.abs(fine[:, :2] - 0.3).max(1) < 0.2).mean()
    assert near > 1.25 * 0.4**2  # of windows of chance the square would get its share
    # and yet no place is left out
    away = np.abs(windows[:, None, :2] - np.random.default_rng(0).random((200, 2))).max(-1)
    assert away.min(0).max() < 0.12


def test_the_same_windows_whatever_goes_through_at_once() -> None:
    made = AdaptiveMasks(passes=120).explain(planted(), VIEW, TARGET)
    for own in (1, 7, ROUND):
        model = planted(Batches)
        model.own = own
        other = AdaptiveMasks(passes=120).explain(model, VIEW, TARGET)
        np.testing.assert_array_equal(made.arrays["windows"], other.arrays["windows"])
        np.testing.assert_allclose(made.attribution, other.attribution, atol=1e-3)
    wide = planted(Batches)
    wide.own = 50  # more than a round: it knows less, and goes on
    assert AdaptiveMasks(passes=120).explain(wide, VIEW, TARGET).passes == 120


def test_several_questions_share_their_passes() -> None:
    model = planted()
    asked = [TARGET, ClassTarget(0, against=1)]
    both = AdaptiveMasks(passes=150).explain_all(model, VIEW, asked)
    assert model.passes == 150
    np.testing.assert_allclose(both[0].attribution, -both[1].attribution, atol=1e-3)
    assert both[0].way.endswith("The 2 questions of this run took turns in placing them.")
    near = both[1].arrays["windows"][36:, :2]
    assert (np.abs(near - (0.7, 0.8)).max(1) < 0.2).mean() > 0.2


def test_what_cannot_be_told_or_done_is_said() -> None:
    flat = LinearModel(np.zeros((2, *SIZE, 3), np.float32))
    made = AdaptiveMasks(passes=60, coarse=4).explain(flat, VIEW, TARGET)
    assert any("does not depend on the photo" in note for note in made.notes)
    grey = np.full((*SIZE, 3), 0.5, np.float32)
    made = AdaptiveMasks(passes=60, coarse=4).explain(planted(), grey, TARGET)
    assert any("hide with another colour" in note for note in made.notes)
    with pytest.raises(ParamError, match=r"AdaptiveMasks.coarse must be at most 7 windows for 60"):
        AdaptiveMasks(passes=60, coarse=8)
