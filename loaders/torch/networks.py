"""A known network in torch: built to fit what a file holds of it, and filled.

One builder for each library that `loaders.recognise` knows.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from loaders import architectures, vitrine_net
from loaders.options import Options
from loaders.preprocessing import Preprocessing, preset
from loaders.recognise import Match
from loaders.resolve import still_assumed
from loaders.torch import heads, stem
from xai_core.errors import LoadError
from xai_core.model import Finding

State = Mapping[str, Any]
TRANSFORMS = ("inception_v3", "googlenet")


@dataclasses.dataclass(frozen=True)
class Built:
    """A network with its weights, how its photos are prepared, and what was assumed.

    `matched` is how many of its tensors are the file's; `imagenet` says whether 1000 classes may
    be ImageNet's.
    """

    module: Any
    preprocessing: Preprocessing
    channels: int
    matched: int
    imagenet: bool
    findings: tuple[Finding, ...] = ()


def build(match: Match, state: State, options: Options) -> Built:
    """Return the network of a match, filled. Raises LoadError where its head cannot be rebuilt."""
    return _BUILDERS[match.library](match, state, options)


def _vitrine(match: Match, state: State, options: Options) -> Built:
    own = {name: state[written] for name, written in {**match.body, **match.head}.items()}
    module = vitrine_net.build(int(own["classifier.weight"].shape[0]))
    recognised = preset(
        vitrine_net.PREPROCESSING, vitrine_net.INPUT_SIZE, why="as the built-in models were trained"
    )
    matched = _fill(module, own, "the built-in models'")
    return Built(module, recognised, 3, matched, imagenet=False)


def _torchvision(match: Match, state: State, options: Options) -> Built:
    from torchvision import models

    architecture = match.architecture
    row = architectures.table()[architecture]
    own = {name: state[written] for name, written in match.body.items()}
    settings: dict[str, Any] = {}
    if architecture in TRANSFORMS:
        settings = {"aux_logits": False, "init_weights": False, "transform_input": False}
    if "encoder.pos_embedding" in own:
        settings["image_size"] = _side(own, row)
    with unfilled():
        module = models.get_model(architecture, weights=None, **settings)
    shapes = {name: tuple(tensor.shape) for name, tensor in own.items()}
    changed = stem.fit(module, match.changed, shapes)
    head = heads.fit(module, row["head"], match, state, options)
    own |= head.tensors
    recognised, preparation = _preprocessing(architecture, own, options, changed)
    said = [*changed.findings, *head.findings, *preparation]
    if still_assumed(options) is None:  # then how photos are prepared is no open question
        said = [finding for finding in said if finding.about != "preprocessing"]
    matched = _fill(module, own, f"torchvision's {architecture}")
    return Built(module, recognised, changed.channels, matched, True, tuple(said))


_BUILDERS: dict[str, Callable[[Match, State, Options], Built]] = {
    "Vitrine": _vitrine,
    "torchvision": _torchvision,
}


@contextlib.contextmanager
def unfilled() -> Iterator[None]:
    """Build layers without drawing their first weights, a third of the time: all are filled."""
    from torch.nn import init

    names = [name for name in vars(init) if name.endswith("_") and not name.startswith("_")]
    drawn = {name: getattr(init, name) for name in names}
    try:
        for name in drawn:
            setattr(init, name, lambda tensor, *args, **kwargs: tensor)
        yield
    finally:
        for name, draw in drawn.items():
            setattr(init, name, draw)


def _side(own: State, row: Mapping[str, Any]) -> int:
    """Return the photo's side: a vision transformer may have been trained at any."""
    if "encoder.pos_embedding" not in own:
        return int(row["size"])
    patch = int(own["conv_proj.weight"].shape[-1])
    return patch * math.isqrt(max(0, int(own["encoder.pos_embedding"].shape[1]) - 1))


def _preprocessing(
    architecture: str, own: State, options: Options, changed: stem.Stem
) -> tuple[Preprocessing, list[Finding]]:
    row = architectures.table()[architecture]
    side = changed.side or _side(own, row)
    said = []
    if architecture in TRANSFORMS and changed.channels == 3:
        base = preset("symmetric", (side, side), why=f"{architecture} with transform_input")
        if options.origin != "pretrained":
            message = (
                f"The file does not say whether {architecture} ran with transform_input. It is "
                "taken as on, as in torchvision's published weights, which is the same as feeding "
                "it -1..1. If this model was trained from scratch, choose the ImageNet "
                "pre-processing."
            )
            said.append(Finding("warning", message, "preprocessing"))
    else:
        known = "symmetric" if row["mean"] == [0.5] * 3 else "imagenet"
        base = preset(known, (side, side), why=f"as torchvision trained {architecture}")
    if changed.side:
        return dataclasses.replace(base, fit="stretch"), said
    resize = row["resize"] if side == row["size"] else round(side * 8 / 7)
    prepared = dataclasses.replace(
        base, resize=resize, interpolation=row["interpolation"], fit="crop"
    )
    return prepared, said


def _fill(module: Any, own: State, whose: str) -> int:
    """Copy the weights in; return how many tensors matched."""
    wanted = module.state_dict()
    missing = [key for key in wanted if key not in own and not key.endswith("num_batches_tracked")]
    wrong = [key for key in own if key in wanted and own[key].shape != wanted[key].shape]
    left = [key for key in own if key not in wanted and not key.endswith("num_batches_tracked")]
    if missing or wrong or left:
        key = (missing or wrong or left)[0]
        raise LoadError(
            f"The body is {whose}, but its head is one that cannot be "
            f"rebuilt from the weights (the tensor {key[:80]!r} does not fit). Heads of Linear, "
            "ReLU, Dropout and BatchNorm layers are; for another, send the source of its class."
        )
    for key, tensor in own.items():  # no_grad is not needed: state_dict() hands out detached ones
        if key in wanted:
            wanted[key].copy_(tensor)
    return sum(not key.endswith("num_batches_tracked") for key in wanted)
