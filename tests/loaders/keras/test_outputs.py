"""Which of several outputs is read, and networks that go on to choose a class themselves."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from loaders.keras import file as loader
from loaders.keras.model import KerasModel
from loaders.preprocessing import Options
from xai_core.errors import ParamError, UnsupportedModel

SIDE = 16
VIEWS = np.random.default_rng(0).random((2, SIDE, SIDE, 3), np.float32)
LIBRARIES = {"keras": keras, "tf_keras": tf_keras}
both = pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)


def trunk(library: Any) -> tuple[Any, Any]:
    library.utils.set_random_seed(1)
    view = library.Input((SIDE, SIDE, 3))
    maps = library.layers.Conv2D(6, 3, activation="relu")(view)
    return view, library.layers.GlobalAveragePooling2D()(maps)


def dense(library: Any, units: int, activation: str | None = None, name: str | None = None) -> Any:
    wide = library.initializers.RandomNormal(stddev=3, seed=units)
    return library.layers.Dense(units, activation, kernel_initializer=wide, name=name)


def said(model: KerasModel) -> str:
    return " ".join(each.message for each in model.findings if each.about == "output")


def heads(library: Any, kind: str) -> tuple[Any, Any]:
    """A network of several outputs, and what its scores are."""
    view, mean = trunk(library)
    match kind:
        case "features, then logits":
            scores = dense(library, 4)(mean)
            outputs: Any = [mean, scores]
        case "embedding, then logits":
            embedding = dense(library, 8)(mean)
            scores = dense(library, 4)(embedding)
            outputs = [embedding, scores]
        case "a dict":
            scores = dense(library, 4)(mean)
            outputs = {"features": dense(library, 8)(mean), "logits": scores}
        case "an age and a gender":
            scores = dense(library, 2, "softmax", "gender")(mean)
            outputs = [dense(library, 1, name="age")(mean), scores]
        case "an auxiliary head":
            scores = dense(library, 4, "softmax", "main")(mean)
            outputs = [dense(library, 4, "softmax", "aux")(mean), scores]
        case "maps beside it":
            scores = dense(library, 4, "softmax")(mean)
            outputs = [library.layers.Conv2D(2, 3)(view), scores]
    return library.Model(view, outputs), library.Model(view, scores)


@both
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("features, then logits", "which look most like class scores"),
        ("embedding, then logits", "which look most like class scores"),
        ("a dict", "'logits' (number 2), by its name"),
        ("an age and a gender", "the only one that ends in a softmax"),
        ("an auxiliary head", "'main' (number 2), by its name"),
        ("maps beside it", "the only one that is a row of numbers"),
    ],
)
@pytest.mark.parametrize("owned", [True, False])
def test_the_scores_are_found_among_outputs(library: Any, kind: str, why: str, owned: bool) -> None:
    network, scores = heads(library, kind)
    expected = np.asarray(scores(VIEWS))
    model = KerasModel(network, Options(preprocessing="unit"), owned=owned)
    logits = model.logits(VIEWS)
    if model.head.kind == "logits":
        np.testing.assert_allclose(logits, expected, atol=1e-4)
    else:
        np.testing.assert_allclose(model.head.probabilities(logits), expected, atol=1e-5)
    assert why in said(model)
    assert "(--output)" in said(model)
    assert [layer.kind for layer in model.layers()][:1] == ["Conv2D"]


@both
def test_another_may_be_asked_for(library: Any) -> None:
    network, _ = heads(library, "an age and a gender")
    name = "age"
    for asked in (name, "1"):
        model = KerasModel(network, Options(preprocessing="unit", output=asked))
        age = np.asarray(network(VIEWS)[0])[:, 0]
        np.testing.assert_allclose(np.ptp(model.logits(VIEWS), 1), np.abs(age), rtol=1e-4)
        assert not said(model)
    with pytest.raises(ParamError, match=r"--output must be one of the network's, 'age'.*got '3'"):
        KerasModel(network, Options(output="3"))
    maps, _ = heads(library, "maps beside it")
    with pytest.raises(ParamError, match=r"must be a row of class scores.*\[N, 14, 14, 2\]"):
        KerasModel(maps, Options(output="1"))
    names = Options(preprocessing="unit", classes=tuple("abcdefgh"))
    assert len(KerasModel(heads(library, "a dict")[0], names).labels) == 8


class Own(keras.Model):
    """Subclassed, with an answer of any form."""

    def __init__(self, form: str, activation: str | None = None) -> None:
        super().__init__()
        self.form = form
        self.first = keras.layers.Conv2D(5, 3, activation="tanh")
        self.end = keras.layers.Dense(4, activation)

    def call(self, x: Any) -> Any:
        mean = keras.ops.mean(self.first(x), (1, 2))
        scores = self.end(mean)
        match self.form:
            case "dict":
                return {"embedding": mean, "prediction": scores}
            case "tuple":
                return mean, scores
            case "nested":
                return {"aux": [mean], "out": {"logits": scores}}
        return scores


@pytest.mark.parametrize("activation", [None, "softmax"])
@pytest.mark.parametrize("form", ["dict", "tuple", "nested"])
def test_subclassed_networks_answer_in_any_form(form: str, activation: str | None) -> None:
    network = Own(form, activation)
    model = KerasModel(network, Options(preprocessing="unit", size=(SIDE, SIDE)), owned=True)
    mean = keras.ops.mean(network.first(VIEWS), (1, 2))
    linear = np.asarray(mean) @ np.asarray(network.end.kernel)  # the activation is off
    np.testing.assert_allclose(model.logits(VIEWS), linear, atol=1e-5)
    assert model.head.kind == (activation or "logits")
    assert "The network gives 2 outputs" in said(model)


class Squashed(keras.Model):
    """Ends in arithmetic, so that only its answers tell what they are."""

    def __init__(self, scale: float, squash: bool) -> None:
        super().__init__()
        self.end = keras.layers.Dense(1, kernel_initializer=keras.initializers.Constant(scale))
        self.squash = squash

    def call(self, x: Any) -> Any:
        score = self.end(keras.ops.mean(x, (1, 2))) + 0.2
        return keras.ops.sigmoid(score) if self.squash else score


@pytest.mark.parametrize("squash", [True, False])
def test_logits_between_0_and_1_are_no_sigmoid(squash: bool) -> None:
    network = Squashed(0.1, squash)
    size = Options(size=(SIDE, SIDE), preprocessing="unit")
    model = KerasModel(network, size, owned=True)
    answers = np.asarray(network(VIEWS))[:, 0]
    assert ((answers > 0) & (answers < 1)).all()
    z = np.log(answers / (1 - answers)) if squash else answers
    np.testing.assert_allclose(np.diff(model.logits(VIEWS))[:, 0], z, atol=1e-4)
    (head,) = [each for each in model.findings if each.about == "head"]
    assert head.level == "warning"
    asked = KerasModel(network, Options(size=(SIDE, SIDE), head="sigmoid"), owned=True)
    wanted = np.log(answers / (1 - answers))
    np.testing.assert_allclose(np.diff(asked.logits(VIEWS))[:, 0], wanted, atol=1e-4)


@both
@pytest.mark.parametrize("form", ["the name", "the number", "both"])
def test_scores_are_read_before_a_class_is_chosen(library: Any, form: str, tmp_path: Path) -> None:
    view, mean = trunk(library)
    chances = dense(library, 3, "softmax")(mean)
    argmax = keras.ops.argmax if library is keras else tf.argmax
    number = argmax(chances, -1)
    words = ["a cat", "a dog", "a fox"]
    lookup = library.layers.StringLookup(vocabulary=words, num_oov_indices=0, invert=True)
    name = number if form == "the number" else lookup(number)
    network = library.Model(view, [chances, name] if form == "both" else name)
    network.save(tmp_path / "net.keras")
    model = loader.load(tmp_path / "net.keras", Options(preprocessing="unit"), name="net")
    expected = np.asarray(library.Model(view, chances)(VIEWS))
    found = model.head.probabilities(model.logits(VIEWS))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    if form != "the number":
        assert model.labels == tuple(words)
        given = network(VIEWS)
        names = np.asarray(given[1] if form == "both" else given).tolist()
        assert [name.decode() for name in names] == [words[row] for row in expected.argmax(1)]
    if form != "both":
        assert "its scores are read before it chooses" in said(model)


def test_what_has_no_scores_is_refused() -> None:
    view, mean = trunk(keras)
    rounded = keras.layers.Lambda(lambda x: keras.ops.cast(x, "int32"))(mean)
    with pytest.raises(UnsupportedModel, match="the name or the number of a class"):
        KerasModel(keras.Model(view, rounded))


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_a_network_without_its_head_is_doubted(library: Any) -> None:
    layers = library.layers
    view = library.Input((16, 16, 3))
    maps = layers.Conv2D(6, 3, activation="relu")(view)
    body = library.Model(view, layers.GlobalAveragePooling2D()(maps))
    assert "ends in a GlobalAveragePooling2D layer" in said(KerasModel(body))
    nested = library.Model(view, layers.Flatten()(body(view)))
    assert "ends in a GlobalAveragePooling2D layer" in said(KerasModel(nested))
    # means over a convolution's scores are scores, and a head has its own layer
    scores = layers.Conv2D(4, 1)(maps)
    for whole in (layers.GlobalAveragePooling2D()(scores), layers.Dense(4)(body(view))):
        assert "without its head" not in said(KerasModel(library.Model(view, whole)))
