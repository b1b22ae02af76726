"""Weights in other files: found by name in the model's folder, measured, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from loaders.load import load
from loaders.onnx.assemble import assembled
from loaders.onnx.graph import holds_graph, inspect
from loaders.onnx.session import session
from loaders.preprocessing import Options
from tests.loaders.onnx.graphs import WEIGHTS, first, model, node, said, tail, theirs, views
from xai_core.errors import LoadError, NeedsFiles


def written(folder: Path, *, one: bool = True, place: str = "model.onnx.data") -> np.ndarray:
    """Write a model with its weights outside, and return what onnxruntime says."""
    made = model(tail())
    (folder / "plain").write_bytes(made.SerializeToString())
    given = theirs(folder / "plain", first(views()))
    (folder / "plain").unlink()
    onnx.save_model(
        made,
        folder / "model.onnx",
        save_as_external_data=True,
        all_tensors_to_one_file=one,
        location=place if one else None,
        size_threshold=0,
    )
    return given


@pytest.mark.parametrize("place", ["model.onnx.data", "my weights (1).bin", "./w"])
def test_one_file_beside_the_model(tmp_path: Path, place: str) -> None:
    given = written(tmp_path, place=place.removeprefix("./"))
    if place.startswith("./"):
        relocated(tmp_path, location=place)
    loaded = load(tmp_path / "model.onnx", Options(), name="m")
    np.testing.assert_allclose(loaded.logits(views()), given, atol=1e-5)
    assert loaded.parameters == sum(value.size for value in WEIGHTS.values())
    assert loaded.activations(views(), "kept").shape == (2, 15, 15, 5)


def test_a_file_for_each_tensor(tmp_path: Path) -> None:
    given = written(tmp_path, one=False)
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", "kernel", "dense"}
    loaded = load(tmp_path / "model.onnx", Options(), name="m")
    np.testing.assert_allclose(loaded.logits(views()), given, atol=1e-5)
    (tmp_path / "dense").unlink()
    with pytest.raises(NeedsFiles, match=r"in 2 other files, and 'dense' did not come with it"):
        load(tmp_path / "model.onnx", Options(), name="m")


def test_files_under_safe_names_are_found(tmp_path: Path) -> None:
    given = written(tmp_path, place="onnx::w/1".replace("/", " "))
    (tmp_path / "onnx::w 1").rename(tmp_path / "onnx_w_1")
    loaded = load(tmp_path / "model.onnx", Options(), name="m")
    np.testing.assert_allclose(loaded.logits(views()), given, atol=1e-5)


def test_a_missing_file_is_asked_for_by_its_name(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "model.onnx.data").unlink()
    with pytest.raises(NeedsFiles, match=r"a second file, and 'model.onnx.data' did not come"):
        load(tmp_path / "model.onnx", Options(), name="m")


def test_a_renamed_file_of_just_the_size_is_taken_and_said(tmp_path: Path) -> None:
    given = written(tmp_path)
    (tmp_path / "model.onnx.data").rename(tmp_path / "best.data")
    loaded = load(tmp_path / "model.onnx", Options(), name="m")
    np.testing.assert_allclose(loaded.logits(views()), given, atol=1e-5)
    assert "warning: The graph keeps its weights in 'model.onnx.data', and 'best.data'" in said(
        loaded, "weights"
    )
    (tmp_path / "best.data").write_bytes(b"1234")
    with pytest.raises(NeedsFiles):
        load(tmp_path / "model.onnx", Options(), name="m")


def relocated(folder: Path, **entries: str) -> None:
    """Change what the graph says of where its second tensor lies."""
    made = onnx.load(folder / "model.onnx", load_external_data=False)
    tensor = made.graph.initializer[-1]
    held = {row.key: row.value for row in tensor.external_data} | entries
    if set(entries) == {"location"}:
        for other in made.graph.initializer:
            for row in other.external_data:
                row.value = entries["location"] if row.key == "location" else row.value
    del tensor.external_data[:]
    for key, value in held.items():
        tensor.external_data.add(key=key, value=value)
    (folder / "model.onnx").write_bytes(made.SerializeToString())


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ({"offset": "4096"}, r"bytes 4,096 to 4,176 of a file that has"),
        ({"length": "8"}, r"8 bytes where its numbers take 80"),
        ({"length": str(10**14)}, r"100,000,000,000,000 bytes where its numbers take 80"),
        ({"length": "9" * 400}, r"gives their length as '9+', which is no number"),
        ({"offset": "-8"}, r"gives their offset as '-8'"),
        ({"location": "../secret"}, r"'../secret', which is no file of its own folder"),
        ({"location": "/etc/passwd"}, "no file of its own folder"),
        ({"location": "sub/w"}, "no file of its own folder"),
        ({"location": "..\\w"}, "no file of its own folder"),
        ({"location": ".."}, "no file of its own folder"),
        ({"location": "a\0b"}, "no file of its own folder"),
        ({"location": "x" * 1_000_000}, "no file of its own folder"),
        ({"location": ""}, "no file of its own folder"),
    ],
)
def test_what_the_graph_says_is_measured(
    tmp_path: Path, entries: dict[str, str], sentence: str
) -> None:
    (tmp_path / "secret").write_bytes(bytes(1000))
    folder = tmp_path / "own"
    folder.mkdir()
    written(folder)
    relocated(folder, **entries)
    with pytest.raises(LoadError, match=sentence) as refused:
        load(folder / "model.onnx", Options(), name="m")
    assert len(str(refused.value)) < 600


def test_links_are_not_followed(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "model.onnx.data").rename(tmp_path / "elsewhere")
    (tmp_path / "model.onnx.data").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NeedsFiles):
        load(tmp_path / "model.onnx", Options(), name="m")


def test_names_that_become_one_are_refused(tmp_path: Path) -> None:
    written(tmp_path, place="w+1")
    relocated(tmp_path, location="w+1", offset="0")
    made = onnx.load(tmp_path / "model.onnx", load_external_data=False)
    made.graph.initializer[0].external_data[0].value = "w-+1"
    made.graph.initializer[1].external_data[0].value = "w-~1"
    (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(LoadError, match="whose names are too much alike"):
        load(tmp_path / "model.onnx", Options(), name="m")


@pytest.mark.parametrize("shift", [0, 1, 3])
def test_a_large_files_own_weights_stay_in_it(tmp_path: Path, shift: int) -> None:
    """They are read from where they are, at whatever place they begin."""
    wide = np.random.default_rng(5).standard_normal((64, 3, 17, 17)).astype(np.float32)
    table = np.random.default_rng(6).standard_normal((4, 64)).astype(np.float32)
    made = model(tail(), weights={"kernel": wide, "dense": table})
    made.doc_string = "x" * shift
    path = tmp_path / "m"
    path.write_bytes(made.SerializeToString())
    data = memoryview(path.read_bytes())
    graph = inspect(data)
    small = assembled(data, graph, path=path, stored={}, outputs=["kept"], large=1000)
    assert len(small) < 4_000 < wide.nbytes
    opened = session(small, tmp_path)
    found = opened.run(["y", "kept"], {"x": first(views())})
    np.testing.assert_allclose(found[0], theirs(path, first(views())), rtol=1e-4, atol=1e-4)
    assert found[1].shape == (2, 64, 8, 8)


def test_a_file_of_numbers_is_no_graph(tmp_path: Path) -> None:
    path = tmp_path / "m"
    for data, holds in (
        (model(tail()).SerializeToString(), True),
        (b"\x08\x08" + bytes(range(256)) * 4, False),
        (b"\x08", False),
        (b"", False),
        (b"\x08\x00" * 50_000, False),
    ):
        path.write_bytes(data)
        assert holds_graph(path) is holds


def test_weights_of_an_inner_graph_keep_their_name(tmp_path: Path) -> None:
    written(tmp_path)
    made: Any = onnx.load(tmp_path / "model.onnx", load_external_data=False)
    tensor = made.graph.initializer[0]
    made.graph.node.append(node("Constant", [], ["k"], value=tensor))
    for row in made.graph.node[-1].attribute[0].t.external_data:
        row.value = "odd name" if row.key == "location" else row.value
    (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
    (tmp_path / "odd_name").write_bytes((tmp_path / "model.onnx.data").read_bytes())
    with pytest.raises(LoadError, match="weights of an inner graph in 'odd name'"):
        load(tmp_path / "model.onnx", Options(), name="m")
