"""ONNX files whose weights lie in others, through the real wall: theirs and nobody else's."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from loaders.preprocessing import Options
from tests.hostile.attack import SECRET
from tests.hostile.onnx_files import _network
from workers.client import Session, Wall
from xai_core.errors import LoadError, NeedsFiles, VitrineError

PHOTO = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)


@pytest.fixture
def session(wall: Wall) -> Any:
    made = wall.session("weights")
    yield made
    made.close()


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    onnx.save_model(
        _network(),
        tmp_path / "net.onnx",
        save_as_external_data=True,
        location="net.onnx.data",
        size_threshold=0,
    )
    return tmp_path / "net.onnx"


def answer(session: Session, path: Path) -> tuple[str, Any]:
    handle = session.open(path, Options(), name="net.onnx")
    card = handle.loading.result(60)
    return card.hash, handle.predict(PHOTO).result(60).logits


def test_they_are_asked_for_and_read_beside_the_model(session: Session, sent: Path) -> None:
    kept = session.add_file("net.onnx", sent)
    assert session.companions(kept).result(60).names == ("net.onnx.data",)
    with pytest.raises(NeedsFiles, match=r"'net\.onnx\.data' did not come with it"):
        answer(session, kept)
    session.add_beside(kept, "net.onnx.data", sent.parent / "net.onnx.data")
    first, logits = answer(session, kept)
    whole = sent.with_name("whole")
    onnx.save(_network(), whole)
    _, expected = answer(session, session.add_file("whole.onnx", whole))
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    # other weights are another model
    data = np.fromfile(sent.parent / "net.onnx.data", np.float32)
    (data / 2).tofile(sent.parent / "net.onnx.data")
    session.add_beside(kept, "net.onnx.data", sent.parent / "net.onnx.data")
    assert answer(session, kept)[0] != first


def test_a_file_of_the_sessions_own_is_moved(session: Session, sent: Path) -> None:
    kept = session.add_file("net.onnx", sent)
    weights = session.add_file("upload", sent.parent / "net.onnx.data")
    place = session.add_beside(kept, "../net.onnx.data", weights)
    assert place.parent == kept.parent
    assert not weights.parent.exists()
    answer(session, kept)


def test_neither_links_nor_others_files_come_along(
    session: Session, sent: Path, secret: Path
) -> None:
    kept = session.add_file("net.onnx", sent)
    link = sent.with_name("link")
    link.symlink_to(secret)
    with pytest.raises(LoadError, match="link is a link, which is not followed"):
        session.add_beside(kept, "net.onnx.data", link)
    os.mkfifo(sent.with_name("pipe"))
    with pytest.raises(LoadError, match="pipe is no plain file"):
        session.add_beside(kept, "net.onnx.data", sent.with_name("pipe"))
    with pytest.raises(LoadError, match="the model's own name"):
        session.add_beside(kept, "net.onnx", link)


@pytest.mark.parametrize(
    "entries",
    [
        {"location": "OTHER"},
        {"location": "ABSOLUTE"},
        {"location": "net.onnx.data\0/../x"},
        {"location": "x" * 1_000_000},
        {"location": "."},
        {"offset": str(1 << 50)},
        {"length": str(1 << 50)},
        {"offset": "1e3"},
    ],
)
def test_what_a_graph_says_of_places_reaches_nothing(
    session: Session, sent: Path, secret: Path, entries: dict[str, str]
) -> None:
    kept = session.add_file("net.onnx", sent)
    places = {"OTHER": os.path.relpath(secret, kept.parent), "ABSOLUTE": str(secret)}
    made = onnx.load(sent, load_external_data=False)
    for tensor in made.graph.initializer:
        if tensor.name == "dense":
            tensor.data_type, tensor.dims[:] = TensorProto.UINT8, [8]
        held = {row.key: row.value for row in tensor.external_data} | entries
        held["location"] = places.get(held["location"], held["location"])
        del tensor.external_data[:]
        for key, value in held.items():
            tensor.external_data.add(key=key, value=value)
    kept.write_bytes(made.SerializeToString())
    session.add_beside(kept, "net.onnx.data", sent.parent / "net.onnx.data")
    with pytest.raises(VitrineError) as refused:
        answer(session, kept)
    with contextlib.suppress(VitrineError):  # or its names are plain, and its places measured later
        assert session.companions(kept).result(60).names == ("net.onnx.data",)
    said = str(refused.value)
    assert SECRET[:8] not in said + refused.value.detail
    assert said.isprintable()
    assert len(said) < 700
