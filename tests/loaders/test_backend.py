"""What a network's passes run on: when it changes, when it must not, and that nothing else does."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.speed.rows import parity
from loaders import backend
from loaders.backend import Compiled, Passes, difference
from loaders.preprocessing import preset
from loaders.torch.model import TorchModel
from tests.fakes import tiny
from tests.fakes.explained import card
from xai_core.card import Backend, Pace
from xai_core.explainer import make
from xai_core.perturb import Dense
from xai_core.target import ClassTarget

Array = NDArray[np.float32]
SIZE = (4, 4)


def scores(views: Array) -> Array:
    return np.asarray(views.mean((1, 2)) * [1, 2, 3], np.float32)


class Faked:
    """Stands for a compiled network: the model is what it answers."""

    name = "a compiler"
    piece = 8

    def __init__(self, model: Callable[[Array], Array]) -> None:
        self.model = model

    def __call__(self, views: Array) -> Array:
        return self.model(views)


def slow(views: Array) -> Array:
    until = time.process_time() + 0.002 * len(views)
    while time.process_time() < until:
        pass
    return scores(views)


def passes(plain: Any, convert: Any, **more: Any) -> Passes:
    return Passes(plain, lambda: Faked(convert()), name="own", size=SIZE, weights=1, **more)


def test_it_changes_for_a_run_that_repays_it() -> None:
    asked = []

    def convert() -> Any:
        asked.append(1)
        return scores

    network = passes(slow, convert)
    network._pace, network._timed = 0.002, 2  # what it measures depends on the machine
    network.expect(backend.FEWEST - 1)  # few images, however slow
    assert not asked
    network.expect(int(0.9 * backend.REPAYS / 0.002))
    network.expect(int(0.9 * backend.REPAYS / 0.002))  # what came before does not count
    assert not asked
    assert network.backend == Backend(name="own")
    network.expect(int(1.1 * backend.REPAYS / 0.002))
    assert asked
    assert network.backend.name == "a compiler"
    assert network.backend.agreement == 0
    assert network.backend.gain is not None
    assert network.backend.gain > 2
    network.expect(10**6)
    network.settle()
    assert len(asked) == 1


def raising() -> Any:
    raise RuntimeError("no such operation")


@pytest.mark.parametrize(
    ("plain", "convert", "why"),
    [
        (slow, lambda: lambda views: scores(views) * (1 + 3e-5), "differ by 3e-05"),
        (slow, lambda: lambda views: scores(views)[:, :2], "differ by inf"),
        (slow, raising, "cannot convert it (RuntimeError: no such operation)"),
        (lambda views: scores(views) * np.nan, lambda: scores, "not all numbers"),
        (scores, lambda: slow, "no quicker"),
    ],
)
def test_it_stays_where_the_other_is_not_the_same_or_no_better(
    plain: Any, convert: Any, why: str
) -> None:
    network = passes(plain, convert)
    said = network.settle()
    assert said.name == "own"
    assert why in said.why
    assert why in said.words()
    views = np.random.default_rng(0).random((2, *SIZE, 3), np.float32)
    np.testing.assert_array_equal(network(views), plain(views))


def test_answers_that_depend_on_the_others_of_a_batch_are_noticed() -> None:
    def mixed(views: Array) -> Array:
        return scores(views) + (0.0 if len(views) == 4 else 1.0)

    assert "differ" in passes(slow, lambda: mixed).settle().why


def crowded(views: Array) -> Array:
    """Take longer for each view the more there are above two, and for one alone."""
    until = time.process_time() + 0.001 * len(views) * (1 + abs(len(views) - 2))
    while time.process_time() < until:
        pass
    return scores(views)


def test_a_batch_is_cut_as_it_is_run_the_soonest(monkeypatch: pytest.MonkeyPatch) -> None:
    views = np.random.default_rng(0).random((7, *SIZE, 3), np.float32)
    way = backend.Cut(crowded, "x")
    backend.tune(way, views, 0.001)
    assert way.piece == 2
    np.testing.assert_array_equal(way(views), scores(views))
    way.piece = 8
    backend.tune(way, views, backend.TRYING / 40)  # it would take more than it may
    assert way.piece == 8

    network = passes(crowded, raising)  # what is not converted is cut, too
    network.settle()
    asked: list[int] = []
    monkeypatch.setattr(network._run, "_run", lambda views: asked.append(len(views)) or views)
    network(views)
    assert asked == [2, 2, 2, 1]


def test_answers_that_depend_on_the_others_of_a_batch_are_not_cut() -> None:
    network = passes(lambda views: crowded(views) + len(views), raising)
    network.settle()
    assert network._run is None


def test_large_networks_stay() -> None:
    network = Passes(scores, raising, name="own", size=SIZE, weights=backend.LARGEST + 1)
    assert "too large" in network.settle().why


def test_a_first_pass_that_prepares_much_is_no_measure() -> None:
    asked = []

    def slow_at_first(views: Array) -> Array:
        asked.append(len(views))
        start = time.process_time()
        while len(asked) == 1 and time.process_time() - start < 0.2:
            pass
        return scores(views)

    network = passes(slow_at_first, raising)
    network.expect(backend.FEWEST)
    assert asked == [1, 1]
    assert network.backend == Backend(name="own")


def test_the_card_s_pace_follows_once() -> None:
    known = card(pace=Pace(forward=30.0, backward=60.0))
    assert known.run_on(Backend(name="PyTorch")).pace == known.pace
    quicker = Backend(name="OpenVINO", agreement=1e-7, gain=2.0)
    after = known.run_on(Backend(name="PyTorch")).run_on(quicker)
    assert after.pace == Pace(forward=15.0, backward=60.0)
    assert after.run_on(dataclasses.replace(quicker, start=1.0)).pace == after.pace


def test_a_backend_s_words_and_numbers_are_bounded() -> None:
    with pytest.raises(ValueError, match="numbers"):
        Backend(name="x", gain=float("nan"))
    with pytest.raises(ValueError, match="words"):
        Backend(name="x" * 61)


# the real one


@pytest.fixture
def any_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "QUICKER", 0.0)


def taken(model: Any) -> Any:
    """Return a model's scores of masked photos, before and after the change."""
    rng = np.random.default_rng(5)
    image = rng.random((*model.input_size, 3), np.float32)
    masks = Dense(rng.random((21, *model.input_size), np.float32))
    targets = [ClassTarget(0), ClassTarget(1, of="probability")]

    def run() -> Array:
        asked = model.masked_scores(image, masks, image * 0, targets, 8)
        return np.concatenate([found for _, found in asked])

    before, native = run(), model.native()
    said = model.settled()
    assert said.name.startswith("OpenVINO"), said.why
    assert model.backend == said
    assert model.native() is native
    after = run()
    assert not np.array_equal(before, after)  # it is another that answers
    return before, after


