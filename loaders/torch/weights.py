"""PyTorch weights into a model: recognised by shape, replaced heads rebuilt."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from loaders import architectures, other_networks, source, vitrine_net
from loaders.heads import finding as head_finding
from loaders.labels import labels_for
from loaders.preprocessing import Options, Preprocessing, preset
from loaders.resolve import resolve
from loaders.torch import build
from loaders.torch.contents import State
from loaders.torch.module import broken, from_module
from xai_core.errors import LoadError, NeedsSource, UnsupportedModel
from xai_core.model import Finding, Head

if TYPE_CHECKING:
    from loaders.torch.model import TorchModel

BUILT_IN = "vitrine_net"
TRANSFORMS = ("inception_v3", "googlenet")
_WRAPPERS = ("module.", "_orig_mod.", "model.", "net.", "network.", "encoder.model.")


def from_state(
    state: State,
    options: Options,
    *,
    name: str,
    kind: str,
    inside: str,
    said: tuple[Finding, ...] = (),
) -> TorchModel:
    """Recognise the network that the weights belong to, and fill it."""
    from loaders.torch.model import TorchModel

    findings = list(said)
    if options.source:
        module, built, matched = build.network(
            source.run(options.source), options.build, (state, _unwrapped(state))
        )
        ran = Finding(
            "info",
            f"Its source was run in the sandbox, and {source.shown(built)} was built of it: all "
            f"{matched} of its tensors match the file's in name and shape.",
        )
        return from_module(module, options, name=name, kind=kind, inside=inside, said=(*said, ran))
    state = _unwrapped(state)
    if count := _vitrine_classes(state):
        module, architecture = vitrine_net.build(count), BUILT_IN
        recognised = preset(
            vitrine_net.PREPROCESSING,
            vitrine_net.INPUT_SIZE,
            why="as the built-in models were trained",
        )
        rebuilt = ""
    else:
        shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
        known = architectures.recognise(shapes)
        if known is None:
            raise _unknown(state)
        architecture = known
        module, rebuilt = _build(architecture, state)
        recognised = _preprocessing(architecture, state)
    matched = _fill(module, state, architecture)
    library = "" if architecture == BUILT_IN else "torchvision "
    found = f", found under '{inside}'," if inside else ""
    findings.append(
        Finding(
            "info",
            f"Recognised as {library}{architecture}{found} by its tensors: all {matched} of the "
            "network's match in name and shape.",
        )
    )
    if rebuilt:
        findings.append(Finding("warning", rebuilt))
    if architecture in TRANSFORMS and options.origin != "pretrained":
        findings.append(
            Finding(
                "warning",
                f"The file does not say whether {architecture} ran with transform_input. It is "
                "taken as on, as in torchvision's published weights, which is the same as feeding "
                "it -1..1. If this model was trained from scratch, choose the ImageNet "
                "pre-processing.",
            )
        )
    findings += broken(state)
    preprocessing, said = resolve(options, recognised, size=recognised.size, channels=3)
    one = _classes(module) == 1
    if one:
        findings.append(head_finding("logits", 1, "graph"))
    labels, named = labels_for(options, 2 if one else _classes(module), imagenet=library != "")
    return TorchModel(
        module,
        name=name,
        kind=kind,
        architecture=architecture,
        preprocessing=preprocessing,
        labels=labels,
        head=Head("sigmoid") if one else None,
        findings=(*findings, *said, *named),
    )


def _unwrapped(state: State) -> State:
    """Take off prefixes that wrappers such as DataParallel put before every name."""
    again = True
    while again:
        again = False
        for prefix in _WRAPPERS:
            if all(key.startswith(prefix) for key in state):
                state = {key[len(prefix) :]: tensor for key, tensor in state.items()}
                again = True
    # DenseNets saved before PyTorch 0.4.1 wrote `norm.1` for `norm1`
    old = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.(\d)\.")
    return {old.sub(r"\1\2.", key): tensor for key, tensor in state.items()}


def _unknown(state: State) -> LoadError | UnsupportedModel:
    if what := other_networks.by_tensors(state):
        return UnsupportedModel(other_networks.refusal(f"These are the weights of {what}"))
    if not any(tensor.ndim == 4 for tensor in state.values()):
        return UnsupportedModel(
            f"These {len(state)} tensors hold no image convolution: this is not a classifier of "
            "photos that torchvision has."
        )
    first = ", ".join(ascii(key)[:40] for key in list(state)[:3])
    return NeedsSource(
        f"No torchvision classifier has these {len(state)} tensors ({first}, ...): the file holds "
        "weights without their network. Send the source of its class with it."
    )


def _vitrine_classes(state: State) -> int:
    """Return the number of classes if these are a built-in network's weights, else 0."""
    weight = state.get("classifier.weight")
    if weight is None or weight.ndim != 2:
        return 0
    import torch

    with torch.device("meta"):
        own = vitrine_net.build(int(weight.shape[0])).state_dict()
    same = own.keys() == state.keys() and all(own[key].shape == state[key].shape for key in own)
    return int(weight.shape[0]) if same else 0


