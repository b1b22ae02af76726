"""PyTorch weights into a model: read strictly, recognised by shape, replaced heads rebuilt."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loaders import (
    architectures,
    other_networks,
    source,
    torch_inert,
    torch_module,
    torch_older,
    torch_source,
    vitrine_net,
)
from loaders.catalogue import labels_for
from loaders.formats import EXPORTED, SAFETENSORS, TORCH_LEGACY, TORCH_ZIP, TORCHSCRIPT, sniff
from loaders.other_files import FileKind
from loaders.preprocessing import Options, Preprocessing, for_imagenet, preset, resolve
from xai_core.errors import LoadError, NeedsSource, UnsupportedModel
from xai_core.model import Finding, Head

if TYPE_CHECKING:
    from loaders.torch_model import TorchModel

State = dict[str, Any]
BUILT_IN = "vitrine_net"
TRANSFORMS = ("inception_v3", "googlenet")
_DANGEROUS = ("builtins", "os", "posix", "nt", "subprocess", "sys", "commands", "shutil", "socket")
_WRAPPERS = ("module.", "_orig_mod.", "model.", "net.", "network.", "encoder.model.")
_CONTAINERS = ("state_dict", "model_state_dict", "model", "net", "weights", "params", "ema")


def load(path: Path, options: Options, *, name: str) -> TorchModel:
    """Load a classifier: weights of a torchvision one, or a file that brings its own network.

    Raises LoadError for a file that is damaged or unsafe, NeedsSource for one whose network is
    neither in it nor known, and UnsupportedModel for one that is no image classifier.
    """
    kind = sniff(path)
    if kind is TORCHSCRIPT:
        module = torch_module.read_script(path)
        return _from_module(module, options, name=name, kind=kind.title)
    if kind is EXPORTED:
        module, shape = torch_module.read_exported(path)
        return _from_module(module, options, name=name, kind=kind.title, shape=shape)
    content, found_in, said = _contents(path, kind, options)
    if not isinstance(content, dict):
        return _from_module(
            content, options, name=name, kind="PyTorch module", inside=found_in, said=said
        )
    title = "PyTorch state dict" if kind is not SAFETENSORS else "safetensors weights"
    return _from_state(content, options, name=name, kind=title, inside=found_in, said=said)


def _from_state(
    state: State,
    options: Options,
    *,
    name: str,
    kind: str,
    inside: str,
    said: tuple[Finding, ...] = (),
) -> TorchModel:
    """Recognise the network that the weights belong to, and fill it."""
    from loaders.torch_model import TorchModel

    findings = list(said)
    if options.source:
        module, built, matched = torch_source.network(
            source.run(options.source), options.build, (state, _unwrapped(state))
        )
        ran = Finding(
            "info",
            f"Its source was run in the sandbox, and {source.shown(built)} was built of it: all "
            f"{matched} of its tensors match the file's in name and shape.",
        )
        return _from_module(module, options, name=name, kind=kind, inside=inside, said=(*said, ran))
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
    findings += _broken(state)
    preprocessing, said = resolve(options, recognised, size=recognised.size, channels=3)
    one = _classes(module) == 1
    if one:
        findings.append(torch_module.ONE_UNIT)
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


def _from_module(
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
    from loaders.torch_model import TorchModel

    state = {key: tensor.float() for key, tensor in module.state_dict().items()}
    shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
    known = architectures.recognise(shapes)
    channels = shape[1] if len(shape) == 4 and shape[1] else torch_module.channels_of(module)
    if channels not in (1, 3):
        raise UnsupportedModel(
            f"The network takes {channels} channels; a classifier of photos takes 1 or 3."
        )
    sides = [(side, side) for side in torch_module.SIZES]
    wanted = [options.size] if options.size else []
    if len(shape) == 4 and shape[2] and shape[3]:
        wanted.append((shape[2], shape[3]))
    if row := architectures.table().get(known or ""):
        wanted.append((row["size"], row["size"]))
    try:
        size = torch_module.runs_on(module, channels, [*wanted, *sides])
    except UnsupportedModel as error:
        if what := other_networks.by_tensors(state):
            raise UnsupportedModel(other_networks.refusal(f"This is {what}")) from error
        raise
    module, head, about = torch_module.open_head(module, channels, size)
    findings = [*said, about, *_broken(state)]
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
    classes = torch_module.classes_of(module, channels, size)
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


def _broken(state: State) -> list[Finding]:
    if all(bool(tensor.isfinite().all()) for tensor in state.values()):
        return []
    said = (
        "Some of the weights are infinite or not numbers: the training diverged, and what the "
        "model says means nothing."
    )
    return [Finding("warning", said)]


def _contents(path: Path, kind: FileKind, options: Options) -> tuple[Any, str, tuple[Finding, ...]]:
    """Return the tensors, or a whole module; the checkpoint's key that held them; what to say."""
    import torch

    said: tuple[Finding, ...] = ()
    if kind is SAFETENSORS:
        content: Any = _read_safetensors(path)
    else:
        content, said = _read_pickle(path, kind, options)
    found_in = ""
    if isinstance(content, Mapping):
        for key, item in content.items():
            if isinstance(item, torch.nn.Module):
                content, found_in = item, str(key)
                break
    if isinstance(content, torch.nn.Module):
        for key, tensor in content.state_dict().items():
            _refuse_tensor(key, tensor)
        return torch_older.complete(content).float().eval(), found_in, said
    state, found_in = _find_state(content)
    for key, tensor in state.items():
        _refuse_tensor(key, tensor)
    return {key: tensor.float() for key, tensor in state.items()}, found_in, said


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise LoadError(
            "This safetensors file is damaged or cut short: its header and its tensors do not "
            "agree. Copy or save it again."
        ) from error


