import base64
import io
import re

import numpy as np
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.fakes import tiny
from ui import lime_steps
from xai_core import render
from xai_core.explainers.lime import SHOWN, Lime
from xai_core.target import ClassTarget


def made():
    method = Lime(segmentation="grid", segments=12, samples=100)
    return method.explain(tiny.torch_model(), tiny.view(3), ClassTarget(0))


def page():
    from tests.fakes import tiny
    from tests.ui.test_lime_steps import made
    from ui import lime_steps

    lime_steps.show(tiny.view(3), made())


def test_the_steps_show_this_runs_photos_scores_and_weights():
    app = AppTest.from_function(page, default_timeout=60).run()
    assert not app.exception
    words = " ".join(element.proto.body for element in app.get("html"))
    explanation = made()
    assert "cut into 12 superpixels" in words
    assert "100 times over" in words
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)" alt="([^"]+)"', words)
    assert len(pictures) == 1 + SHOWN
    view, arrays = tiny.view(3), explanation.arrays
    for index in range(SHOWN):
        score, kernel = arrays["scores"][index], arrays["kernel"][index]
        said = f"score {lime_steps.amount(float(score))}, counts {kernel:.2f}"
        assert said in words
        drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(pictures[1 + index][0]))))
        on = arrays["masks"][index][explanation.grain.labels]
        wanted = np.where(on[..., None], view * 255, arrays["hidden"])
        assert drawn.shape == wanted.shape
        assert abs(drawn.mean() - wanted.mean()) < 4
    rows = re.findall(r"<tr><td>(\d)</td><td>([^<]+)</td><td>([^<]+)</td>", words)
    strongest = sorted(explanation.grain.weights, key=abs, reverse=True)[: lime_steps.ROWS]
    assert [row[1] for row in rows] == [lime_steps.amount(float(weight)) for weight in strongest]
    assert f"{explanation.scalars['r2'] * 100:.0f}\u00a0%" in words


def test_masked_is_what_the_model_saw_and_edges_lie_between_superpixels():
    photo = render.pixels(tiny.view(1))
    hidden = np.zeros_like(photo)
    labels = np.zeros(tiny.SIZE, np.int32)
    labels[:, 14:] = 1
    shown = lime_steps.masked(photo, hidden, np.array([True, False])[labels])
    np.testing.assert_array_equal(shown[:, :14], photo[:, :14])
    assert not shown[:, 14:].any()
    drawn = lime_steps.outlined(photo, labels, np.array([], int))
    times = drawn.shape[0] // tiny.SIZE[0]
    assert drawn.shape[0] >= lime_steps.SIDE
    yellow = (drawn == (255, 214, 10)).all(-1)
    assert yellow[:, 14 * times].all()
    assert yellow.sum() == drawn.shape[0]