def _preprocessing(architecture: str, state: State) -> Preprocessing:
    row = architectures.table()[architecture]
    side = row["size"]
    if "encoder.pos_embedding" in state:  # a vision transformer may have been trained at any size
        patch = state["conv_proj.weight"].shape[-1]
        side = round((state["encoder.pos_embedding"].shape[1] - 1) ** 0.5) * patch
    if architecture in TRANSFORMS:
        base = preset("symmetric", (side, side), why=f"{architecture} with transform_input")
    else:
        known = "symmetric" if row["mean"] == [0.5] * 3 else "imagenet"
        base = preset(known, (side, side), why=f"as torchvision trained {architecture}")
    resize = row["resize"] if side == row["size"] else round(side * 8 / 7)
    return dataclasses.replace(base, resize=resize, interpolation=row["interpolation"], fit="crop")


def _build(architecture: str, state: State) -> tuple[Any, str]:
    """Return the network with a head that fits the file, and a sentence if it was rebuilt."""
    from torchvision import models

    from loaders.torch.heads import fit_head

    settings: dict[str, Any] = {}
    if architecture in TRANSFORMS:
        settings = {"aux_logits": False, "init_weights": False, "transform_input": False}
    if "encoder.pos_embedding" in state:
        side = _preprocessing(architecture, state).size[0]
        settings["image_size"] = side
    module = models.get_model(architecture, weights=None, **settings)
    head = architectures.table()[architecture]["head"]
    own = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
    file = {key: tuple(tensor.shape) for key, tensor in state.items()}
    rebuilt = fit_head(module, head, own, file)
    return module, rebuilt


def _fill(module: Any, state: State, architecture: str) -> int:
    """Copy the weights in; return how many tensors matched."""
    own = module.state_dict()
    kept = {key: tensor for key, tensor in state.items() if key in own}
    missing = [key for key in own if key not in kept and not key.endswith("num_batches_tracked")]
    wrong = [key for key in kept if kept[key].shape != own[key].shape]
    if missing or wrong:
        key = (missing or wrong)[0]
        raise LoadError(
            f"The body is torchvision's {architecture}, but its head is one that cannot be "
            f"rebuilt from the weights (the tensor {key!r} does not fit). Heads of Linear, ReLU, "
            "Dropout and BatchNorm layers are."
        )
    for key, tensor in kept.items():  # no_grad is not needed: state_dict() hands out detached ones
        own[key].copy_(tensor)
    return sum(not key.endswith("num_batches_tracked") for key in own)


def _classes(module: Any) -> int:
    """Return how many classes the last weight of the network gives."""
    weights = [p for p in module.parameters() if p.ndim in (2, 4)]
    return int(weights[-1].shape[0])
