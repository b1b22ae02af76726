"""KernelSHAP against Shapley values by permutations, its axioms, and Xplique's own run."""

import itertools
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

from tests.fakes import tiny
from tests.fakes.linear import LinearModel
from xai_core.explainers.kernelshap import KernelSHAP
from xai_core.halves import WAYS, Agreement, alike
from xai_core.perturb import baseline
from xai_core.shapley_line import ENDS, ShapleyLine, draw, sizes
from xai_core.target import ClassTarget

Numbers = NDArray[np.float64]
Game = Callable[[NDArray[np.bool_]], float]
BLOCK = 4


def by_permutations(game: Game, players: int) -> Numbers:
    """Return what each player adds, averaged over all orders in which they can come."""
    values = np.zeros(players)
    for order in itertools.permutations(range(players)):
        here = np.zeros(players, bool)
        before = game(here)
        for player in order:
            here[player] = True
            values[player] += game(here) - before
            before = game(here)
    return values / math.factorial(players)


def fitted(game: Game, players: int, most: int, seed: int = 0) -> Numbers:
    asked = draw(seed, most, players)
    scores = np.array([game(row) for row in asked.bits])
    line = ShapleyLine(players, scores[0], scores[1])
    line.add(asked.bits[ENDS:], scores[ENDS:], asked.kernel[ENDS:])
    return line.fit()


class Cells(LinearModel):
    """A game for a model: a row of white cells, of which black ones are hidden."""

    def __init__(self, game: Game, players: int) -> None:
        super().__init__(np.zeros((2, BLOCK, BLOCK * players, 3), np.float32))
        self.game = game

    def logits(self, images: Any) -> Any:
        self.passes += len(images)
        shown = images[:, 1, 1::BLOCK, 0] > 0.5
        scores = [self.game(row) for row in shown]
        return np.stack([scores, np.zeros(len(scores))], 1).astype(np.float32)

    @property
    def white(self) -> Any:
        return np.ones((*self.input_size, 3), np.float32)


def random_game(players: int, seed: int) -> Game:
    rng = np.random.default_rng(seed)
    table = {row: float(rng.normal()) for row in itertools.product([False, True], repeat=players)}
    return lambda here: table[tuple(bool(each) for each in here)]


@pytest.mark.parametrize("players", [1, 2, 3, 4, 5, 6])
def test_all_coalitions_give_the_shapley_values(players: int) -> None:
    game = random_game(players, players)
    asked = draw(0, 2**players, players)
    assert asked.exact
    assert len(np.unique(asked.bits, axis=0)) == len(asked.bits) == 2**players
    expected = by_permutations(game, players)
    np.testing.assert_allclose(fitted(game, players, 2**players), expected, atol=1e-6)
    # and through the hot path, in single precision
    model = Cells(game, players)
    method = KernelSHAP(segmentation="grid", segments=players, samples=100, hide="black")
    made = method.explain(model, model.white, ClassTarget(0))
    order = made.grain.labels[0, ::BLOCK]
    np.testing.assert_array_equal(order, np.arange(players))
    np.testing.assert_allclose(made.grain.weights, expected, atol=1e-6)
    assert made.passes == model.passes == 2**players
    assert made.scalars["gap"] == pytest.approx(0, abs=1e-9)
    assert not made.arrays["standard_errors"].any()
    assert made.way.startswith(f"All {2**players} ways to show some of {players} superpixel")


def test_a_linear_game_is_solved_by_few_draws() -> None:
    """A line has its own slopes as Shapley values, whatever coalitions are drawn."""
    slopes = np.random.default_rng(2).normal(size=12)
    for most in (40, 200):
        asked = draw(5, most, 12)
        assert not asked.exact
        found = fitted(lambda here: 3 + float(slopes @ here), 12, most, seed=5)
        np.testing.assert_allclose(found, slopes, atol=1e-6)


def pairs_and_triples(here: NDArray[np.bool_]) -> float:
    """Ten players: 0 does nothing, 1 and 2 the same; the rest act alone, in pairs and in threes."""
    alone = np.array([0, 0, 0, 0.5, -1, 0.25, 0, 2, 1, -0.5])
    return float(
        alone @ here
        + 3 * (here[1] and here[2])
        + 2 * (here[1] or here[2]) * here[3]
        - 4 * (here[4] and here[5] and here[6])
    )


