"""Pieces of a batch in threads: in order, with the scores of one thread, and errors as they are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from loaders import backend
from loaders.backend import Cut, difference
from loaders.preprocessing import preset
from loaders.streams import Streams, streams
from loaders.torch import convert
from loaders.torch.model import TorchModel
from loaders.torch.streamed import keeps, streamed
from tests.fakes import tiny

Array = NDArray[np.float32]


def begun() -> None:
    """Begin a thread with nothing."""


def views(count: int, side: int = 4) -> Array:
    return np.random.default_rng(0).random((count, side, side, 3), np.float32)


def test_pieces_that_end_in_another_order_come_back_in_theirs() -> None:
    """The first piece waits for the second: one after another, they never end."""
    over = threading.Event()

    def run(part: Array) -> Array:
        if part[0, 0, 0, 0] == given[0, 0, 0, 0]:
            assert over.wait(30)
        else:
            over.set()
        return part.mean((1, 2))

    given = views(5)
    way = Cut(run, "x", streams(2, begun))
    way.piece = 2
    np.testing.assert_array_equal(way(given), given.mean((1, 2)))


def test_the_first_error_comes_out_when_no_piece_runs_any_more() -> None:
    running: list[int] = []

    def run(part: Array) -> Array:
        running.append(1)
        if len(part) < 2:
            raise ValueError("the last")
        if part[0, 0, 0, 0] == given[2, 0, 0, 0]:
            raise MemoryError("the second")
        return part.mean((1, 2))

    given = views(5)
    way = Cut(run, "x", streams(2, begun))
    way.piece = 2
    with pytest.raises(MemoryError, match="the second"):
        way(given)
    assert len(running) == 3
    np.testing.assert_array_equal(way(given[:2]), given[:2].mean((1, 2)))
    assert len(way.streams([].append, given[:3])) == 3  # type: ignore[misc, arg-type]


def test_threads_are_made_once_and_end_with_the_process() -> None:
    made = streams(3, begun)
    assert streams(3, begun) is made
    own = [each for each in threading.enumerate() if each.name.startswith("stream ")]
    assert own
    assert all(each.daemon for each in own)


def test_a_thread_that_cannot_begin_is_said() -> None:
    def failing() -> None:
        raise OSError("no thread")

    with pytest.raises(OSError, match="no thread"):
        Streams(2, failing)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")


@pytest.mark.usefixtures("two")
def test_in_a_stream_torch_uses_one_thread_and_outside_as_many_as_before() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        made = streamed(nn.Identity(), lambda: None)
        assert made is not None
        inside = made(lambda part: np.array([torch.get_num_threads()]), [views(1)] * 4)
        assert {int(each[0]) for each in inside} == {1}
        assert torch.get_num_threads() == 2
        later: list[int] = []
        thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert later == [2]
    finally:
        torch.set_num_threads(before)


def test_one_thread_has_no_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert streamed(nn.Identity(), lambda: None) is None
    assert convert_keras().streamed(None) is None


def convert_keras() -> Any:
    from loaders.keras import convert as own

    return own


def refuse(*_: object) -> Any:
    raise RuntimeError("no such operation")


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("made", [tiny.torch_model, tiny.keras_model])
def test_what_openvino_refuses_runs_in_streams_with_the_same_scores(
    made: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert, "converted", refuse)
    monkeypatch.setattr(convert_keras(), "converted", refuse)
    monkeypatch.setattr(backend, "SOONER", 0.0)  # what is quicker depends on the machine
    model = made()
    given = np.random.default_rng(1).random((13, *model.input_size, 3), np.float32)
    own = model.logits(given)
    assert "no such operation" in model.settled().why
    run = model._forward.logits._run
    assert isinstance(run, Cut)
    assert run.streams is not None
    asked: set[str] = set()
    alone = run._alone

    def noted(part: Array) -> Array:
        asked.add(threading.current_thread().name)
        return alone(part)

    monkeypatch.setattr(run, "_alone", noted)
    for run.piece in (1, 2, 4):
        assert difference(run(given), own) <= 1e-5
        assert difference(model.logits(given), own) <= 1e-5
    assert asked
    assert all(name.startswith("stream ") for name in asked)


class Folds(nn.Module):
    """A convolution and its normalisation: what is folded where it is not converted."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.norm, self.dense = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 3)

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.dense(self.norm(self.one(photos)).relu().mean((2, 3)))
        return answer


