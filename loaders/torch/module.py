"""A network that came whole, or was built of its source, into a model: size, head, preparation."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from loaders import architectures, other_networks, recognise, vitrine_net
from loaders.formats import EXPORTED, TORCHSCRIPT
from loaders.labels import Inside, fitting, labels_for
from loaders.preprocessing import Options, Preprocessing, for_imagenet, preset
from loaders.resolve import resolve
from loaders.torch import endings, mode, own_preparation, probe
from loaders.torch.sets import State, shown_name
from xai_core.errors import UnsupportedModel
from xai_core.model import Finding

if TYPE_CHECKING:
    from loaders.torch.model import TorchModel


def from_module(
    module: Any,
    options: Options,
    *,
    name: str,
    kind: str,
    inside: str = "",
    shape: tuple[int, ...] = (),
    said: tuple[Finding, ...] = (),
    names: Sequence[Inside] = (),
) -> TorchModel:
    """Serve a network that came with its file: find its size, its head and its pre-processing.

    `shape` is that of the photos that it was exported with, 0 where a side was left free; `names`
    are what the file says of its classes.
    """
    from loaders.torch.model import TorchModel

    own = next((each.dtype for each in module.parameters()), None)
    module = module.float()
    state = dict(module.state_dict())
    match = recognise.body({key: tuple(tensor.shape) for key, tensor in state.items()})
    known = match.architecture if match else None
    found, wanted = _found(module, options, shape, known, state, own)
    ending = endings.open_head(module, found, options.head)
    exported = kind in (TORCHSCRIPT.title, EXPORTED.title)
    reason = mode.reason(found.watch.steps, exported=exported)
    findings = [*said, ending.finding, *found.findings, *broken(state)]
    recognised = None
    imagenet = match is not None and match.library == "torchvision"
    if known is not None:
        recognised, whose = _prepared(match.library if match else "", known, found.size)
        where = f", found under '{inside}'," if inside else ""
        if match and match.prefix:
            where += f"{'' if where else ','} behind the prefix {shown_name(match.prefix)},"
        findings.append(Finding("info", f"Its network{where} has the tensors of {whose}."))
    elif found.size not in wanted or (found.dense and not options.channels):
        findings.append(_size_said(found))
    recognised = _own(module, found, recognised, findings)
    preprocessing, resolved = resolve(options, recognised, size=found.size, channels=found.channels)
    units = 2 if found.classes == 1 else found.classes
    labels, named = labels_for(options, units, imagenet=imagenet, **fitting(names, units))
    return TorchModel(
        ending.module,
        name=name,
        kind=kind,
        architecture=known or str(getattr(module, "original_name", type(module).__name__)),
        preprocessing=preprocessing,
        labels=labels,
        head=ending.head,
        findings=(*findings, *resolved, *named),
        reading=ending.reading,
        seen=(found.inputs, ending.scores),
        maps=options.layout,
        mode_reason=reason,
    )


def _prepared(library: str, known: str, size: tuple[int, int]) -> tuple[Preprocessing, str]:
    """Return how a known network's photos are prepared, and its name with its library's."""
    if library == "Vitrine":
        why = "as the built-in models were trained"
        return preset(vitrine_net.PREPROCESSING, size, why=why), "the built-in models"
    # The module carries its own transform_input, so ImageNet's normalisation is the outer one.
    why = f"as torchvision trained {known}"
    return for_imagenet("imagenet", size, resize=None, why=why), f"torchvision's {known}"


def _own(
    module: Any, found: probe.Found, recognised: Preprocessing | None, findings: list[Finding]
) -> Preprocessing | None:
    """Return how photos are prepared where the network does a part of it itself, and say so."""
    made = own_preparation.told(module, found)
    name = own_preparation.preset(*made) if made else ""
    if not made or not name:
        return recognised
    if recognised is not None:
        done = for_imagenet(name, found.size, why="the network normalises photos itself")
    else:
        done = preset(
            name, found.size, channels=found.channels, why="the network normalises photos itself"
        )
    findings.append(own_preparation.finding(*made, done))
    return done


def _found(
    module: Any,
    options: Options,
    shape: tuple[int, ...],
    known: str | None,
    state: State,
    own: Any,
) -> tuple[probe.Found, list[tuple[int, int]]]:
    """Return how the network runs, and the sizes that were asked for or are known of it."""
    last = len(shape) == 4 and shape[3] in (1, 3) and shape[1] not in (1, 3)
    sides = (shape[1], shape[2]) if last else tuple(shape[2:4])
    taken = (shape[3] if last else shape[1]) if len(shape) == 4 else 0
    asked = probe.Asked(options.output, len(options.classes or ()), shape[0] if shape else 0)
    wanted = [options.size] if options.size else []
    if len(sides) == 2 and all(sides):
        wanted.append((sides[0], sides[1]))
    if row := architectures.table().get(known or ""):
        wanted.append((row["size"], row["size"]))
    if known == "vitrine_net":
        wanted.append(vitrine_net.INPUT_SIZE)
    channels = taken or probe.channels_of(module)
    others = f"The network takes {channels} channels; a classifier of photos takes 1 or 3."
    if taken not in (0, 1, 3):
        raise UnsupportedModel(others)
    only_dense = not known and state and max(tensor.ndim for tensor in state.values()) <= 2
    if only_dense:
        likely = channels or {"grey": 1}.get(options.channels or "", 3 if options.channels else 0)
        if found := probe.dense(module, asked, likely, wanted[0] if wanted else None):
            return found, wanted
    counts = [channels or 3]
    if not channels:  # no convolution says it, as where a recurrent network reads a photo's rows
        said = options.channels or "rgb"
        counts = [1] if said == "grey" else [3] if options.channels else [3, 1]
    elif channels not in (1, 3):  # its first weights may be those of something else
        counts = [3, 1]
    try:
        return _runs(module, counts, wanted, asked, own=own, last=last), wanted
    except UnsupportedModel as error:
        if channels not in (0, 1, 3):
            raise UnsupportedModel(others) from error
        if not taken and channels and "channel" in str(error):  # the weights of a norm, say
            with contextlib.suppress(UnsupportedModel):
                return _runs(module, [4 - channels], wanted, asked, own=own, last=last), wanted
        if "whole numbers" not in str(error) and (what := other_networks.by_tensors(state)):
            raise UnsupportedModel(other_networks.refusal(f"This is {what}")) from error
        raise


def _runs(
    module: Any,
    counts: Sequence[int],
    wanted: list[tuple[int, int]],
    asked: probe.Asked,
    **how: Any,
) -> probe.Found:
    """Return how the network runs on photos of the first of some numbers of channels."""
    refused = []
    for channels in counts:
        try:
            return probe.find(module, channels, wanted, asked, **how)
        except UnsupportedModel as error:
            refused.append(error)
    raise refused[0]


def _size_said(found: probe.Found) -> Finding:
    height, width = found.size
    sides = found.sides
    if found.dense:
        colours = "colours" if found.channels == 3 else "grey"
        return Finding(
            "warning",
            f"The network takes {found.dense:,} numbers in a row: they are taken as pictures of "
            f"{height} x {width} pixels in {colours}. If they were others, say their size and "
            "channels (--size, --channels). The MLP page shows such a network layer by layer, on "
            "rows of numbers as they are.",
            "size",
        )
    if sides is not None and sides.low == sides.high:
        said = f"{height} x {width} pixels is the only square size that its dense layer takes."
        return Finding("info", said, "size")
    if sides is not None:
        return Finding(
            "warning",
            f"Its dense layer takes photos of {sides.low} to {sides.high} pixels a side, and "
            f"nothing in the file says which: {height} x {width} is taken. If it was trained at "
            "another, set the size (--size).",
            "size",
        )
    return Finding(
        "warning",
        f"Nothing in the file says the size of its photos: {height} x {width} pixels is the first "
        "that it runs on. If it was trained at another, set the size (--size).",
        "size",
    )


def broken(state: State) -> list[Finding]:
    """Warn of weights that are no numbers."""
    # A sum shows what is not finite, and is quicker; one that overflows is looked at again.
    if all(bool(t.sum().isfinite()) or bool(t.isfinite().all()) for t in state.values()):
        return []
    said = (
        "Some of the weights are infinite or not numbers: the training diverged, and what the "
        "model says means nothing."
    )
    return [Finding("warning", said)]
