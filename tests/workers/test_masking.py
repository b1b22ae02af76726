"""Masking through the wall: a worker measures what the model says in this process."""

import numpy as np
import pytest
from PIL import Image

from loaders import catalogue
from loaders.load import load
from tests.lasting import Lent
from xai_core.errors import JobError, ParamError
from xai_core.probes.masking import ORDERS, Masking
from xai_core.question import Question
from xai_core.report.masked import masked_facts
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
        with pytest.raises(ParamError, match="this is another one"):
            Masking.of(made, pixels[::-1], card=handle.card)
        task = Masking.of(made, pixels, card=handle.card, draws=2, fill="inpainted")
        job = handle.run(task)
        found = job.result(120)
        shown = job.snapshot()
        assert 0 < shown.done <= shown.total
        assert set(shown.arrays) == {"areas", "scores"}
        model = load(entry.path, entry.options, name=entry.name)
        view, _ = model.preprocessing.view(pixels)
        known = task.masked(model, view, silent)
        for name in ("whole", "blank", *ORDERS, "random"):
            for field in ("scores", "probabilities", "firsts"):
                got, wanted = (getattr(getattr(each, name), field) for each in (found, known))
                np.testing.assert_allclose(got, wanted, atol=1e-4)
        facts = masked_facts(found, 2)
        assert facts["firsts"]["whole"] == star
        assert facts["flips"]["strongest"] < 0.1  # the mark
        assert facts["sooner"]
        slow = handle.run(Masking.of(made, pixels, draws=50))
        slow.cancel()
        with pytest.raises(JobError, match="cancelled"):
            slow.result(120)
    finally:
        wall.close()
