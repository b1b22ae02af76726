"""Declarations: each kind reads, checks and prints its values, and says its rule."""

import dataclasses
from typing import Any

import pytest

from xai_core import params
from xai_core.errors import ParamError
from xai_core.perturb import BASELINES


def _read(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _check(names: Any) -> None:
    if not names:
        raise ParamError("--names must have one name at least")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Every:
    """One field of each kind."""

    count: int = params.number(3, 1, 9, unit="px")
    share: float = params.number(0.25, -1.0, 1.0)
    mode: str = params.choice("slow", ("slow", "fast"))
    on: bool = params.switch(True)
    layer: str = params.layer()
    may_be: str | None = params.maybe(("one", "two"))
    side: int | None = params.whole(16, 4096, unit="pixels")
    note: str = params.text(5)
    size: tuple[int, int] | None = params.pair(16, 2048, unit="pixels")
    mean: tuple[float, ...] | None = params.numbers(-4, 4, hint="divide by 255")
    names: tuple[str, ...] | None = params.names(_read, _check, file="names.txt")
    seed: int = params.seed("walks")


DECLARED = params.declared(Every)


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("count", 7, "7"),
        ("share", -0.5, "-0.5"),
        ("share", 103.939 / 255, "0.4076039215686274"),
        ("mode", "fast", "fast"),
        ("on", False, "off"),
        ("layer", "features.3", "features.3"),
        ("may_be", "two", "two"),
        ("side", 256, "256"),
        ("note", "a b", "a b"),
        ("size", (64, 96), "64x96"),
        ("mean", (0.1, -0.2, 103.939 / 255), "0.1,-0.2,0.4076039215686274"),
    ],
)
def test_what_is_printed_reads_back(name: str, value: Any, word: str) -> None:
    param = DECLARED[name]
    assert param.word(value) == word
    assert param.parse("", word) == value
    words = param.words(value)
    assert words == ([f"--{name}={word}"] if word[0] == "-" else [param.flag, word])


def test_a_file_is_printed_by_its_name() -> None:
    assert DECLARED["names"].words(("a", "b")) == ["--names", "names.txt"]
    assert DECLARED["names"].parse("", "a b") == ("a", "b")
    with pytest.raises(ParamError, match="--names must have one name at least"):
        DECLARED["names"].parse("", "")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("count", "10", "must be from 1 to 9 px, got '10'"),
        ("count", "1_0", "must be from 1 to 9 px, got '1_0'"),
        ("share", "nan", "must be from -1 to 1, got 'nan'"),
        ("mode", "Fast", "must be one of slow, fast, got 'Fast'"),
        ("on", "yes", "must be true or false, got 'yes'"),
        ("may_be", "three", "must be one of one, two, got 'three'"),
        ("side", "big", "must be a whole number from 16 to 4096 pixels, got 'big'"),
        ("note", "abcdef", "must be text of at most 5 characters, got 6"),
        ("size", "64x", "must be HEIGHTxWIDTH in pixels from 16 to 2048, got '64x'"),
        ("size", "15", "must be HEIGHTxWIDTH in pixels from 16 to 2048, got '15'"),
        (
            "mean",
            "1,2",
            "must be one number or one for each channel, with commas, from -4 to 4 "
            "(divide by 255), got '1,2'",
        ),
    ],
)
def test_a_refusal_names_the_flag_or_the_owner(name: str, text: str, said: str) -> None:
    for owner, named in (("", DECLARED[name].flag), ("Every", f"Every.{name}")):
        with pytest.raises(ParamError) as caught:
            DECLARED[name].parse(owner, text)
        assert str(caught.value) == f"{named} {said}"


def test_what_was_not_asked_is_none() -> None:
    for name, param in DECLARED.items():
        made = dataclasses.replace(Every(), **{name: param.default})
        params.validate(made)
        if not param.optional:
            with pytest.raises(ParamError, match=f"^Every.{name} must be"):
                params.validate(dataclasses.replace(Every(), **{name: None}))


def test_fills_are_the_baselines_in_words() -> None:
    assert set(params.FILLS) == {"value", "segment", "inpainted", *BASELINES}

    @dataclasses.dataclass
    class Method:
        hide: str = params.fill("a tile", ("blur", "black", "mean"), engines=("ours",))

    hide = params.declared(Method)["hide"]
    assert hide.help == (
        "What is seen in the place of a tile: the blurred photo, black, or the photo's mean colour."
    )
    assert (hide.default, hide.engines, hide.title) == ("blur", ("ours",), "Hide with")


def test_a_seed_says_what_it_draws() -> None:
    assert DECLARED["seed"].help.startswith("Draws the random walks.")
    assert (DECLARED["seed"].lo, DECLARED["seed"].hi) == (0, 2**31 - 1)
