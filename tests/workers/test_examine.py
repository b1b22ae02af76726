"""The pre-processing doctor through the wall."""

import numpy as np
import pytest
from PIL import Image

from loaders import catalogue
from tests.lasting import Lent
from workers.tasks.examine import Examine
from xai_core.errors import ParamError


def test_through_a_worker():
    entry = catalogue.find("shapes")
    pixels = np.asarray(Image.open(catalogue.photos()[0].path).convert("RGB"))
    wall = Lent()
    try:
        handle = wall.session("test").open(
            entry.path, entry.options, name=entry.name, trusted_path=True
        )
        handle.loading.result(120)
        found = handle.run(Examine(pixels=pixels, label=3)).result(120).trials
        said = handle.predict(pixels).result(120).probabilities
        assert len(found) == 40
        assert found[0].own
        assert found[0].known == pytest.approx(float(said[3]), abs=1e-4)
        assert found[0].top == said.argmax()
        with pytest.raises(ParamError, match="from 0 to 5"):
            handle.run(Examine(pixels=pixels, label=9)).result(120)
    finally:
        wall.close()
    asked, made = Examine(pixels=pixels), type("Made", (), {"trials": found[1:]})
    with pytest.raises(ValueError, match="own preparation"):
        asked.check(made, None)
    made.trials = found
    with pytest.raises(ValueError, match="known class"):
        asked.check(made, None)
