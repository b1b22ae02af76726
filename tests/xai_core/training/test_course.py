"""How a training goes: told, stopped, taken up again, ended where its loss is no number."""

import math

import numpy as np
import pytest

from xai_core.errors import ParamError
from xai_core.task import silent
from xai_core.training.checkpoints import Checkpoints
from xai_core.training.course import Seen, Turn, train
from xai_core.training.recording import Writer


class Walk:
    """Its one weight takes random steps as long as `rate`, so that each one matters."""

    loss, held_out = "loss", "held-out loss"

    def __init__(self, batches=3, losses=None):
        self.batches, self.losses = batches, losses or {}
        self.made = 0

    def key(self):
        return "walk"

    def start(self):
        self.rng, self.rate, self.weight, self.epochs = np.random.default_rng(7), 1.0, 0.0, 0

    def change(self, values):
        if set(values) != {"rate"}:
            raise ParamError("only the rate")
        self.rate = values["rate"]

    def epoch(self, tell):
        for batch in range(self.batches):
            self.weight += self.rate * self.rng.normal()
            tell(batch + 1, self.batches)
        self.epochs += 1
        self.made += 1

    def look(self):
        loss = self.losses.get(self.epochs - 1, 1.0)
        curves = {"loss": abs(loss), "held-out loss": loss, "weight": self.weight}
        frame = np.full((2, 3), abs(self.weight), np.float32)
        return Seen(curves=curves, frames={"layer": frame}, arrays={"age": np.array([self.epochs])})

    def writers(self):
        return {"layer": Writer()}

    def state(self):
        return (self.weight, self.rng.bit_generator.state, self.rate, self.epochs), 100

    def restore(self, state):
        self.weight, self.rng.bit_generator.state, self.rate, self.epochs = state


def went(learner=None, epochs=8, progress=silent, **how):
    learner = learner or Walk()
    return train(learner, epochs=epochs, progress=progress, **how), learner


def weights(course):
    return course.recording.curves["weight"].tolist()


def test_each_epoch_is_seen():
    made, learner = went()
    assert len(made.recording) == len(made.recording.frames["layer"]) == 8
    assert made.recording.arrays["each age"][:, 0].tolist() == list(range(1, 9))
    assert (made.recording.first, made.recording.chosen, made.ended) == (0, 7, "")
    assert np.float32(learner.weight) == weights(made)[-1]


@pytest.mark.parametrize("limit", [0, 250, 10_000])
def test_a_branch_with_nothing_changed_repeats_the_original(limit):
    kept = Checkpoints(limit)
    first, _ = went(kept=kept)
    branch, learner = went(kept=kept, turns=[Turn(4, {"rate": 1.0})])
    assert branch.recording.first == 5
    assert weights(branch) == weights(first)[5:]
    joined = branch.recording.after(first.recording)
    assert joined.curves["weight"].tolist() == weights(first)
    assert learner.made == {0: 8, 10_000: 3}.get(limit, learner.made)
    assert kept.size <= limit


def test_a_branch_takes_another_way_from_there_on():
    kept = Checkpoints()
    first, _ = went(kept=kept)
    branch, _ = went(kept=kept, turns=[Turn(4, {"rate": 5.0})])
    steps = np.diff(weights(first)[4:])
    assert np.diff([weights(first)[4], *weights(branch)]) == pytest.approx(steps * 5, rel=1e-4)


def test_a_branch_of_a_branch_does_not_depend_on_what_is_kept():
    turns = [Turn(2, {"rate": 5.0}), Turn(5, {"rate": 0.1})]
    kept = Checkpoints()
    went(kept=kept)
    went(kept=kept, turns=turns[:1])
    near, learner = went(kept=kept, turns=turns)
    far, _ = went(turns=turns)
    assert weights(near) == weights(far)
    assert learner.made == 2


def test_a_branch_may_be_seen_whole():
    kept = Checkpoints()
    turns = [Turn(4, {"rate": 5.0})]
    first, _ = went(kept=kept)
    later, _ = went(kept=kept, turns=turns)
    whole, _ = went(kept=kept, turns=turns, whole=True)
    assert whole.recording.first == 0
    assert weights(whole) == weights(first)[:5] + weights(later)


def test_a_branch_must_have_epochs_of_its_own():
    with pytest.raises(ParamError, match="must have more epochs than 8, got 8"):
        went(turns=[Turn(7, {"rate": 1.0})])


class Hears:
    """Is told to stop at a step, and notes what it is shown."""

    def __init__(self, at=math.inf):
        self.at, self.stopping, self.told, self.shown = at, False, [], []

    def __call__(self, done, total, partial=None, arrays=None):
        self.told.append((done, total))
        if arrays:
            self.shown.append(arrays)
        self.stopping = len(self.told) >= self.at


def test_steps_are_batches_and_each_epoch_is_shown():
    hears = Hears()
    made, _ = went(epochs=2, progress=hears)
    assert hears.told == [(1, 6), (2, 6), (3, 6), (3, 6), (4, 6), (5, 6), (6, 6), (6, 6)]
    assert np.array_equal(
        np.stack([each["frame.layer"] for each in hears.shown]),
        made.recording.frames["layer"].coded(),
    )
    assert hears.shown[1]["curves"].shape == (2, 3)


def test_a_stop_in_an_epoch_keeps_the_one_before():
    whole, _ = went()
    made, learner = went(progress=Hears(at=14))  # the second batch of epoch 3
    assert weights(made) == weights(whole)[:3]
    assert made.ended == "Stopped in epoch 3: what was trained up to epoch 2 is kept."
    assert np.float32(learner.weight) == weights(whole)[2]
    with pytest.raises(ParamError, match="before its first epoch"):
        went(progress=Hears(at=2))


def test_a_loss_that_is_no_number_ends_it_and_keeps_what_was_trained():
    made, learner = went(Walk(losses={3: math.nan}))
    assert len(made.recording) == 3
    assert made.ended == (
        "In epoch 3 the loss stopped being a number: the learning rate is too large. What was "
        "trained up to epoch 2 is kept."
    )
    assert np.float32(learner.weight) == weights(made)[-1]
    with pytest.raises(ParamError, match="Nothing was trained before"):
        went(Walk(losses={0: math.inf}))


def test_patience_chooses_the_epoch_with_the_lowest_loss():
    losses = {0: 3.0, 1: 0.5, 2: 0.7, 3: 0.6, 4: 0.9}
    made, learner = went(Walk(losses=losses), patience=3)
    assert len(made.recording) == 5
    assert made.recording.chosen == 1
    assert "has not fallen for 3 epochs. Epoch 1" in made.ended
    assert np.float32(learner.weight) == weights(made)[1]
    made, _ = went(Walk(losses=losses), epochs=4, patience=3)
    assert (made.recording.chosen, made.ended) == (1, "")


def test_checkpoints_stay_within_their_bound_and_are_spread():
    kept = Checkpoints(1000)
    for epoch in range(100):
        kept.put("a", epoch, epoch, 100)
        assert kept.size == 100 * len(kept) <= 1000
    held = [epoch for epoch in range(100) if kept.get("a", epoch) is not None]
    assert held[0] == 0
    assert len(held) >= 5
    kept.put("b", 0, "too large", 2000)
    assert kept.get("b", 0) is None
