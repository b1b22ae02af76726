"""A network on a GPU: what holds without one is tried on a fake, the rest where there is one."""

import numpy as np
import pytest
import torch

from loaders import backend
from loaders.backend import Passes, Refused, difference
from loaders.torch import cuda
from tests.fakes import tiny
from xai_core import device
from xai_core.errors import UnsupportedModel
from xai_core.explainer import make
from xai_core.target import ClassTarget

SIZE = tiny.SIZE
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine shows no GPU to CUDA")


class Fake(cuda.Cuda):
    """The processor as a GPU of so many bytes free, each view of which takes `each`."""

    free, each = 1000, 10

    def _found(self):
        return torch.device("cpu"), "CUDA, a fake"

    def _freed(self):
        self.most = 0

    def _most(self):
        return self.most

    def _free(self):
        return self.free

    def _pass(self, views):
        self.most = 500 + self.each * len(views)
        if self.each * len(views) > self.free:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super()._pass(views)


def fake(model, **more):
    kind = type("Fake", (Fake,), more)
    return kind(model.native(), model.input_size, torch.inference_mode)


@pytest.fixture(scope="module")
def model():
    return tiny.torch_model()


@pytest.fixture(scope="module")
def views():
    return np.random.default_rng(0).random((23, *SIZE, 3), np.float32)


def test_a_batch_is_what_the_free_memory_takes(model, views):
    assert fake(model).piece == cuda.MOST  # eighty would go in
    assert fake(model, free=200).piece == 16
    assert difference(fake(model, free=100)(views), model.logits(views)) < backend.AGREES


def test_without_memory_a_batch_is_halved_and_one_view_alone_is_refused(model, views):
    way = fake(model, free=200)
    way.free = 45  # another took the rest meanwhile
    assert difference(way(views), model.logits(views)) < backend.AGREES
    assert way.piece == 4
    way.free = 5
    with pytest.raises(UnsupportedModel, match="too little memory left for one view"):
        way(views)


def test_what_a_gpu_cannot_run_stays_and_is_said(model):
    def refuses():
        raise Refused("CUDA finds no GPU here", told=True)

    class Other:
        name, piece = "another", 8

        def __call__(self, views):
            return model._forward.plain(views)

    whole = {"name": "own", "size": SIZE, "weights": 1}
    alone = Passes(model._forward.plain, refuses, **whole)
    assert alone.settle().words() == (
        "Its passes run on own. They do not run on a GPU: CUDA finds no GPU here."
    )
    both = Passes(model._forward.plain, refuses, Other, **whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend, "QUICKER", 0.0)
        said = both.settle()
    assert said.name == "another"
    assert said.words().endswith("They do not run on a GPU: CUDA finds no GPU here.")


def test_it_is_tried_first_where_it_is_asked_for_and_masks_go_by_its_batches(monkeypatch):
    monkeypatch.setattr(cuda, "Cuda", Fake)
    monkeypatch.setattr(backend, "QUICKER", 0.0)
    seen = {}
    for word in ("cpu", "cuda"):
        monkeypatch.setenv(device.VARIABLE, word)
        model = tiny.torch_model()
        name = model.settled().name
        assert (name == "CUDA, a fake") == (word == "cuda")
        assert model._at_once(0) == (cuda.MOST if word == "cuda" else 8)
        assert model._at_once(5) == 5
        view = np.random.default_rng(1).random((*SIZE, 3), np.float32)
        found = make("rise", {"masks": 100}, size=SIZE).explain(model, view, ClassTarget(0))
        seen[word] = found.attribution
    np.testing.assert_allclose(seen["cpu"], seen["cuda"], atol=1e-4)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_one_the_reason_is_said(model):
    with pytest.raises(Refused, match=r"CUDA finds no GPU here|built without CUDA") as told:
        cuda.Cuda(model.native(), SIZE, torch.inference_mode)
    assert told.value.told


@GPU
def test_a_gpu_gives_the_same_scores(model, views):
    way = cuda.Cuda(model.native(), SIZE, torch.inference_mode)
    assert difference(way(views), model.logits(views)) < backend.AGREES
    assert way.piece > 1
