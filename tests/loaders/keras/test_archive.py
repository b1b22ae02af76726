"""Keras files read with no framework: what is damaged or hostile is refused in a sentence."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

from loaders.keras import archive
from xai_core.errors import LoadError, NeedsArchitecture

CONFIG = {
    "class_name": "Sequential",
    "config": {"layers": [{"class_name": "Dense", "config": {"name": "dense", "units": 3}}]},
}


def weights(shape=(4, 3), **options):
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        h5.create_dataset("layers/dense/vars/0", shape, "f4", **options)
        if np.prod(shape) < 1e6:
            h5["layers/dense/vars/0"][:] = 1
    return file.getvalue()


def zipped(path, config=CONFIG, data=None, method=zipfile.ZIP_STORED, **more):
    members = {
        "metadata.json": json.dumps({"keras_version": "3.9.0"}),
        "config.json": config if isinstance(config, str) else json.dumps(config),
        "model.weights.h5": weights() if data is None else data,
        **more,
    }
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            if content is not False:
                archive.writestr(name, content)
    return path


def hdf5(path, config=CONFIG, shape=(4, 3), **options):
    with h5py.File(path, "w") as h5:
        h5.attrs["keras_version"] = "2.0.5"
        if config is not None:
            h5.attrs["model_config"] = json.dumps(config).encode()
        h5.create_dataset("model_weights/dense/kernel", shape, "f4", **options)
        h5["model_weights/dense/kernel"][:1] = 1
    return path


def refusal(path):
    with pytest.raises(LoadError) as refused:
        archive.read(path)
    return str(refused.value)


def test_both_kinds_are_told_by_content(tmp_path):
    held = archive.read(zipped(tmp_path / "model.bin"))
    assert (held.kind, held.elements, held.written_by) == ("keras-zip", 12, "Keras 3.9.0")
    assert held.config == CONFIG
    held = archive.read(hdf5(tmp_path / "model.keras"))
    assert (held.kind, held.elements, held.written_by) == ("hdf5", 12, "Keras 2.0.5")


def test_training_settings_are_left_out(tmp_path):
    config = {**CONFIG, "compile_config": {"loss": {"class_name": "MyLoss"}}}
    assert archive.read(zipped(tmp_path / "m.keras", config)).config == CONFIG


def test_text_is_refused(tmp_path):
    (tmp_path / "model.h5").write_text("these are not weights")
    assert "neither a Keras archive nor an HDF5 file" in refusal(tmp_path / "model.h5")


def test_weights_only_says_the_way_out(tmp_path):
    said = refusal(hdf5(tmp_path / "m.h5", None))
    assert "weights without their network" in said
    assert "model.save('model.keras')" in said


@pytest.mark.parametrize("part", [0.02, 0.5, 0.97])
def test_cut_short(tmp_path, part):
    for path in (hdf5(tmp_path / "m.h5", shape=(4000, 3)), zipped(tmp_path / "m.keras")):
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * part)])
        assert "damaged" in refusal(path)


def test_weights_damaged_inside_the_archive(tmp_path):
    path = zipped(tmp_path / "m.keras", data=weights()[:700])
    assert "weights are damaged" in refusal(path)


def test_missing_members(tmp_path):
    assert "holds no config.json" in refusal(zipped(tmp_path / "m.keras", **{"config.json": False}))


def test_members_twice(tmp_path):
    path = zipped(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", "{}")
    assert "some of them twice" in refusal(path)


@pytest.mark.parametrize("config", ["[1]", "nonsense", "[" * 100_000])
def test_a_configuration_that_is_no_json_object(tmp_path, config):
    assert "config.json is not the JSON" in refusal(zipped(tmp_path / "m.keras", config))


def test_zip_bomb(tmp_path):
    path = zipped(tmp_path / "m.keras", data=bytes(200 << 20), method=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20
    assert "would unpack to 200.0 MiB" in refusal(path)


@pytest.mark.parametrize("options", [{}, {"chunks": (1000, 1000), "compression": "gzip"}])
def test_weights_declared_and_never_written(tmp_path, options):
    shape = (32_000, 32_000)
    path = zipped(tmp_path / "m.keras", data=weights(shape, **options))
    assert path.stat().st_size < 64_000
    assert "declares weights of 3.8 GiB" in refusal(path)


def test_a_layer_of_more_units_than_any_array_has(tmp_path):
    config = json.loads(json.dumps(CONFIG).replace("3}", "32000}"))
    for path in (zipped(tmp_path / "m.keras", config), hdf5(tmp_path / "m.h5", config)):
        assert "declares a Dense of 32,000 units" in refusal(path)


def test_links_out_of_the_file(tmp_path):
    secret = hdf5(tmp_path / "other.h5")
    path = hdf5(tmp_path / "m.h5")
    with h5py.File(path, "a") as h5:
        h5["model_weights/link"] = h5py.ExternalLink(str(secret), "/model_weights/dense/kernel")
    assert "points elsewhere at model_weights/link" in refusal(path)


def test_weights_stored_outside_the_file(tmp_path):
    (tmp_path / "raw").write_bytes(bytes(1000))
    path = hdf5(tmp_path / "m.h5")
    with h5py.File(path, "a") as h5:
        h5.create_dataset("outside", (100,), "f4", external=[(str(tmp_path / "raw"), 0, 400)])
    assert "lie outside the file" in refusal(path)


def bare(path, **arrays):
    with h5py.File(path, "w") as h5:
        for name, values in arrays.items():
            h5[name.replace("__", "/")] = values
    return path


def test_a_file_of_data_is_no_weights(tmp_path):
    path = bare(tmp_path / "a", x_train=np.zeros((9, 8, 8, 3), np.uint8), y=np.zeros(9, int))
    assert "holds data ('x_train', 9 x 8 x 8 x 3; 'y', 9)" in refusal(path)
    path = bare(tmp_path / "b", images=np.zeros((9, 8, 8, 3), np.float32))
    assert "holds data ('images', 9 x 8 x 8 x 3) and neither a network nor weights" in refusal(path)
    assert "holds no numbers" in refusal(bare(tmp_path / "c"))
    assert "holds no numbers" in refusal(bare(tmp_path / "d", text=["a", "b"]))
    for name in ("layers__dense__vars__0", "dense__dense__kernel:0", "g__gamma"):
        path = bare(tmp_path / "e", **{name: np.ones((4, 3), np.float32)})
        with pytest.raises(NeedsArchitecture, match="weights without their network"):
            archive.read(path)


def test_weights_that_cannot_be_read_are_damaged(tmp_path):
    values = np.random.default_rng(0).random((400, 30)).astype(np.float32)
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as h5:
        h5.create_dataset("dense/kernel", data=values, chunks=(40, 30), compression="gzip")
    data = bytearray(path.read_bytes())
    data[12_000:12_400] = bytes(400)
    path.write_bytes(bytes(data))
    assert "is damaged or was cut short" in refusal(path)


def test_a_name_that_is_no_text(tmp_path):
    path = tmp_path / "m.h5"
    for whole in (False, True):
        with h5py.File(path, "w") as h5:
            if whole:
                h5.attrs["model_config"] = json.dumps(CONFIG)
            h5["d\u00e9nse/kernel"] = np.ones((4, 3), np.float32)
        path.write_bytes(path.read_bytes().replace("d\u00e9nse".encode(), b"d\xff\xfense"))
        assert "damaged" in refusal(path)


def test_the_json_of_another_network_is_named(tmp_path):
    path = bare(tmp_path / "m", dense__kernel=np.ones((4, 7), np.float32))
    with pytest.raises(LoadError, match="JSON is another network's: its Dense 'dense' has 3 units"):
        archive.read(path, json.dumps(CONFIG))


def test_names_of_classes_are_found(tmp_path):
    lookup = {
        "module": "keras.layers",
        "class_name": "StringLookup",
        "config": {"name": "words", "vocabulary": ["a", "b", "c"], "num_oov_indices": 1},
    }
    config = json.loads(json.dumps(CONFIG))
    config["config"]["layers"].append(lookup)
    config["config"]["class_names"] = ["x", "y", "z"]
    held = archive.read(zipped(tmp_path / "m.keras", config))
    found = [(where.split(" ")[1], names) for where, names in held.names]
    assert found == [
        ("lookup", ["a", "b", "c"]),
        ("lookup", ["[UNK]", "a", "b", "c"]),
        ("configuration's", ["x", "y", "z"]),
    ]
    words = {"assets/layers/string_lookup/vocabulary.txt": "cat\ndog\n"}
    held = archive.read(zipped(tmp_path / "n.keras", **words))
    assert [names for _, names in held.names] == [["cat", "dog"], ["[UNK]", "cat", "dog"]]
    path = hdf5(tmp_path / "m.h5")
    with h5py.File(path, "a") as h5:
        h5.attrs["class_names"] = ["cat", "dog", "fox"]
        h5.attrs["labels"] = json.dumps({"0": "cat"})
        h5.attrs["classes"] = np.arange(3)
    found = dict(archive.read(path).names)
    assert found["the file's attribute 'class_names'"] == ["cat", "dog", "fox"]
    assert found["the file's attribute 'labels'"] == '{"0": "cat"}'
    assert len(found) == 2
