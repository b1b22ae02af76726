"""What a PyTorch or safetensors file holds: tensors, or a whole module; read strictly.

Of a pickle nothing is made but tensors, the layers of an allow-list and, in the sandbox, the
classes of a source that came with it. What else it names stays unread, or refuses the file.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loaders import other_networks, source
from loaders.formats import SAFETENSORS, TORCH_LEGACY, TORCH_ZIP
from loaders.labels import Inside
from loaders.options import Options
from loaders.other_files import FileKind
from loaders.torch import build, inert, older, published, unwrap
from loaders.torch.allowed import allowed
from loaders.torch.sets import Held, Weights, choose, find
from xai_core.errors import LoadError, NeedsSource, UnsupportedModel
from xai_core.model import Finding

_WRAPPERS = {
    inert.COMPILED: "torch.compile's wrapper",
    "torch.nn.parallel.distributed.DistributedDataParallel": "DistributedDataParallel",
    "torch.distributed.fsdp.fully_sharded_data_parallel.FullyShardedDataParallel": "FSDP",
}
MAX_RECORDS = 32_000_000
"""Bytes of a pickle without its tensors: reading one of ten million entries takes a minute."""

_DANGEROUS = ("builtins", "os", "posix", "nt", "subprocess", "sys", "commands", "shutil", "socket")


@dataclasses.dataclass(frozen=True)
class Content:
    """What a file holds: a whole network, or else the sets of weights, the outer ones first.

    `inside` is the checkpoint's key that held the network; `names` are names of classes.
    """

    module: Any
    sets: tuple[Weights, ...]
    inside: str
    names: tuple[Inside, ...]
    said: tuple[Finding, ...]


def read(path: Path, kind: FileKind, options: Options) -> Content:
    """Read a file strictly.

    Raises LoadError for a file that is damaged, unsafe or holds neither, and NeedsSource for one
    of classes that are not here.
    """
    said: tuple[Finding, ...] = ()
    if kind is SAFETENSORS:
        content: Any = _read_safetensors(path)
    else:
        content, said = _read_pickle(path, kind, options)
    held = _networks(find(content))
    if held.modules:
        paths = list(held.modules)
        asked = options.weights if _is_in(options.weights, paths) or not held.sets else ""
        if asked or not options.weights:
            taken, chosen = choose(paths, asked)
            module = unwrap.module(held.modules[paths[taken]])
            for key, tensor in module.state_dict().items():
                _refuse_tensor(key, tensor)
            module = older.complete(module).float().eval()
            return Content(module, (), paths[taken], held.names, (*said, *chosen))
    if not held.sets:
        raise _no_weights(content)
    sets = []
    for each in held.sets:
        for key, tensor in each.tensors.items():
            _refuse_tensor(key, tensor)
        tensors, folded = unwrap.plain(each.tensors)
        sets.append(Weights(each.path, tensors))
        said = (*said, *folded)
    return Content(None, tuple(sets), "", held.names, tuple(dict.fromkeys(said)))


def _networks(held: Held) -> Held:
    """Leave out modules that are no networks of photos beside one: criteria, heads by themselves.

    Where the weights hold convolutions and no module does, the weights are the network.
    """
    whole = {path: each for path, each in held.modules.items() if _convolves(each.state_dict())}
    if whole or any(_convolves(each.tensors) for each in held.sets):
        return dataclasses.replace(held, modules=whole)
    return held


def _convolves(state: Mapping[str, Any]) -> bool:
    return any(tensor.ndim == 4 for tensor in state.values())


def _is_in(asked: str, paths: Sequence[str]) -> bool:
    return bool(asked) and any(asked.lower() in path.lower() for path in paths)


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
        if kind is TORCH_ZIP and (found := _read_compiled(path) or _read_weights_alone(path)):
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

    known = [*allowed(), older.BACKEND, *classes]
    with torch.serialization.safe_globals(known):
        if kind is TORCH_LEGACY:
            stream = older.without_sources(path)
            return torch.load(stream, map_location="cpu", weights_only=True)[-1]
        return torch.load(path, map_location="cpu", weights_only=True)


def _read_compiled(path: Path) -> tuple[Any, tuple[Finding, ...]] | None:
    """Return a checkpoint whose network was wrapped by torch.compile, or None."""
    import torch

    try:
        with torch.serialization.safe_globals(list(allowed())):
            names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        return (inert.read_compiled(path, names), ()) if inert.COMPILED in names else None
    except Exception:  # a damaged pickle may raise anything: the refusal says why
        return None


def _read_weights_alone(path: Path) -> tuple[Any, tuple[Finding, ...]] | None:
    """Return a checkpoint that keeps its weights beside records of classes that are not here."""
    import torch

    try:
        with torch.serialization.safe_globals(list(allowed())):
            names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
        if not all(_is_record(name) for name in names):
            return None
        content = inert.read(path, names)
        if content is None:
            return None
        held = find(content)
        if not held.modules and not held.sets:
            return None
    except Exception:  # a damaged pickle may raise anything: the refusal says why
        return None
    said = (
        "Beside the weights the file holds objects of classes that are not here, which were left "
        f"unread: {source.shown(', '.join(names), 120)}."
    )
    return content, (Finding("info", said),)


def _is_record(name: str) -> bool:
    return name.split(".")[0] not in _DANGEROUS and inert.is_record(name)


def _read_with_source(path: Path, kind: FileKind, text: str) -> tuple[Any, tuple[Finding, ...]]:
    """Return what a checkpoint holds, with the classes that it names taken from their source."""
    import pickle

    import torch

    if kind is TORCH_LEGACY:
        names = older.names(path)
    else:
        names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    with published.left_out([]):
        taken = build.named_by(source.run(text), names)
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
        pickles = (m.file_size for m in archive.infolist() if m.filename.endswith("data.pkl"))
        records = max(pickles, default=0)
    if unpacked > 50_000_000 and unpacked > 20 * packed:
        raise LoadError(
            f"This PyTorch file would unpack to {unpacked / 1e6:,.0f} MB from "
            f"{packed / 1e6:,.1f} MB, which no trained model does: it is refused."
        )
    if records > MAX_RECORDS:
        raise LoadError(
            f"This PyTorch file holds {records / 1e6:,.0f} MB of records beside its tensors, more "
            f"than the {MAX_RECORDS / 1e6:,.0f} MB that are read. Save the weights alone: "
            "torch.save(model.state_dict(), 'model.pth')."
        )


def _refuse_tensor(key: str, tensor: Any) -> None:
    shown = repr(key)[:80]
    if tensor.is_quantized:
        raise UnsupportedModel(
            f"The tensor {shown} is quantised. Bring the float model that it was made from."
        )
    if tensor.is_meta:
        raise LoadError(
            f"The tensor {shown} has a shape and no numbers: it was saved from the 'meta' device, "
            "where nothing is kept. Load the weights before you save the model."
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
        if said := other_networks.by_class(name):
            return LoadError(said)
        owner, _, last = name.rpartition(".")
        if owner.split(".")[0] in _DANGEROUS or not last.lstrip("_")[:1].isupper():
            return LoadError(
                f"This file holds a whole Python object ({name}), not only weights, and opening it "
                f"could run code. {way_out}"
            )
        if wrapper := _WRAPPERS.get(name):
            return LoadError(
                f"This file holds a network inside {wrapper}, which cannot be read with what is "
                f"inside it. Save the weights of the network itself: torch.save(model."
                f"{'_orig_mod' if name == inert.COMPILED else 'module'}.state_dict(), 'model.pth')."
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


def _no_weights(content: object) -> LoadError:
    import torch

    way_out = "Save torch.save(model.state_dict(), 'model.pth')"
    if isinstance(content, torch.Tensor):
        return LoadError(
            f"This file holds one tensor {list(content.shape)}, not a model's weights. {way_out}."
        )
    if not isinstance(content, Mapping):
        return LoadError(
            f"This file holds a {type(content).__name__}, not a model's weights. {way_out}."
        )
    if any(str(key)[:40].startswith(("param_groups", "optim")) for key in content):
        return LoadError(
            "This is an optimiser's checkpoint without the model's weights. Save "
            "torch.save(model.state_dict(), 'model.pth') beside it."
        )
    keys = ", ".join(repr(str(key)[:30]) for key in list(content)[:5]) or "nothing"
    return LoadError(f"This checkpoint holds no model weights (it holds {keys}). {way_out}.")
