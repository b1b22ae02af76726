"""The doubts about a fresh model's answers: on answers made up here, and on planted faults."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from loaders import catalogue
from loaders.load import load
from loaders.options import Options
from loaders.preprocessing import preset
from loaders.sanity import doubts, judge
from loaders.torch.model import TorchModel
from xai_core.model import Head

DRAW = np.random.default_rng(0)


def said(logits: np.ndarray, exclusive: bool = True) -> str:
    logits = np.asarray(logits, np.float32)
    found = judge(logits, Head("logits", exclusive=exclusive).probabilities(logits), exclusive)
    return found.message if found else ""


@pytest.mark.parametrize(
    ("logits", "what"),
    [
        (np.full((3, 5), 2.0), "exactly the same scores"),
        (np.tile(DRAW.standard_normal(1000), (3, 1)), "exactly the same scores"),
        (DRAW.standard_normal((3, 1000)) * 0.01, "about the chance level of 0.10\u00a0%"),
        ([[np.nan, 1.0], [0, 1], [1, 0]], "not finite"),
        (DRAW.standard_normal((3, 1000)) * 4, ""),
        (DRAW.standard_normal((3, 1000)) + 100 * np.eye(1000)[7], ""),  # sure is not wrong
        (DRAW.standard_normal((3, 4)) * 0.01, ""),
        (100 * np.eye(3), ""),
    ],
)
def test_answers_are_judged(logits: np.ndarray, what: str) -> None:
    sentence = said(logits)
    assert what in sentence
    assert bool(what) == bool(sentence)


def test_many_sigmoids_may_all_say_no() -> None:
    assert said(DRAW.standard_normal((3, 400)) - 20, exclusive=False) == ""


def test_the_built_in_models_raise_no_doubt() -> None:
    for entry in catalogue.models():
        model = load(entry.path, entry.options, name=entry.name)
        assert not [row for row in model.findings if row.level == "warning"]


@pytest.mark.parametrize(
    ("file", "asked", "doubted"),
    [
        ("imagenet_mobilenet_v2.pth", "auto", False),
        ("imagenet_mobilenet_v2.pth", "raw", True),
        ("imagenet_mobilenet_v2.pth", "unit", True),
        ("imagenet_mobilenet_v2.h5", "auto", False),
        ("imagenet_mobilenet_v2.h5", "raw", True),
        ("emotions_mini_xception.hdf5", "symmetric", False),
        ("emotions_mini_xception.hdf5", "raw", True),
    ],
)
def test_real_networks_under_right_and_wrong_preparations(shared, file, asked, doubted) -> None:
    model = load(shared / "models" / file, Options(preprocessing=asked), name=file)
    found = [row for row in model.findings if "would fit" in row.message]
    assert bool(found) == doubted
    if found:
        right = "imagenet" if file.endswith(".pth") else "symmetric"
        assert f"'{right}'" in found[0].message
        assert f"The pre-processing is '{asked}'" in found[0].message
        assert (found[0].level, found[0].about) == ("warning", "preprocessing")


def opened(body: nn.Module, prepared: str = "unit", **more: object) -> TorchModel:
    return TorchModel(
        body,
        name="m",
        kind="module",
        architecture="own",
        preprocessing=preset(prepared, (32, 32)),
        labels=("a", "b", "c"),
        **more,
    )


def plain(scale: float = 1.0) -> nn.Sequential:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 900, 3))
    body[3].weight.data *= 40 * scale
    return body.eval()


@pytest.mark.parametrize(("prepared", "scale"), [("unit", 1.0), ("raw", 1 / 255)])
def test_without_a_normalisation_the_scores_tell(prepared: str, scale: float) -> None:
    right, other = prepared, {"unit": "raw", "raw": "unit"}[prepared]
    assert doubts(opened(plain(scale), right)) == ()
    (found,) = doubts(opened(plain(scale), other))
    assert found.about == "preprocessing"
    assert f"'{right}'" in found.message
    assert ("so much" if other == "raw" else "so little") in found.message


def test_the_first_normalisation_remembers_how_it_was_trained() -> None:
    torch.manual_seed(0)
    body = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8, momentum=1.0), nn.ReLU(), nn.Flatten(),
        nn.Linear(8 * 900, 3),
    )  # fmt: skip
    views = torch.rand(8, 3, 1, 1).expand(8, 3, 32, 32) + 0.1 * torch.randn(8, 3, 32, 32)
    body(views * 255)  # as if it had been trained on 0..255
    body.eval()
    assert doubts(opened(body, "raw")) == ()
    (found,) = doubts(opened(body, "unit"))
    assert "times as narrow as in training" in found.message
    assert "'caffe' or 'raw' would fit" in found.message
    fresh = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(7200, 3))
    grey = np.full((1, 32, 32, 3), 0.5, np.float32)
    assert np.isnan(opened(fresh, "unit").first_spread(grey))  # it remembers nothing yet
    spread = opened(body, "unit").first_spread(np.zeros((1, 32, 32, 3), np.float32))
    assert spread == pytest.approx(0, abs=1e-3)


class Always(nn.Module):
    """Dropout without its flag: on in every mode."""

    def __init__(self) -> None:
        super().__init__()
        self.body = plain()

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        return self.body(nn.functional.dropout(photos, 0.5))


class Statistics(nn.Module):
    """Batch normalisation by the batch itself."""

    def __init__(self) -> None:
        super().__init__()
        self.body = plain()

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        return self.body(nn.functional.batch_norm(photos, None, None, training=True))


@pytest.mark.parametrize(
    ("body", "what", "reason"),
    [
        (Always, "Asked twice about the same photo", "as Dropout does in training mode"),
        (Statistics, "changes with the photos beside it", "batch normalisation does that"),
    ],
)
def test_answers_that_change_are_a_warning_with_the_way_out(body, what: str, reason: str) -> None:
    found = [row for row in doubts(opened(body())) if row.about == "mode"]
    assert len(found) == 1
    for words in (what, reason, "training mode", "model.eval() before you export it"):
        assert words in found[0].message
    assert found[0].level == "warning"


def test_a_known_reason_is_said() -> None:
    model = opened(Always())
    model.mode_reason = "its graph holds a Dropout in training mode"
    assert "its graph holds a Dropout in training mode" in doubts(model)[0].message
    steady = opened(plain())
    assert doubts(steady) == ()
    steady.mode_reason = "its graph holds a BatchNorm in training mode"
    assert doubts(steady)[0].about == "mode"


def test_values_set_by_hand_are_not_called_a_preset() -> None:
    """A doubt names what is applied: the numbers that were set, in words."""
    shown = catalogue.photos()[0]
    assert shown.path.is_file()
    own = dataclasses.replace(preset("raw", (32, 32)), name="custom", why="mean set by hand")
    model = opened(plain(), "raw")
    model.preprocessing = own
    found = [each.message for each in doubts(model) if each.about == "preprocessing"]
    for message in found:
        assert "its own (mean set by hand)" in message
    assert found
