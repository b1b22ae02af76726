"""The kept channels against a slow count, and their sum against the method's own map."""

import numpy as np
import pytest

from tests.fakes import tiny
from xai_core import channels
from xai_core.explainers.grad_cam import GradCAM
from xai_core.target import ClassTarget


def test_the_channels_with_the_largest_share_are_kept_in_order():
    rng = np.random.default_rng(0)
    maps, weights = rng.normal(size=(5, 6, 20)), rng.normal(size=20)
    maps, weights = maps.astype(np.float32), weights.astype(np.float32)
    made = channels.strongest(maps, weights)
    shares = [float(np.abs(maps[..., at] * weights[at]).sum()) for at in range(20)]
    wanted = sorted(range(20), key=lambda at: -shares[at])[: channels.MOST]
    assert made["numbers"].tolist() == wanted
    for row, at in enumerate(wanted):
        np.testing.assert_array_equal(made["channels"][row], maps[..., at])
    np.testing.assert_allclose(made["sum"], (maps * weights).sum(-1), atol=1e-5)


def test_of_large_maps_fewer_are_kept():
    made = channels.strongest(np.ones((512, 256, 5), np.float32), np.ones(5, np.float32))
    assert made["channels"].shape == (2, 512, 256)
    assert made["channels"].size <= channels.CELLS


@pytest.mark.parametrize("relu", [True, False])
def test_the_channels_of_a_small_network_add_up_to_its_map(relu):
    method = GradCAM(relu=relu)
    result = method.explain(tiny.torch_model(), tiny.view(1), ClassTarget(1))
    arrays = result.arrays
    assert len(arrays["numbers"]) == len(arrays["weights"])  # it has 8: all are kept
    added = np.tensordot(arrays["weights"][arrays["numbers"]], arrays["channels"], 1)
    np.testing.assert_allclose(added, arrays["sum"], atol=1e-5)
    shown = np.maximum(added, 0) if relu else added
    np.testing.assert_allclose(shown, result.grain.cells, atol=1e-5)
