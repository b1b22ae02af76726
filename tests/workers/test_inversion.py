"""Inversion and maximisation through the wall: pause, a step, stop and keep, cancel, partials."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from loaders import catalogue
from tests.lasting import Lent
from tests.workers.conftest import begun, wait_for
from xai_core.errors import JobError, ParamError
from xai_core.probes.inversion import Invert
from xai_core.probes.maximisation import Maximise
from xai_core.target import ClassTarget, UnitTarget

PIXELS = np.asarray(Image.open(catalogue.photos()[0].path).convert("RGB"))


@pytest.fixture(scope="module", params=["shapes", "shapes_keras"])
def handle(request):
    entry = catalogue.find(request.param)
    made = Lent()
    handle = made.session("test").open(
        entry.path, entry.options, name=entry.name, trusted_path=True
    )
    handle.loading.result(120)
    yield handle
    made.close()


def test_inversion_pauses_steps_and_stops_with_what_there_is(handle):
    layers = (handle.card.layers[0].name, handle.card.layers[-1].name)
    job = begun(handle.run(Invert(pixels=PIXELS, layers=layers, steps=2000)))
    job.command("pause")
    wait_for(lambda: job.snapshot().paused)
    wait_for(lambda: len(job.snapshot().arrays) == 2)
    stood = job.snapshot()  # it may be a step on before it stands
    assert stood.arrays["pictures"].shape == (2, *handle.card.input_size, 3)
    assert stood.arrays["distances"].shape == (2,)
    job.command("step")
    wait_for(lambda: job.snapshot().done > stood.done)
    job.command("stop")
    made = job.result(120)
    assert stood.done < made.done < 2000
    assert made.layers == layers
    assert np.array_equal(made.frames[-1], made.pictures)
    slow = handle.run(Invert(pixels=PIXELS, layers=layers, steps=2000))
    begun(slow).cancel()
    with pytest.raises(JobError, match="cancelled"):
        slow.result(120)
    with pytest.raises(ParamError, match="nowhere"):
        handle.run(Invert(pixels=PIXELS, layers=("nowhere",))).result(120)


def test_maximisation_of_a_class_and_of_a_unit(handle):
    asked = Maximise(target=ClassTarget(5), pixels=PIXELS, steps=10)
    made = handle.run(asked).result(120)
    assert made.done == 10
    assert made.probabilities.shape[1] == 6
    assert made.photo is not None
    unit = UnitTarget(handle.card.layers[-1].name, 3)
    found = handle.run(dataclasses.replace(asked, target=unit, pixels=None)).result(120)
    assert found.photo is None
    assert found.target == unit
