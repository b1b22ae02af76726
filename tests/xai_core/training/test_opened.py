"""Networks that were trained elsewhere: what is shown of them is what they answer."""

import itertools

import numpy as np
import pytest

from xai_core.errors import ParamError
from xai_core.training import mlp_verdict, opened
from xai_core.training.dense import Dense
from xai_core.training.digits import Data
from xai_core.training.opened import SCALINGS


def network(seed, sides=(6, 5, 4, 3)):
    rng = np.random.default_rng(seed)
    pairs = list(itertools.pairwise(sides))
    return Dense(
        tuple(rng.normal(size=(after, before)).astype(np.float32) for before, after in pairs),
        tuple(rng.normal(size=after).astype(np.float32) for _, after in pairs),
    )


def data():
    rng = np.random.default_rng(9)
    x = rng.integers(0, 256, (40, 6)).astype(np.uint8)
    y = np.arange(40) % 3
    order = np.argsort(y[30:], kind="stable")
    held_x, held_y = x[30:][order], y[30:][order]
    return Data(x[:30], y[:30], held_x, held_y, np.arange(10), ("a", "b", "c"), (2, 3), "own.npz")


@pytest.mark.parametrize("scaling", SCALINGS)
def test_a_scaling_is_folded_into_the_first_layer(scaling):
    x = np.random.default_rng(2).random((7, 6), np.float32)
    factor, added = SCALINGS[scaling]
    true = network(1).answers((x * factor + added).astype(np.float32))
    found = opened.scaled(network(1), scaling).answers(x)
    for each, other in zip(true, found, strict=True):
        assert np.abs(each - other).max() < 1e-3 * max(1.0, np.abs(each).max())


def test_every_checkpoint_is_what_it_answers():
    networks, given = [network(1), network(2)], data()
    made = opened.seen(networks, given, "0 to 1", ("one.pt", "two.pt"))
    assert (made.first, made.last, len(made)) == (1, 2, 2)
    assert opened.layers(made) == ["layer 1", "layer 2"]
    opened.chained(made)
    probes = given.held_x[given.probes] / np.float32(255)
    for at, each in enumerate(networks):
        hidden = each.answers(probes)
        for name, values in zip(opened.layers(made), hidden, strict=False):
            step = made.frames[name].steps[at]
            assert np.abs(made.frames[name].decoded()[at] - values).max() <= step / 2 * 1.001
        x = np.concatenate([given.x, given.held_x]) / np.float32(255)
        y = np.concatenate([given.y, given.held_y])
        scores = each.answers(x)[-1].astype(np.float64)
        shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        loss = -np.log(shares[np.arange(len(y)), y]).mean()
        assert made.curves[opened.LOSS][at] == pytest.approx(loss, rel=1e-4)
        assert made.curves[opened.RIGHT][at] == pytest.approx((scores.argmax(1) == y).mean())
        assert made.arrays["each confusion"][at].trace() == (scores.argmax(1) == y).sum()
        active = (each.answers(x)[0] > 0).sum(0)
        assert np.array_equal(made.arrays["each active layer 1"][at] == 0, active == 0)
    said = " ".join(mlp_verdict.says(made, "layer 1"))
    assert "whether it overfits cannot be read off here" in said
    assert "training" not in said
    assert opened.opened(made).files == ("one.pt", "two.pt")


def test_what_does_not_fit_is_a_sentence():
    given = data()
    other = network(1, (6, 4, 3))
    with pytest.raises(ParamError, match=r"two.pt has layers of other sizes than one.pt"):
        opened.seen([network(1), other], given, "0 to 1", ("one.pt", "two.pt"))
    with pytest.raises(ParamError, match=r"reads 7 numbers, and the samples of own.npz have 6"):
        opened.seen([network(1, (7, 4, 3))], given, "0 to 1", ("one.pt",))
    with pytest.raises(ParamError, match=r"gives 4 scores, and own.npz has 3 classes"):
        opened.seen([network(1, (6, 5, 4))], given, "0 to 1", ("one.pt",))
    many = [network(1, (6, 5, 3))] * 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opened, "RAW", 99)
        with pytest.raises(ParamError, match="Choose fewer checkpoints"):
            opened.seen(many, given, "0 to 1", ("one.pt", "two.pt"))
