"""A photo's hash is its own, also where it is known already."""

import hashlib

import numpy as np

from xai_core import hashes
from xai_core.hashes import hash_of


def said(pixels):
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def test_a_photo_that_can_change_is_read_each_time():
    pixels = np.zeros((4, 5, 3), np.uint8)
    assert hash_of(pixels) == said(pixels)
    pixels[0, 0, 0] = 1
    assert hash_of(pixels) == said(pixels)


def test_a_view_is_read_each_time():
    whole = np.zeros((4, 5, 3), np.uint8)
    view = whole[:2]
    view.setflags(write=False)
    first = hash_of(view)
    whole[0] = 7
    assert hash_of(view) == said(view) != first


def test_a_read_only_photo_is_read_once_and_forgotten_with_it(monkeypatch):
    count = len(hashes._known)
    made = []
    own = hashlib.sha256
    monkeypatch.setattr(hashes.hashlib, "sha256", lambda *a: made.append(1) or own(*a))
    for value in range(20):  # their places in memory are used again
        pixels = np.full((4, 5, 3), value, np.uint8)
        pixels.setflags(write=False)
        made.clear()
        first = hash_of(pixels)
        assert (hash_of(pixels), len(made)) == (first, 1)
        assert first == said(pixels)
        del pixels
    assert len(hashes._known) == count