def _read_pickle(path: Path, kind: FileKind, options: Options) -> tuple[Any, tuple[Finding, ...]]:
    """Return what a checkpoint holds; the classes of the source, if need be, are let in."""
    import pickle

    import torch

    if kind is TORCH_ZIP:
        _refuse_bombs(path)
    try:
        with contextlib.suppress(pickle.UnpicklingError):  # weights alone, as most files are
            return torch.load(path, map_location="cpu", weights_only=True), ()
        return _read_whole(path, kind), ()
    except pickle.UnpicklingError as error:
        if options.source:
            return _read_with_source(path, kind, options.source)
        if kind is TORCH_ZIP and (found := _read_weights_alone(path)):
            return found
        raise _pickle_refusal(str(error)) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError) as error:
        raise LoadError(
            "This PyTorch file is damaged or cut short: its tensors cannot be read. Copy or "
            "save it again with torch.save(model.state_dict(), 'model.pth')."
        ) from error
    except Exception as error:  # a damaged pickle is a program of its own, and may raise anything
        raise LoadError(
            f"This PyTorch file holds what no torch.save writes ({type(error).__name__}), and is "
            "refused. Save it again with torch.save(model.state_dict(), 'model.pth')."
        ) from error


def _read_whole(path: Path, kind: FileKind, classes: Sequence[Any] = ()) -> Any:
    """Return what a checkpoint holds, made of the classes of the allow-list and of these."""
    import torch

    known = [*torch_module.allowed(), torch_older.BACKEND, *classes]
    with torch.serialization.safe_globals(known):
        if kind is TORCH_LEGACY:
            older = torch_older.without_sources(path)
            return torch.load(older, map_location="cpu", weights_only=True)[-1]
        return torch.load(path, map_location="cpu", weights_only=True)


def _read_weights_alone(path: Path) -> tuple[Any, tuple[Finding, ...]] | None:
    """Return a checkpoint that keeps its weights beside records of classes that are not here."""
    import torch

    try:
        names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
        if not all(_is_record(name) for name in names):
            return None
        content = torch_inert.read(path, names)
        if content is None:
            return None
        _find_state(content)
    except Exception:  # a damaged pickle may raise anything: the refusal says why
        return None
    said = (
        "Beside the weights the file holds objects of classes that are not here, which were left "
        f"unread: {source.shown(', '.join(names), 120)}."
    )
    return content, (Finding("info", said),)


def _is_record(name: str) -> bool:
    return name.split(".")[0] not in _DANGEROUS and torch_inert.is_record(name)


