"""Folders: private, swept when their owner is dead, named by nobody but us."""

import os
import stat

import pytest

from workers import spool


def test_folders_are_private(tmp_path):
    wall = spool.make_wall(tmp_path)
    folder = spool.make_folder(wall, "session-")
    for made in (wall, folder):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert spool.make_folder(wall).name != spool.make_folder(wall).name


def test_the_sweep_takes_the_dead_only(tmp_path):
    born = spool._born(os.getpid())
    living = tmp_path / f"{spool.PREFIX}{os.getpid()}-{born}-00ff"
    reused = tmp_path / f"{spool.PREFIX}{os.getpid()}-{born + 1}-00ff"
    dead = tmp_path / f"{spool.PREFIX}{2**22 + 5}-77-00ff"
    strange = tmp_path / f"{spool.PREFIX}notes"
    for folder in (living, reused, dead, strange):
        folder.mkdir()
        (folder / "file").write_text("x")
    target = tmp_path / "target"
    target.mkdir()
    (target / "file").write_text("x")
    link = tmp_path / f"{spool.PREFIX}{2**22 + 6}-77-00ff"
    link.symlink_to(target)
    spool.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        living.name, strange.name, target.name, link.name,
    }  # fmt: skip
    assert (target / "file").exists()


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("model.pt", "model.pt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\models\\my model.h5", "my_model.h5"),
        (".hidden", "hidden"),
        ("", "file"),
        ("..", "file"),
        ("a\0b\n.pt", "a_b_.pt"),
        ("é" * 300 + ".keras", "_.keras"),
        ("x" * 300 + ".keras", "x" * 94 + ".keras"),
        ("-rf", "rf"),
    ],
)
def test_names_are_made_safe(name, safe):
    assert spool.safe_name(name) == safe
