"""PyTorch weights into a model: recognised by shape, replaced heads rebuilt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from loaders import other_networks, recognise, source
from loaders.heads import finding as head_finding
from loaders.labels import Inside, fitting, labels_for
from loaders.preprocessing import Options
from loaders.resolve import resolve
from loaders.torch import build, detectors, networks, published
from loaders.torch.module import broken, from_module
from loaders.torch.sets import State, Weights, choose, parts, shown_name
from loaders.torch.sizes import pictures
from xai_core.errors import LoadError, NeedsSource, UnsupportedModel
from xai_core.model import Finding, Head
from xai_core.report.numbers import counted

if TYPE_CHECKING:
    from loaders.torch.detector import TorchDetector
    from loaders.torch.model import TorchModel

TITLES = {"torchvision": "torchvision "}
"""Libraries whose names go before their architectures'."""


def from_sets(
    sets: Sequence[Weights],
    options: Options,
    *,
    name: str,
    kind: str,
    names: Sequence[Inside] = (),
    said: tuple[Finding, ...] = (),
) -> TorchModel | TorchDetector:
    """Recognise the network that a set of weights belongs to, and fill it.

    `sets` are what the file holds, and `names` what it says of its classes. Raises NeedsSource
    where no known network fits and no source came with it.
    """
    if options.source:
        return _from_source(sets, options, name=name, kind=kind, names=names, said=said)
    for each in sets:
        if detector := detectors.find(_shapes(each)):
            return _detector(detector, each, options, name=name, kind=kind, names=names, said=said)
    found = _matches(sets) or _matches(parts(tuple(sets)))
    if not found:
        raise _unknown(sets, options)
    taken, chosen = choose([_place(each, match) for each, match in found], options.weights)
    weights, match = found[taken]
    built = networks.build(match, weights.tensors, options)
    findings = [*said, _recognised(weights, match, built.matched), *chosen]
    findings += [*_strays(match), *built.findings]
    return _model(
        built, match.architecture, options, name=name, kind=kind, names=names, findings=findings
    )


def _detector(
    found: detectors.Found,
    weights: Weights,
    options: Options,
    *,
    name: str,
    kind: str,
    names: Sequence[Inside],
    said: tuple[Finding, ...],
) -> TorchDetector:
    from loaders.torch.detector import TorchDetector

    module, findings = detectors.build(found, weights.tensors, options.size)
    recognised = detectors.preparation(found.row)
    preprocessing, resolved = resolve(options, recognised, size=recognised.size, channels=3)
    detectors.must_serve(preprocessing)
    labels, named = detectors.labels(found.classes, options, fitting(names, found.classes - 1))
    return TorchDetector(
        module,
        name=name,
        kind=kind,
        architecture=found.row.name,
        preprocessing=preprocessing,
        labels=labels,
        findings=(*said, *findings, *broken(module.state_dict()), *resolved, *named),
    )


def _model(
    built: networks.Built,
    architecture: str,
    options: Options,
    *,
    name: str,
    kind: str,
    names: Sequence[Inside],
    findings: Sequence[Finding],
) -> TorchModel:
    from loaders.torch.model import TorchModel

    recognised = built.preprocessing
    preprocessing, resolved = resolve(
        options, recognised, size=recognised.size, channels=built.channels
    )
    count = _classes(built.module)
    if not count:
        raise LoadError("The network's last layer has no outputs: the file names no class at all.")
    one = count == 1
    classes = 2 if one else count
    labels, named = labels_for(options, classes, imagenet=built.imagenet, **fitting(names, classes))
    return TorchModel(
        built.module,
        name=name,
        kind=kind,
        architecture=architecture,
        preprocessing=preprocessing,
        labels=labels,
        head=Head("sigmoid") if one else None,
        findings=(
            *findings,
            *broken(built.module.state_dict()),
            *((head_finding("logits", 1, "graph"),) if one else ()),
            *resolved,
            *named,
        ),
    )


def _matches(sets: Sequence[Weights]) -> list[tuple[Weights, recognise.Match]]:
    """Return the known networks in the sets that have a head; the exact ones where there are."""
    found = [
        (each, match)
        for each in sets
        for match in recognise.matches(_shapes(each))
        if match.complete
    ]
    return [(each, match) for each, match in found if not match.changed] or found


def _shapes(weights: Weights) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in weights.tensors.items()}


def _place(weights: Weights, match: recognise.Match) -> str:
    prefix = match.prefix.strip(".")
    return f"{weights.path}.{prefix}" if weights.path and prefix else weights.path or prefix


def _recognised(weights: Weights, match: recognise.Match, matched: int) -> Finding:
    where = [f"found under {shown_name(weights.path)}"] if weights.path else []
    where += [f"behind the prefix {shown_name(match.prefix)}"] if match.prefix else []
    found = f", {', '.join(where)}," if where else ""
    title = TITLES.get(match.library, "") + match.architecture
    if match.changed:
        said = (
            f"Recognised as {title}{found} by its tensors, all but the first convolution, which "
            "was replaced."
        )
    else:
        said = (
            f"Recognised as {title}{found} by its tensors: all {matched} of the network's match "
            "in name and shape."
        )
    return Finding("info", said)


