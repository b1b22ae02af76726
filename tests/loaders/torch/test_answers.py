"""What a network answers: which of several, what its numbers are, and whether it is steady."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.loaders.torch.networks import about, made, opened, save, truth, views
from xai_core.errors import ParamError
from xai_core.target import ClassTarget

NET = """
Pair = collections.namedtuple("Pair", "features logits")


@dataclasses.dataclass
class Output:
    loss: object = None
    logits: object = None
    hidden_states: object = None


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.maps = nn.Conv2d(3, 8, 7, 4)
        self.norm = nn.{norm}(8)
        self.drop = nn.Dropout(0.5)
        self.embed = nn.Linear(8, 8)
        self.out = nn.Linear(8, {units})
        self.other = nn.Linear(8, 2)

    def forward(self, x):
        m = self.norm(self.maps(x)).relu()
        c = self.embed(m.mean((2, 3)))
        z, t = self.out(c) * 5, self.other(c)
        return {end}
"""
SIZE = (64, 64)


@pytest.fixture(autouse=True)
def _sandboxed(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("VITRINE_SANDBOX", "holds")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def network(end: str, units: int = 3, norm: str = "Identity") -> tuple[Any, str]:
    return made(NET.format(end=end, units=units, norm=norm))


def model_of(path: Path, end: str, kind: str = "source", units: int = 3, **options: Any) -> Any:
    made_network, text = network(end, units)
    path = path / "file.pt2"
    given = save(made_network, path, kind, (2, 3, *SIZE), text)
    return opened(path, size=SIZE, **given, **options)


@pytest.mark.parametrize(
    ("end", "kinds"),
    [
        ('{"logits": z, "features": c}', ["source", "pt2"]),
        ('{"code": c, "y": z}', ["source", "pt2"]),
        ("(z, c)", ["source", "traced", "scripted", "pt2"]),
        ("(c, z)", ["source", "traced", "scripted", "pt2"]),
        ("(m, z)", ["source", "traced"]),
        ("(z.softmax(1), z)", ["source"]),
        ("Pair(c, z)", ["source"]),
        ("Output(logits=z, hidden_states=(m, c))", ["source"]),
        ('[{"a": c}, (z,)]', ["source"]),
        ("z.squeeze()", ["source", "traced"]),
        ("z[:, :, None, None]", ["source", "scripted", "pt2"]),
        ("z[:, None]", ["source"]),
    ],
)
def test_the_scores_are_found(tmp_path: Path, end: str, kinds: list[str]) -> None:
    plain, _ = network("z")
    for kind in kinds:
        model = model_of(tmp_path, end, kind)
        given = views(model)
        np.testing.assert_allclose(model.logits(given), truth(plain, model, given), atol=1e-5)
        if end.startswith(("(", "{", "[", "P", "O")):
            assert "--output" in about(model, "output", "info")


def test_two_heads_are_a_guess(tmp_path: Path) -> None:
    plain, _ = network("z")
    assert "--output" in about(model_of(tmp_path, "(t, z)"), "output")
    for options in ({"output": "1"}, {"classes": ("a", "b", "c")}):
        model = model_of(tmp_path, "(t, z)", **options)
        assert not about(model, "output")
        given = views(model)
        np.testing.assert_allclose(model.logits(given), truth(plain, model, given), atol=1e-5)
    with pytest.raises(ParamError, match="--output must be"):
        model_of(tmp_path, "(t, z)", output="logits")


def test_a_script_that_answers_with_an_object(tmp_path: Path) -> None:
    answers, _ = made("""
from typing import NamedTuple, Optional


class Answers(NamedTuple):
    logits: torch.Tensor
    aux: Optional[torch.Tensor]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.maps = nn.Conv2d(3, 8, 7, 4)
        self.out, self.aux = nn.Linear(8, 4), nn.Linear(8, 4)

    def forward(self, x):
        c = self.maps(x).relu().mean((2, 3))
        return Answers(self.out(c), self.aux(c) if self.training else None)