def test_draws_come_near_the_values_and_their_error_is_what_is_said() -> None:
    exact = fitted(pairs_and_triples, 10, 2**10)
    assert exact[0] == pytest.approx(0, abs=1e-6)  # a dummy
    assert exact[1] == pytest.approx(exact[2], abs=1e-6)  # two that do the same
    assert exact[6] == pytest.approx(-4 / 3, abs=1e-6)  # a third of what three do together
    model = Cells(pairs_and_triples, 10)
    away, said = [], []
    for seed in range(12):
        method = KernelSHAP(segmentation="grid", segments=10, samples=300, hide="black", seed=seed)
        made = method.explain(model, model.white, ClassTarget(0))
        assert made.grain.weights.sum() == pytest.approx(
            made.scalars["score"] - made.scalars["hidden_score"], abs=1e-9
        )
        away.append(made.grain.weights - exact)
        said.append(made.arrays["standard_errors"])
    error = float(np.sqrt(np.mean(np.square(away))))
    assert error < 0.05 * np.abs(exact).max()
    assert np.abs(np.mean(away, 0)).max() < 3 * error / 12**0.5
    assert 0.5 < np.sqrt(np.mean(np.square(said))) / error < 2


def test_coalitions_follow_the_kernel_and_come_in_opposites() -> None:
    asked = draw(3, 12_001, 40)
    bits, kernel = asked.bits, asked.kernel
    assert not bits[0].any()
    assert bits[1].all()
    size = bits.sum(1)
    assert asked.known == ENDS + 2 * 40 + 2 * math.comb(40, 2)  # sizes 1, 39, 2 and 38 are whole
    weights = sizes(40)
    assert weights == pytest.approx([39 / (k * (40 - k)) / (2 * 39 / 40 * sum(
        1 / j for j in range(1, 40))) for k in range(1, 40)])  # fmt: skip
    for whole in (1, 2, 38, 39):
        assert kernel[size == whole].sum() == pytest.approx(weights[whole - 1])
    assert kernel.sum() == pytest.approx(1)
    drawn = bits[asked.known :]
    np.testing.assert_array_equal(drawn[1::2], ~drawn[: len(drawn) // 2 * 2 : 2])
    share = np.bincount(drawn.sum(1), minlength=41)[3:38] / len(drawn)
    expected = weights[2:37] / weights[2:37].sum()
    assert np.abs(share - expected).max() < 4 * np.sqrt(expected.max() / len(drawn))
    np.testing.assert_array_equal(draw(3, 12_001, 40).bits, bits)
    assert (draw(4, 12_001, 40).bits != bits).any()


def test_too_few_draws_still_add_up() -> None:
    game = random_game(4, 0)

    def wide(here: NDArray[np.bool_]) -> float:
        return game(here[:4]) + float(here[4:].sum())

    found = fitted(wide, 60, 20)
    assert found.sum() == pytest.approx(wide(np.ones(60, bool)) - wide(np.zeros(60, bool)))
    assert np.abs(found).max() < 50


def test_a_run_ends_when_its_halves_agree_and_says_so() -> None:
    slopes = np.random.default_rng(1).normal(size=30)
    rough = random_game(4, 1)

    def game(here: NDArray[np.bool_]) -> float:
        return float(slopes @ here) + 0.3 * rough(here[7:11])

    model = Cells(game, 30)
    method = KernelSHAP(
        segmentation="grid", segments=30, samples=4000, hide="black", stop_at=0.97, seed=3
    )
    made = method.explain(model, model.white, ClassTarget(0))
    used = int(made.scalars["samples_used"])
    assert used < 2000
    assert used <= made.passes == model.passes < used + 16
    asked = draw(3, 4000, 30)
    bits, scores, known = asked.bits[:used], made.arrays["scores"], asked.known
    assert len(scores) == used
    found = []
    for way in WAYS:  # each half: what is known, and its quarters of the pairs
        halves = []
        for half in way:
            own = np.array([at for at in range(used - known) if at // 2 % 4 in half]) + known
            line = ShapleyLine(30, scores[0], scores[1])
            line.add(bits[ENDS:known], scores[ENDS:known], asked.kernel[ENDS:known])
            line.add(bits[own], scores[own], np.full(len(own), asked.open / len(own)))
            halves.append(line.fit())
        found.append(alike(*halves))
    assert made.scalars["halves_agree_low"] == pytest.approx(min(found), abs=1e-6)
    assert made.way.endswith(
        f"agree by a rank correlation {Agreement(min(found), max(found)).words()}, where 0.97 was "
        "asked."
    )
    line = ShapleyLine(30, scores[0], scores[1])
    first = asked.first(used)
    line.add(first.bits[ENDS:], scores[ENDS:], first.kernel[ENDS:])
    np.testing.assert_allclose(made.grain.weights, line.fit(), atol=1e-6)


def test_what_is_noisy_flat_or_uncut_is_said() -> None:
    rng = np.random.default_rng(0)
    noise = Cells(lambda here: float(rng.normal()), 30)
    values: dict[str, Any] = {"segmentation": "grid", "hide": "black", "samples": 100}
    made = KernelSHAP(**values, segments=30).explain(noise, noise.white, ClassTarget(0))
    error = np.sqrt(np.mean(made.arrays["standard_errors"] ** 2))
    share = 100 * error / np.abs(made.grain.weights).max()
    assert f"{share:.0f}\u00a0% of the largest value: they are noisy" in made.notes[-1]
    flat = Cells(lambda here: 1.0, 6)
    made = KernelSHAP(**values, segments=6).explain(flat, flat.white, ClassTarget(0))
    assert "there is nothing to share out" in " ".join(made.notes)
    even = Cells(lambda here: float(here.sum() % 2), 6)
    made = KernelSHAP(**values, segments=6).explain(even, even.white, ClassTarget(0))
    assert "With all superpixels hidden the score is 0, and of the photo 0" in made.notes[-1]
    one = Cells(lambda here: float(here.sum()), 1)
    made = KernelSHAP(**values, segments=1).explain(one, one.white, ClassTarget(0))
    assert "it is one superpixel" in made.notes[-1]
    assert made.grain.weights == pytest.approx([1])


@pytest.mark.parametrize(
    ("framework", "target"),
    [("torch", ClassTarget(1)), ("keras", ClassTarget(2, of="probability"))],
)
def test_xpliques_own_run_is_a_line_through_what_it_drew(
    framework: str, target: ClassTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its line is not held to its ends, so it is another; where scores are near a line, not far."""
    from xplique.attributions import KernelShap

    theirs, seen = KernelShap._kernel_shap_pertub_func, []

    def draws(features: Any, samples: int) -> Any:
        seen.append(theirs.python_function(features, samples))
        return seen[-1]

    monkeypatch.setattr(
        KernelShap, "_kernel_shap_pertub_func", SimpleNamespace(python_function=draws)
    )
    model = tiny.torch_model() if framework == "torch" else tiny.keras_model()
    view = tiny.view(3)
    values = {"segmentation": "grid", "segments": 8, "hide": "blur", "seed": 4}
    made = KernelSHAP(**values, samples=82, engine="xplique").explain(model, view, target)  # type: ignore[arg-type]
    (bits,) = (np.asarray(each, bool) for each in seen)
    labels = made.grain.labels
    assert bits.shape == (80, labels.max() + 1)
    assert made.passes == 82
    shown = np.where(bits[:, labels][..., None], view, baseline("blur", view))
    free = LinearRegression().fit(bits, target.of_views(model, shown.astype(np.float32)))
    np.testing.assert_allclose(made.grain.weights, free.coef_, atol=1e-5)
    ours = KernelSHAP(**values, samples=520).explain(model, view, target)  # type: ignore[arg-type]
    assert ours.passes == 2 ** len(ours.grain.weights)
    np.testing.assert_array_equal(labels, ours.grain.labels)
    if target.of == "logit":
        largest = np.abs(ours.grain.weights).max()
        np.testing.assert_allclose(made.grain.weights, ours.grain.weights, atol=0.2 * largest)
    for name in ("score", "hidden_score"):
        assert made.scalars[name] == pytest.approx(ours.scalars[name], abs=1e-5)
    assert made.scalars["gap"] == pytest.approx(
        made.grain.weights.sum() - made.scalars["score"] + made.scalars["hidden_score"]
    )
    assert made.notes[0].startswith("Xplique's line is not held to its ends")
