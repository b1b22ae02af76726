"""The hiding test through the wall: a worker measures what the model says in this process."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from loaders import catalogue
from loaders.load import load
from tests.lasting import Lent
from xai_core.errors import JobError
from xai_core.probes.hiding import Hiding
from xai_core.question import Question
from xai_core.report import hidden_facts
from xai_core.target import ClassTarget
from xai_core.task import silent


def test_through_a_worker() -> None:
    entry = next(each for each in catalogue.models() if each.name == "shapes_shortcut")
    photo = next(each for each in catalogue.photos() if each.path.name == "heart_marked.jpg")
    pixels = np.asarray(Image.open(photo.path).convert("RGB"))
    star = entry.classes.index("star")
    wall = Lent()
    try:
        handle = wall.session("test").open(
            entry.path, entry.options, name=entry.name, trusted_path=True
        )
        handle.loading.result(120)
        question = Question(method="grad-cam", target=ClassTarget(star))
        made = handle.explain(pixels, question).result(120)
        test = Hiding.of(made, pixels, card=handle.card, draws=3, points=4)
        job = handle.run(test)
        found = job.result(120)
        shown = job.snapshot()
        assert 0 < shown.done <= shown.total
        assert set(shown.arrays) == {"areas", "scores"}
        model = load(entry.path, entry.options, name=entry.name)
        view, _ = model.preprocessing.view(pixels)
        known = test.tested(model, view, silent)
        for name in ("whole", "blank", "strongest", "kept", "least", "random", "curve"):
            for field in ("scores", "probabilities", "firsts"):
                got, wanted = (getattr(getattr(each, name), field) for each in (found, known))
                np.testing.assert_allclose(got, wanted, atol=1e-4)
        assert found.notes == known.notes
        # the mark is what makes it a star
        assert found.whole.firsts.tolist() == [star]
        assert hidden_facts(found)["verdict"] == "passes"
        assert star not in found.strongest.firsts
        slow = handle.run(dataclasses.replace(test, draws=50, points=100))
        slow.cancel()
        with pytest.raises(JobError, match="cancelled"):
            slow.result(120)
        assert handle.run(test).result(120).cuts.tolist() == found.cuts.tolist()
    finally:
        wall.close()