""")
    save(answers, tmp_path / "file", "scripted", ())
    model = opened(tmp_path / "file", size=SIZE)
    given = views(model)
    wanted = truth(lambda x: answers(x).logits, model, given)
    np.testing.assert_allclose(model.logits(given), wanted, atol=1e-5)
    assert model.activation_gradients(given, "maps", ClassTarget(1))[1].any()


@pytest.mark.parametrize(
    ("end", "units", "kind", "level"),
    [
        ("z.softmax(1)", 3, "softmax", "warning"),
        ("F.log_softmax(z, dim=1)", 3, "log-softmax", "info"),
        ("torch.log(z.softmax(1))", 3, "log-softmax", "info"),
        ("torch.sigmoid(z)", 3, "sigmoid", "warning"),
        ("torch.stack([z.softmax(1), (2 * z).softmax(1)]).mean(0)", 3, "softmax", "warning"),
        ("(z + 1) / 2", 3, "logits", "info"),
        ("z * 0.01 + 0.5", 2, "logits", "info"),
        ("z * 0.01 + 0.5", 1, "sigmoid", "warning"),
        ("z.sigmoid().squeeze()", 1, "sigmoid", "warning"),
    ],
)
def test_the_last_operation_tells_the_head(
    tmp_path: Path, end: str, units: int, kind: str, level: str
) -> None:
    own, _ = network(end, units)
    for file in ("source", "traced", "pt2"):
        model = model_of(tmp_path, end, file, units)
        assert model.head.kind == kind
        assert about(model, "head", level)
        given = views(model)
        wanted = truth(own, model, given)
        chances = model.head.probabilities(model.logits(given))
        if kind == "logits":
            wanted = np.exp(wanted) / np.exp(wanted).sum(1, keepdims=True)
        elif kind == "log-softmax":
            wanted = np.exp(wanted)
        elif units == 1:
            second = wanted if "sigmoid" in end else 1 / (1 + np.exp(-wanted))
            wanted = np.concatenate([1 - second, second], 1)
        np.testing.assert_allclose(chances, wanted, atol=1e-4)


def test_a_quantity_is_doubted(tmp_path: Path) -> None:
    for kind in ("source", "traced"):
        assert "a quantity" in about(model_of(tmp_path, "z + 24", kind, 1), "head")


@pytest.mark.parametrize("asked", ["softmax", "sigmoid", "logits", "log-softmax"])
def test_what_is_said_of_the_head_wins(tmp_path: Path, asked: str) -> None:
    model = model_of(tmp_path, "z * 0.01 + 0.5", units=2, head=asked)
    assert model.head.kind == asked


@pytest.mark.parametrize(
    ("end", "norm", "kind", "training", "said"),
    [
        ("self.out(self.drop(c))", "Identity", "traced", True, "dropout"),
        ("self.out(self.drop(c))", "Identity", "pt2", True, "dropout"),
        ("z", "BatchNorm2d", "traced", True, "batch normalisation"),
        ("z", "BatchNorm2d", "pt2", True, "batch normalisation"),
        ("self.out(F.dropout(c))", "Identity", "source", False, "own code holds dropout"),
        ("z + torch.randn(1)", "Identity", "source", False, "random numbers"),
    ],
)
def test_training_mode_is_named(
    tmp_path: Path, end: str, norm: str, kind: str, training: bool, said: str
) -> None:
    own, text = network(end, norm=norm)
    own.train(training)
    path = tmp_path / "file.pt2"
    model = opened(path, size=SIZE, **save(own, path, kind, (2, 3, *SIZE), text))
    assert said in model.mode_reason
    assert "training mode" in model.mode_reason
    assert said in about(model, "mode")


@pytest.mark.parametrize("norm", ["BatchNorm2d", "InstanceNorm2d"])
def test_what_is_not_in_training_is_not_doubted(tmp_path: Path, norm: str) -> None:
    own, text = network("self.out(self.drop(c))", norm=norm)
    for kind in ("source", "traced", "scripted", "pt2"):
        path = tmp_path / "file.pt2"
        model = opened(path, size=SIZE, **save(own, path, kind, (2, 3, *SIZE), text))
        assert model.mode_reason == ""
        assert not about(model, "mode")
