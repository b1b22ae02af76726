"""What will be done to a photo, out of what was asked and what the file or architecture says."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from loaders.options import Options
from loaders.preprocessing import Preprocessing, preset
from loaders.presets import PRESETS
from xai_core.checks import refusal
from xai_core.errors import UnsupportedModel
from xai_core.model import Finding

_BY_HAND = {"mean": "mean", "std": "deviation", "channels": "channels"}


def still_assumed(options: Options) -> str | None:
    """Say of which part of the values an assumption still speaks, before its own sentence.

    Empty for all of them, 'But for the mean, which was set by hand, ' for what is left, and None
    where the person said how photos are prepared.
    """
    if options.preprocessing != "auto" or None not in (options.mean, options.std):
        return None
    return _but_for(options)


def _by_hand(options: Options) -> list[str]:
    return [word for name, word in _BY_HAND.items() if getattr(options, name) is not None]


def _but_for(options: Options) -> str:
    given = _by_hand(options)
    if not given:
        return ""
    were = "was" if len(given) == 1 else "were"
    return f"But for the {' and the '.join(given)}, which {were} set by hand, "


def resolve(
    options: Options,
    recognised: Preprocessing | None,
    *,
    size: tuple[int, int],
    channels: int,
) -> tuple[Preprocessing, tuple[Finding, ...]]:
    """Return what will be done, and what its user should know of it.

    `recognised` is what the file or its architecture says, or None; `size` and `channels` are
    the network's own. Whatever was asked explicitly wins. A recognised resize before a crop keeps
    its ratio to the size; a crop that was asked for and not recognised takes all it can.
    Raises ParamError for what cannot serve the network, UnsupportedModel for its channels.
    """
    if channels not in (1, 3):
        raise UnsupportedModel(
            f"The network takes {channels} channels; a photo gives 1 (grey) or 3 (colours). "
            "Upload a network that was made for photos."
        )
    size = options.size or size
    start, findings = _start(options, recognised, size, channels)

    order = options.channels or start.channels
    if (order == "grey") != (channels == 1):
        rule = "grey for a network of 1 channel" if channels == 1 else "rgb or bgr for 3 channels"
        raise refusal("channels", rule, order)
    mean, std = start.mean, start.std
    if order != start.channels:
        # a preset's numbers belong to their colours and move with them
        mean, std = mean[::-1], std[::-1]
    if options.mean is not None:
        mean = _spread("mean", options.mean, channels)
    if options.std is not None:
        std = _spread("std", options.std, channels)
    same = (order, mean, std) == (start.channels, start.mean, start.std)
    fit = options.fit or ("crop" if options.resize else start.fit)
    resize = (options.resize or start.resize) if fit == "crop" else None
    if options.resize and options.resize < min(size):
        rule = f"at least the view's shorter side, {min(size)} px"
        raise refusal("resize", rule, options.resize)
    done = dataclasses.replace(
        start,
        name=start.name if same else "custom",
        channels=order,
        mean=mean,
        std=std,
        fit=fit,
        resize=resize,
        interpolation=options.interpolation or start.interpolation,
        why=start.why if same else f"{' and '.join(_by_hand(options))} set by hand",
    )
    return done, findings


def _start(
    options: Options, recognised: Preprocessing | None, size: tuple[int, int], channels: int
) -> tuple[Preprocessing, tuple[Finding, ...]]:
    """Return what is done where nothing but a preset was asked, at `size`."""
    findings = []
    frame: dict[str, Any] = {}
    if recognised is not None:
        resize = recognised.resize
        if resize is not None and recognised.size != size:
            resize = max(min(size), round(resize * min(size) / min(recognised.size)))
        frame = {
            "fit": recognised.fit,
            "resize": resize,
            "interpolation": recognised.interpolation,
        }
    asked = options.preprocessing
    if asked != "auto":
        start = preset(asked, size, channels=channels, why="asked for", **frame)
        whole = options.mean is not None and options.std is not None
        if recognised is not None and recognised.name not in (asked, "custom") and not whole:
            message = _capital(
                f"{_but_for(options)}the photo is prepared as {asked!r} because that was asked "
                "for; the model's own "
                f"way is {recognised.name!r}" + (f" ({recognised.why})." if recognised.why else ".")
            )
            findings.append(Finding("info", message, "preprocessing"))
    elif recognised is not None:
        start = dataclasses.replace(recognised, size=size, resize=frame["resize"])
        if (start.channels == "grey") != (channels == 1):
            start = dataclasses.replace(start, **_recoloured(start, channels))
    else:
        start = preset("unit", size, channels=channels, why="nothing in the file says otherwise")
        if (but := still_assumed(options)) is not None:
            gets = "the network gets values from 0 to 1 ('unit')"
            so = f", so {gets}" if not but else f". {but}{gets}"
            message = (
                f"Nothing in the file says how its photos were prepared{so}. If it was trained on "
                "others its answers are wrong: choose the pre-processing that it was trained with."
            )
            findings.append(Finding("warning", message, "preprocessing"))
    recipe = PRESETS.get(start.name)
    if channels == 1 and recipe is not None and len({*recipe.mean}) > 1 and options.mean is None:
        message = (
            f"The network takes one grey channel; {start.name!r} has three means and deviations, "
            "and their average is used."
        )
        findings.append(Finding("info", message, "preprocessing"))
    return start, tuple(findings)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _recoloured(start: Preprocessing, channels: int) -> dict[str, Any]:
    """Return the fields of `start` for a network with the other number of channels."""
    if channels == 3:
        return {"channels": "rgb", "mean": start.mean * 3, "std": start.std * 3}
    mean, std = math.fsum(start.mean) / 3, math.fsum(start.std) / 3
    return {"channels": "grey", "mean": (mean,), "std": (std,)}


def _spread(flag: str, values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    if len(values) == 1:
        return values * channels
    if len(values) != channels:
        raise refusal(flag, "one number for a network of 1 channel", list(values))
    return values
