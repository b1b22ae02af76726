"""A network that came whole, or was built of its source, into a model: size, head, preparation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loaders import architectures, other_networks
from loaders.labels import labels_for
from loaders.preprocessing import Options, for_imagenet
from loaders.resolve import resolve
from loaders.torch import endings, probe
from loaders.torch.contents import State
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
) -> TorchModel:
    """Serve a network that came with its file: find its size, its head and its pre-processing."""
    from loaders.torch.model import TorchModel

    state = {key: tensor.float() for key, tensor in module.state_dict().items()}
    shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
    known = architectures.recognise(shapes)
    channels = shape[1] if len(shape) == 4 and shape[1] else probe.channels_of(module)
    if channels not in (1, 3):
        raise UnsupportedModel(
            f"The network takes {channels} channels; a classifier of photos takes 1 or 3."
        )
    sides = [(side, side) for side in probe.SIZES]
    wanted = [options.size] if options.size else []
    if len(shape) == 4 and shape[2] and shape[3]:
        wanted.append((shape[2], shape[3]))
    if row := architectures.table().get(known or ""):
        wanted.append((row["size"], row["size"]))
    try:
        size = probe.runs_on(module, channels, [*wanted, *sides])
    except UnsupportedModel as error:
        if what := other_networks.by_tensors(state):
            raise UnsupportedModel(other_networks.refusal(f"This is {what}")) from error
        raise
    module, head, about = endings.open_head(module, channels, size)
    findings = [*said, about, *broken(state)]
    recognised = None
    if known is not None:
        # The module carries its own transform_input, so ImageNet's normalisation is the outer one.
        recognised = for_imagenet(
            "imagenet", size, resize=None, why=f"as torchvision trained {known}"
        )
        where = f", found under '{inside}'," if inside else ""
        findings.append(
            Finding("info", f"Its network{where} has the tensors of torchvision's {known}.")
        )
    elif not wanted:
        findings.append(
            Finding(
                "warning",
                f"Nothing in the file says the size of its photos: {size[0]} x {size[1]} pixels is "
                "the first that it runs on.",
            )
        )
    preprocessing, resolved = resolve(options, recognised, size=size, channels=channels)
    classes = probe.classes_of(module, channels, size)
    labels, named = labels_for(options, 2 if classes == 1 else classes, imagenet=known is not None)
    return TorchModel(
        module,
        name=name,
        kind=kind,
        architecture=known or type(module).__name__,
        preprocessing=preprocessing,
        labels=labels,
        head=head,
        findings=(*findings, *resolved, *named),
    )


def broken(state: State) -> list[Finding]:
    """Warn of weights that are no numbers."""
    if all(bool(tensor.isfinite().all()) for tensor in state.values()):
        return []
    said = (
        "Some of the weights are infinite or not numbers: the training diverged, and what the "
        "model says means nothing."
    )
    return [Finding("warning", said)]
