"""A reader's own samples: NPZ and ZIP, and what is refused with a sentence."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from loaders import samples as module
from loaders.samples import read
from xai_core.errors import LoadError, ParamError
from xai_core.training.samples import split

RNG = np.random.default_rng(0)


def npz(**arrays):
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def pictures(sizes=((12, 10),), each=20, names=("cat", "dog")):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for place, name in enumerate(names):
            for at in range(each):
                size = sizes[at % len(sizes)]
                shade = np.full((size[1], size[0], 3), 40 + 100 * place, np.uint8)
                file = io.BytesIO()
                Image.fromarray(shade).save(file, "PNG")
                archive.writestr(f"all/{name}/{at}.png", file.getvalue())
        archive.writestr("__MACOSX/all/cat/._0.png", b"no picture")
        archive.writestr("readme.txt", b"hello")
    return out.getvalue()


Y = np.arange(60) % 3
X = RNG.integers(0, 256, (60, 8, 6), dtype=np.uint8)


def test_arrays_are_read_as_they_are():
    found = read(npz(x=X, y=Y), "own.npz")
    assert np.array_equal(found.x, X.reshape(60, -1))
    assert (found.sides, found.classes, found.word) == ((8, 6), ("0", "1", "2"), "own.npz")
    names = np.array(["ant", "bee", "fly"])[Y]
    found = read(npz(X=X / np.float32(255), y=names), "own.npz")
    assert np.array_equal(found.x, X.reshape(60, -1))
    assert found.classes == ("ant", "bee", "fly")
    assert np.array_equal(found.y, Y)
    flat = read(npz(x=X.reshape(60, -1)[:, :36], y=Y), "own.npz")
    assert flat.sides == (6, 6)
    row = read(npz(x=X.reshape(60, -1)[:, :7], y=Y), "own.npz")
    assert row.sides == (1, 7)


def test_a_folder_is_read_as_its_zip_in_whatever_order_it_comes(monkeypatch):
    with zipfile.ZipFile(io.BytesIO(pictures())) as archive:
        parts = [
            (name.removeprefix("all/"), archive.read(name))
            for name in archive.namelist()
            if module.pictured(name)
        ]
    one = read(module.packed(parts, "own"), "own")
    two = read(module.packed(parts[::-1], "own"), "own")
    expected = read(pictures(), "own.zip")
    for name in ("x", "y"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
    assert one.classes == expected.classes
    assert np.array_equal(np.sort(one.x.mean(1)), np.sort(expected.x.mean(1)))
    monkeypatch.setattr(module, "MOST", 3)
    with pytest.raises(LoadError, match="own has more than 64 MB or 3 pictures"):
        module.packed(parts, "own")


def test_pictures_are_read_by_their_folders():
    found = read(pictures(), "own.zip")
    assert (found.sides, found.classes) == ((10, 12), ("cat", "dog"))
    assert np.bincount(found.y).tolist() == [20, 20]
    assert set(found.x[found.y == 0].ravel()) == {40}
    mixed = read(pictures(sizes=((12, 10), (100, 90))), "own.zip")
    assert mixed.sides == (28, 28)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"not a zip", "is no NPZ and no ZIP"),
        (npz(a=X), "must hold the arrays x and y; it holds a"),
        (npz(x=X, y=Y[:-1]), "a row for each sample"),
        (npz(x=X, y=np.array([{}] * 60, object)), "cannot be read"),
        (npz(x=X.astype(float) - 9, y=Y), "values from -9"),
        (npz(x=np.where(X > 9, np.nan, X), y=Y), "values from nan"),
        (npz(x=X, y=Y.astype(float)), "whole numbers or names"),
        (npz(x=X[:20], y=Y[:20]), "has 20 samples; a training takes from 40"),
        (npz(x=X, y=Y * 0), "has 1 class; "),
        (npz(x=X, y=np.r_[Y[:-1], 9]), "has 1 sample of '9'"),
        (npz(x=np.zeros((60, 70, 70), np.uint8), y=Y), "samples of 4,900 numbers"),
        (pictures(names=("cat",), each=50), "has 1 class; "),
    ],
)
def test_what_cannot_be_learned_from_is_a_sentence(data, said):
    with pytest.raises((LoadError, ParamError), match=said):
        read(data, "own.npz")


def test_bombs_are_refused_before_they_are_unpacked(monkeypatch):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(module.EACH + 1))
        archive.writestr("y.npy", b"")
    with pytest.raises(LoadError, match="has more than 96 MB"):
        read(out.getvalue(), "own.npz")
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "|u1", "fortran_order": False, "shape": (1 << 40, 4)}
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("x.npy", head.getvalue())
        archive.writestr("y.npy", head.getvalue())
    with pytest.raises(LoadError, match="an array of another length"):
        read(out.getvalue(), "own.npz")
    monkeypatch.setattr(module, "UNPACKED", 1000)
    with pytest.raises(LoadError, match="unpacks to more than"):
        read(npz(x=X, y=Y), "own.npz")


def test_the_split_holds_a_fifth_of_each_class_back():
    found = read(npz(x=X, y=Y), "own.npz")
    parts = split(found)
    assert np.bincount(parts.held_y).tolist() == [4, 4, 4]
    assert np.bincount(parts.y).tolist() == [16, 16, 16]
    assert (np.diff(parts.held_y[parts.probes]) >= 0).all()
    every = np.concatenate([parts.x, parts.held_x])
    assert sorted(map(bytes, every)) == sorted(map(bytes, found.x))