def _read_with_source(path: Path, kind: FileKind, text: str) -> tuple[Any, tuple[Finding, ...]]:
    """Return what a checkpoint holds, with the classes that it names taken from their source."""
    import pickle

    import torch

    if kind is TORCH_LEGACY:
        names = torch_older.names(path)
    else:
        names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    taken = torch_source.named_by(source.run(text), names)
    try:
        with source.telling(but=pickle.UnpicklingError):
            content = _read_whole(path, kind, taken)
    except pickle.UnpicklingError as error:
        raise _pickle_refusal(str(error), sourced=True) from error
    used = ", ".join(source.shown(name) for _, name in taken)
    said = f"Its source was run in the sandbox, and the file's classes were taken from it: {used}."
    return content, (Finding("info", said),) if taken else ()


def _refuse_bombs(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        packed = sum(member.compress_size for member in archive.infolist())
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > 50_000_000 and unpacked > 20 * packed:
        raise LoadError(
            f"This PyTorch file would unpack to {unpacked / 1e6:,.0f} MB from "
            f"{packed / 1e6:,.1f} MB, which no trained model does: it is refused."
        )


def _refuse_tensor(key: str, tensor: Any) -> None:
    shown = repr(key)[:80]
    if tensor.is_quantized:
        raise UnsupportedModel(
            f"The tensor {shown} is quantised. Bring the float model that it was made from."
        )
    if tensor.is_sparse or tensor.is_complex():
        raise UnsupportedModel(f"The tensor {shown} is sparse or complex, as no classifier's is.")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise LoadError(
            f"The tensor {shown} claims {tensor.numel():,} numbers and the file holds far fewer: "
            "the file is damaged or hostile, and is refused."
        )


def _pickle_refusal(error: str, *, sourced: bool = False) -> LoadError:
    way_out = "Save its weights instead: torch.save(model.state_dict(), 'model.pth')."
    if found := re.search(r"GLOBAL ([\w.]+)", error):
        name = found.group(1)[:120]
        if what := other_networks.by_class(name):
            return LoadError(other_networks.refusal(f"This file holds {what} ({name})"))
        owner, _, last = name.rpartition(".")
        if owner.split(".")[0] in _DANGEROUS or not last.lstrip("_")[:1].isupper():
            return LoadError(
                f"This file holds a whole Python object ({name}), not only weights, and opening it "
                f"could run code. {way_out}"
            )
        if sourced:
            return NeedsSource(
                f"The source does not define {last}, and this file holds an object of the class "
                f"{name}. Put that class into the source too, with whatever it uses."
            )
        return NeedsSource(
            f"This file holds an object of the class {name}, whose code is not in it. Send the "
            "class's source with it, or, where the network is torchvision's, its weights alone."
        )
    return LoadError(
        f"This file's pickle is damaged or holds more than weights, and is refused. {way_out}"
    )


def _is_tensors(value: object) -> bool:
    import torch

    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(key, str) for key in value)
        and all(isinstance(item, torch.Tensor) for item in value.values())
    )


def _find_state(content: object) -> tuple[State, str]:
    import torch

    if isinstance(content, torch.Tensor):
        raise LoadError(
            f"This file holds one tensor {list(content.shape)}, not a model's weights. "
            "Save torch.save(model.state_dict(), 'model.pth')."
        )
    if not isinstance(content, Mapping):
        raise LoadError(
            f"This file holds a {type(content).__name__}, not a model's weights. "
            "Save torch.save(model.state_dict(), 'model.pth')."
        )
    content = {
        key: item.state_dict() if hasattr(item, "state_dict") else item
        for key, item in content.items()
    }
    if _is_tensors(content):
        return dict(content), ""
    held = {key: item for key, item in content.items() if _is_tensors(item)}
    for key in (*_CONTAINERS, *held):
        if key in held:
            return dict(held[key]), str(key)
    if any(str(key).startswith(("param_groups", "optim")) for key in content):
        raise LoadError(
            "This is an optimiser's checkpoint without the model's weights. Save "
            "torch.save(model.state_dict(), 'model.pth') beside it."
        )
    tensors = {key: item for key, item in content.items() if isinstance(item, torch.Tensor)}
    if len(tensors) > 2:  # a state dict with a few extra entries beside its tensors
        return {str(key): item for key, item in tensors.items()}, ""
    keys = ", ".join(repr(key)[:30] for key in list(content)[:5]) or "nothing"
    raise LoadError(
        f"This checkpoint holds no model weights (it holds {keys}). Save "
        "torch.save(model.state_dict(), 'model.pth')."
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

    from loaders.torch_heads import fit_head

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
