"""The published sets: their addresses, and small ones of their formats, read as they were made."""

import dataclasses
import gzip

import numpy as np
import pytest

from loaders import digit_sets
from xai_core.errors import LoadError
from xai_core.training.samples import split


@pytest.fixture
def small(monkeypatch):
    """Make the sets small ones; return their pictures and classes."""
    monkeypatch.setattr(digit_sets, "LEARNED", 60)
    monkeypatch.setattr(digit_sets, "HELD", 50)
    rng = np.random.default_rng(0)
    x, held_x = (rng.integers(0, 256, (n, 28, 28)).astype(np.uint8) for n in (60, 50))
    y, held_y = ((np.arange(n) % 10).astype(np.uint8) for n in (60, 50))
    return x, y, held_x, held_y


def packed(array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(head + array.tobytes())


def files(kind, parts, folder):
    """Write a set as its publisher does."""
    if kind == "mnist":
        path = folder / "mnist.npz"
        names = ("x_train", "y_train", "x_test", "y_test")
        np.savez_compressed(path, **dict(zip(names, parts, strict=True)))
        return (path,)
    paths = tuple(folder / str(at) for at in range(4))
    for path, part in zip(paths, parts, strict=True):
        path.write_bytes(packed(part))
    return paths


@pytest.mark.parametrize("kind", ["mnist", "fashion"])
def test_a_set_is_read_and_its_own_held_out_part_is_held_out(kind, small, tmp_path):
    x, y, held_x, held_y = small
    made = digit_sets.read(kind, files(kind, small, tmp_path))
    assert np.array_equal(made.x, np.concatenate([x, held_x]).reshape(-1, 784))
    assert (made.held, made.sides, len(made.classes)) == (50, (28, 28), 10)
    data = split(made)
    assert np.array_equal(data.x, x.reshape(-1, 784))
    assert np.array_equal(data.y, y)
    assert np.array_equal(np.bincount(data.held_y), np.bincount(held_y))
    shown = {each.tobytes() for each in data.held_x}
    assert shown == {each.tobytes() for each in held_x}
    # ten or all of each class, sorted by class
    assert np.array_equal(data.held_y[data.probes], np.repeat(np.arange(10), 5))


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda data: data[:-9], "damaged|not as long"),
        (lambda data: gzip.compress(gzip.decompress(data) + b"x"), "not as long"),
        (lambda data: b"no", "damaged"),
        (lambda data: gzip.compress(bytes(200_000_000)), "not as long"),
    ],
)
def test_a_file_of_another_length_is_refused(break_it, words, small, tmp_path):
    paths = files("fashion", small, tmp_path)
    paths[0].write_bytes(break_it(paths[0].read_bytes()))
    with pytest.raises(LoadError, match=words):
        digit_sets.read("fashion", paths)


def test_a_set_of_other_sides_is_refused(small, tmp_path):
    x, y, held_x, held_y = small
    paths = files("mnist", (x[:59], y[:59], held_x, held_y), tmp_path)
    with pytest.raises(LoadError, match="its sides differ"):
        digit_sets.read("mnist", paths)
    (tmp_path / "mnist.npz").write_bytes(b"no archive")
    with pytest.raises(LoadError, match="cannot be read"):
        digit_sets.read("mnist", paths)


def test_what_is_fetched_is_hashed_and_lies_under_https():
    names = [each.url.rsplit("/", 1)[-1] for found in digit_sets.SETS for each in found.files]
    assert len(names) == len(set(names))  # they share a folder
    for found in digit_sets.SETS:
        for each in found.files:
            kind, _, digits = each.checksum.partition(":")
            assert each.url.startswith("https://")
            assert len(digits) == {"md5": 32, "sha256": 64}[kind]
            assert dataclasses.asdict(each)["otherwise"] == digit_sets.BUILT_IN