@pytest.mark.parametrize("count", [1, 2])
def test_what_is_not_converted_is_folded(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", str(count))
    monkeypatch.setattr(convert, "converted", refuse)
    monkeypatch.setattr(backend, "QUICKER", 0.0)
    torch.manual_seed(0)
    model = torch_of(Folds())
    given = views(13, 24)
    own = model.logits(given)
    assert "folded" in model.settled().name
    assert (model._forward.logits._run.streams is None) == (count == 1)
    assert difference(model.logits(given), own) <= 1e-5


def torch_of(module: nn.Module) -> TorchModel:
    return TorchModel(
        module,
        name="x",
        kind="test",
        architecture="x",
        preprocessing=preset("unit", (24, 24)),
        labels=("one", "two", "three"),
    )


# networks that keep something of a photo in themselves


class Base(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.notes: dict[str, list[torch.Tensor]] = {"last": []}
        self.register_buffer("count", torch.zeros(3))
        self.inner = nn.Identity()


class Sets(Base):
    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        self.last = photos.mean((2, 3))
        found: torch.Tensor = self.inner(photos).amax((2, 3)) + self.last
        del self.last
        return found


class Lists(Base):
    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        self.notes["last"][:] = [photos]
        return self.notes["last"][0].mean((2, 3))


class Counts(Base):
    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        self.count += photos.mean()
        return photos.mean((2, 3)) + self.count * 0


class Hooked(Base):
    def __init__(self) -> None:
        super().__init__()
        self.inner.register_forward_hook(lambda *_: None)

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.inner(photos).mean((2, 3))
        return found


class Leaves(Base):
    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.inner(photos).mean((2, 3))
        return found


@pytest.mark.parametrize(
    ("made", "kept"),
    [(Sets, True), (Lists, True), (Counts, True), (Hooked, True), (Leaves, False)],
)
def test_a_network_that_keeps_something_runs_alone(made: type[Base], kept: bool) -> None:
    network = made().eval()
    own = nn.Module.__setattr__
    assert keeps(network, lambda: network(torch.rand(1, 3, 4, 4))) is kept
    assert nn.Module.__setattr__ is own


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_a_script_that_keeps_something_runs_alone() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = torch.zeros(1, 3)

        def forward(self, photos: torch.Tensor) -> torch.Tensor:
            self.last = photos.mean((2, 3))
            return self.last

    network = nn.Sequential(torch.jit.script(Last()))
    assert keeps(network, lambda: network(torch.rand(1, 3, 4, 4)))
    assert not keeps(nn.Sequential(torch.jit.script(nn.Flatten())), lambda: None)


@pytest.mark.usefixtures("two")
def test_a_graph_that_writes_runs_alone() -> None:
    import tensorflow as tf

    kept = tf.Variable(tf.zeros(3))
    spec = [tf.TensorSpec((None, 4, 4, 3), tf.float32)]

    def writes(photos: Any) -> Any:
        kept.assign_add(tf.ones(3))
        return tf.reduce_mean(photos, (1, 2)) + kept

    own = convert_keras()
    assert own.streamed(tf.function(writes, input_signature=spec)) is None
    reads = tf.function(lambda photos: tf.reduce_mean(photos, (1, 2)) + kept, input_signature=spec)
    assert own.streamed(reads) is not None
    assert own.streamed(writes) is None  # no graph
