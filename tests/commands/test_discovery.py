"""A command is one file, found by its name; its help is that file's first line."""

import json
import pkgutil
from pathlib import Path

import pytest

import cli
import commands
from xai_core import discovery

GREET = '''"""Greet somebody, 100 % politely."""


def flags(parser):
    """Take a name."""
    parser.add_argument("--name", default="you")


def run(args):
    """Return the greeting."""
    return {"said": f"Good day, {args.name}"}
'''


@pytest.fixture
def extension(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a package with one command outside the tree."""
    place = tmp_path / "polite_people" / "commands"
    place.mkdir(parents=True)
    (place.parent / "__init__.py").touch()
    (place / "__init__.py").touch()
    (place / "greet_them.py").write_text(GREET)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(discovery.EXTENSIONS, "polite_people")
    discovery.find.cache_clear()
    yield
    discovery.find.cache_clear()


def test_every_file_is_a_command() -> None:
    files = {module.name for module in pkgutil.iter_modules(commands.__path__)}
    named = {name.replace("_", "-") for name in files if not name.startswith("_")}
    assert set(commands.commands()) == named
    assert {"models", "methods", "inspect", "predict", "explain"} <= named
    assert all(command.help for command in commands.commands().values())


@pytest.mark.usefixtures("extension")
def test_a_command_of_an_extension_is_one_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["greet-them", "--name", "Ada"]) == 0
    assert json.loads(capsys.readouterr().out) == {"said": "Good day, Ada"}
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    assert "greet somebody, 100 % politely" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("name", commands.commands())
def test_each_command_explains_itself(capsys: pytest.CaptureFixture[str], name: str) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([name, "--help"])
    assert stop.value.code == 0
    assert f"cli.py {name}" in capsys.readouterr().out


def test_flags_stand_under_their_headings(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["inspect", "--help"])
    shown = capsys.readouterr().out
    parts = [shown.index(f"\n{heading}:") for heading in ("pre-processing", "how it is read")]
    assert parts == sorted(parts)
    for flag in ("--size HxW", "--fit stretch|crop|pad", "--classes FILE", "--head logits|"):
        assert flag in shown
    assert "--framework" not in shown
