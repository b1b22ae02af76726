"""Networks that were saved to run as in training say so by how their layers are called."""

import keras
import numpy as np
import pytest
import tf_keras

from loaders.keras import modes

VIEWS = np.random.default_rng(0).random((1, 16, 16, 3), np.float32)
LIBRARIES = {"keras": keras, "tf_keras": tf_keras}


@pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)
def test_training_is_found_in_the_graph(library, tmp_path):
    layers = library.layers

    def network(**call):
        view = library.Input((16, 16, 3))
        maps = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 3)(view), **call)
        return library.Model(view, layers.GlobalAveragePooling2D()(maps), name="inner")

    def around(inner, drop=None, **call):
        view = library.Input((16, 16, 3))
        means = layers.Dropout(0.5, name="drop")(inner(view, **call), **(drop or {}))
        return library.Model(view, layers.Dense(2)(means))

    for model, named in (
        (around(network()), ""),
        (around(network(), training=False), ""),
        (around(network(), drop={"training": False}), ""),
        (around(network(), drop={"training": True}), "'drop'"),
        (around(network(), training=True), "'inner'"),
        (around(network(training=True)), "'norm'"),
    ):
        model.save(tmp_path / "m.keras")
        for each in (model, library.models.load_model(tmp_path / "m.keras")):
            reason = modes.in_training(each)
            if library is tf_keras:
                wanted = f"the file says that {named} be called with training=True"
                assert reason == (named and wanted)
            else:
                assert not reason
                runs = [np.asarray(each(VIEWS, training=False)) for _ in range(2)]
                np.testing.assert_array_equal(*runs)