@pytest.mark.usefixtures("any_gain")
@pytest.mark.parametrize("made", [tiny.torch_model, tiny.keras_model])
def test_the_scores_stay_the_same(made: Callable[[], Any]) -> None:
    before, after = taken(made())
    assert difference(after, before) < 1e-5


@pytest.mark.usefixtures("any_gain")
@pytest.mark.parametrize("name", parity.chosen(2))
def test_published_networks_give_the_same_maps(name: str) -> None:
    assert parity.apart(name, masks=50) < 1e-4


@pytest.mark.usefixtures("any_gain")
def test_pieces_and_streams_come_back_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    model = tiny.torch_model()
    views = np.random.default_rng(1).random((13, *model.input_size, 3), np.float32)
    own = model.logits(views)
    assert model.settled().agreement is not None
    network = model._forward.logits._run
    assert isinstance(network, Compiled)
    for piece in (1, 4, 20):
        network.piece = piece
        assert difference(network(views), own) < 1e-5


class Branches(nn.Module):
    """Goes by what is in the photo."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(3, 3)

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.dense(photos.mean((2, 3)))
        return found if photos[0, 0, 0, 0] > -9 else -found


def torch_of(module: nn.Module) -> TorchModel:
    return TorchModel(
        module,
        name="x",
        kind="test",
        architecture="x",
        preprocessing=preset("unit", (24, 24)),
        labels=("one", "two", "three"),
    )


@pytest.mark.usefixtures("any_gain")
def test_a_network_that_goes_by_what_it_sees_stays_in_torch() -> None:
    """On all probes it takes one branch: only its code shows that there is another."""
    said = torch_of(Branches()).settled()
    assert said.name == "PyTorch"
    assert said.why == "its code goes by what is in a photo"


def test_a_changed_copy_decides_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "QUICKER", 0.0)
    from xai_core.changes import Randomised, ReluRule

    model = tiny.torch_model()
    model.settled()
    drawn = model.rewritten(Randomised(layers=("7",), seed=1))
    assert drawn.backend == Backend(name="PyTorch")
    view = np.random.default_rng(1).random((1, *model.input_size, 3), np.float32)
    assert difference(drawn.logits(view), model.logits(view)) > 0.1
    assert "rule of its own" in model.rewritten(ReluRule("guided")).settled().why


@pytest.mark.usefixtures("any_gain")
def test_a_map_says_what_its_passes_ran_on() -> None:
    from workers.tasks.explain import Explain
    from xai_core.question import Question
    from xai_core.task import Bench

    model = tiny.torch_model()
    model.settled()
    photo = np.random.default_rng(0).integers(0, 256, (24, 28, 3), dtype=np.uint8)
    question = Question(method="saliency", target=ClassTarget(0))
    bench = Bench(model=model)
    said = Explain(pixels=photo, question=question).run(bench, lambda *_, **__: None)
    assert said.backend == model.backend
    assert make("saliency", {}).cost(model)