def _strays(match: recognise.Match) -> list[Finding]:
    """Say which tensors beside the network take no part in it."""
    known = [name for name in match.stray if recognise.is_training(name)]
    other = [name for name in match.stray if name not in known and not recognise.is_averaged(name)]
    said = []
    if known:
        said.append(
            Finding(
                "info",
                f"{_some(known)} beside the network served its training and "
                f"{_take(known)} no part.",
                "weights",
            )
        )
    if other:
        said.append(
            Finding(
                "warning",
                f"{_some(other)} beside the network {_take(other)} no part. If the network uses "
                "more than the architecture does, send the source of its class.",
                "weights",
            )
        )
    return said


def _take(names: Sequence[str]) -> str:
    return "takes" if len(names) == 1 else "take"


def _some(names: Sequence[str]) -> str:
    first = ", ".join(shown_name(name) for name in names[:3])
    if len(names) == 1:
        return f"The tensor {first}"
    return f"{len(names):,} tensors ({first}{', ...' * (len(names) > 3)})"


def _from_source(
    sets: Sequence[Weights],
    options: Options,
    *,
    name: str,
    kind: str,
    names: Sequence[Inside],
    said: tuple[Finding, ...],
) -> TorchModel:
    asked: list[str] = []
    with published.left_out(asked):
        ran_source = source.run(options.source)
        made = build.network(ran_source, options.build, sets, options.weights)
    absent = source.missing_of(ran_source)
    where = f", found under {shown_name(made.place)}" if made.place else ""
    ran = Finding(
        "info",
        f"Its source was run in the sandbox, and {source.shown(made.text)} was built of it: all "
        f"{made.matched} of its tensors match the file's in name and shape{where}.",
    )
    findings = (*said, ran, *made.findings, *published.finding(asked), *_absent(absent))
    return from_module(made.module, options, name=name, kind=kind, said=findings, names=names)


def _absent(names: Sequence[str]) -> tuple[Finding, ...]:
    if not names:
        return ()
    shown = ", ".join(source.shown(name, 40) for name in names[:6])
    verb = "are" if len(names) > 1 else "is"
    said = f"The source imports {shown}, which {verb} not here and was not needed for the network."
    return (Finding("info", said),)


def _dense(state: State) -> NeedsSource | None:
    """Return what to say of dense layers alone that may take pictures; None for other weights."""
    layers = [each for key, each in state.items() if other_networks.is_layer(key, each)]
    rows = [tensor.shape[1] for tensor in layers]
    if not rows or any(tensor.ndim > 2 for tensor in state.values()):
        return None
    if any("weight_ih_l" in key for key in state) or not (taken := pictures(rows[0], 0, None)):
        return None
    channels, height, width = taken[0]
    return NeedsSource(
        f"These are the weights of dense layers alone. They take {rows[0]:,} numbers, as pictures "
        f"of {height} x {width} pixels in {'colours' if channels == 3 else 'grey'} have: if they "
        "classify pictures, send the source of their class with it. The MLP page opens such "
        "weights by themselves, and shows each layer."
    )


def _unknown(sets: Sequence[Weights], options: Options) -> LoadError | UnsupportedModel:
    largest = max(sets, key=lambda each: len(each.tensors))
    state = largest.tensors
    where = f" under {shown_name(largest.path)}" if largest.path else ""
    short = {key[: recognise.MAX_NAME]: tensor for key, tensor in state.items()}
    if error := _dense(state):
        return error
    if what := other_networks.by_tensors(short):
        return UnsupportedModel(other_networks.refusal(f"These are the weights of {what}"))
    if not any(tensor.ndim == 4 for tensor in state.values()):
        return UnsupportedModel(
            f"This file holds {counted(len(state), 'tensor')}{where} and no image convolution "
            "among them: it is no classifier of photos that torchvision has. Save the "
            "state_dict() of the trained model."
        )
    if match := recognise.body(_shapes(largest)):
        return NeedsSource(
            f"This file holds torchvision's {match.architecture}{where}, a body without its head, "
            "so it has no classes. Save the whole model's state_dict(), or send the source of its "
            "class with it."
        )
    first = ", ".join(ascii(key)[:40] for key in list(state)[:3])
    error = NeedsSource(
        f"No torchvision classifier has these {len(state):,} tensors{where} ({first}, ...): the "
        "file holds weights without their network. Send the source of its class with it."
    )
    error.example = _example(state, options)
    return error


def _example(state: State, options: Options) -> tuple[int, int, int]:
    """Return what is known of an unknown network's input: channels, height, width."""
    kernels = (tensor for tensor in state.values() if tensor.ndim == 4)
    channels = next((int(tensor.shape[1]) for tensor in kernels), 0)
    height, width = options.size or (0, 0)
    return channels, height, width


def _classes(module: Any) -> int:
    """Return how many classes the last weight of the network gives."""
    weights = [p for p in module.parameters() if p.ndim in (2, 4)]
    return int(weights[-1].shape[0])
