"""A PyTorch network out of its class's source: for a pickle that names it, or for bare weights."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from loaders.recognise import is_counter, is_training, prefixes
from loaders.source import evaluate, missing_of, own, shown, telling
from loaders.torch.sets import State, Weights, choose
from xai_core.errors import NeedsSource
from xai_core.model import Finding

_COUNTS = (
    *("num_classes", "n_classes", "nclasses", "classes", "num_class", "n_class", "nb_classes"),
    *("num_labels", "num_outputs", "out_features", "output_dim", "out_dim"),
)
"""Parameters that mean how many classes there are, by the names that people give them."""

_CHANNELS = ("in_channels", "in_chans", "input_channels", "n_channels", "num_channels", "channels")
_MAKERS = re.compile(r"model|net|build|make|create", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class _Way:
    """One way to make a network: the expression, and the call that it stands for."""

    text: str
    make: Callable[[], Any]


def named_by(module: types.ModuleType, names: Sequence[str]) -> list[tuple[Any, str]]:
    """Return the source's classes under the names that a pickle asks for, `package.module.Net`."""
    defined = own(module)
    return [
        (defined[name.rpartition(".")[2]], name)
        for name in names
        if name.rpartition(".")[2] in defined
    ]


@dataclasses.dataclass(frozen=True)
class Made:
    """A network filled with weights, how it was built, and where the weights were.

    `matched` is its number of tensors.
    """

    module: Any
    text: str
    matched: int
    place: str
    findings: tuple[Finding, ...]


@dataclasses.dataclass(frozen=True)
class _Fit:
    """A set of weights under one prefix, by the network's names, and what does not fit."""

    place: str
    state: State
    misfits: list[str]


def network(module: types.ModuleType, expression: str, sets: Sequence[Weights], asked: str) -> Made:
    """Return a network filled with one of the sets of weights, under whatever prefix.

    Without an expression the source's classes are tried; `asked` names the set to take where more
    than one fits. Raises NeedsSource where none fits in full, or where more than one class does.
    """
    if expression:
        made = _checked(evaluate(module, expression), expression)
        fits = _fits(made, sets)
        if fits[0].misfits:
            raise _misfit(expression, fits[0].misfits)
        return _filled(made, expression, fits, asked)
    problems: list[NeedsSource] = []
    closest: tuple[int, NeedsSource] | None = None
    for ways in _groups(module, max(sets, key=lambda each: len(each.tensors)).tensors):
        fitting: list[tuple[str, Any, list[_Fit]]] = []
        for one in ways:
            for way in one:
                try:
                    with telling(way.text):
                        made = _checked(way.make(), way.text)
                    fits = _fits(made, sets)
                except NeedsSource as error:
                    problems.append(error)
                    continue
                misfits = fits[0].misfits
                if not misfits:
                    fitting.append((way.text, made, fits))
                    break
                if closest is None or len(misfits) < closest[0]:
                    closest = len(misfits), _misfit(way.text, misfits)
        if len(fitting) > 1:
            both = " and ".join(text for text, _, _ in fitting[:2])
            raise NeedsSource(
                f"The weights fit more than one network of the source, {both}. Say which under "
                "'How it is built'."
            )
        for text, made, fits in fitting:
            return _filled(made, text, fits, asked)
    if closest is not None:
        raise closest[1]
    if problems:
        raise problems[0]
    way_out = "Send the class of the network, with whatever it uses."
    if absent := ", ".join(shown(name, 40) for name in missing_of(module)[:6]):
        raise NeedsSource(
            f"The source imports {absent}, which is not here, and defines no torch.nn.Module of "
            f"its own. {way_out}"
        )
    raise NeedsSource(f"The source defines no torch.nn.Module. {way_out}")


def _groups(module: types.ModuleType, state: State) -> Iterator[list[list[_Way]]]:
    """Yield what may be the network, the likelier first: a list of ways for each."""
    from torch import nn

    instances = {name: item for name, item in vars(module).items() if isinstance(item, nn.Module)}
    yield [[_Way(name, _gives(item))] for name, item in instances.items()]
    classes = {
        name: item
        for name, item in own(module).items()
        if isinstance(item, type) and issubclass(item, nn.Module)
    }
    parts = {
        name
        for name in classes
        if any(name in _mentions(item) for other, item in classes.items() if other != name)
    }
    guesses = _guesses(state)
    yield [_ways(name, item, guesses) for name, item in classes.items() if name not in parts]
    yield [
        _ways(name, item, guesses)
        for name, item in own(module).items()
        if not isinstance(item, type) and _MAKERS.search(name)
    ]
    yield [_ways(name, item, guesses) for name, item in classes.items() if name in parts]


def _gives(item: Any) -> Callable[[], Any]:
    return lambda: item


def _mentions(cls: type) -> set[str]:
    """Return the names that a class's own functions use."""
    waiting = [item.__code__ for item in vars(cls).values() if hasattr(item, "__code__")]
    names: set[str] = set()
    while waiting:
        code = waiting.pop()
        names.update(code.co_names)
        waiting += [inner for inner in code.co_consts if isinstance(inner, types.CodeType)]
    return names


def _guesses(state: State) -> dict[str, int]:
    """Return what the weights say of a constructor's parameters, by the parameters' names."""
    matrices = [tensor for tensor in state.values() if tensor.ndim in (2, 4)]
    kernels = [tensor for tensor in matrices if tensor.ndim == 4]
    known = dict.fromkeys(_COUNTS, int(matrices[-1].shape[0])) if matrices else {}
    return known | (dict.fromkeys(_CHANNELS, int(kernels[0].shape[1])) if kernels else {})


def _ways(name: str, make: Callable[..., Any], guesses: Mapping[str, int]) -> list[_Way]:
    """Return the calls to try: as it stands, and with what the weights say."""
    empty = inspect.Parameter.empty
    with telling(name):
        parameters = [
            each
            for each in inspect.signature(make).parameters.values()
            if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        ]
    needed = [each.name for each in parameters if each.default is empty]
    given = {
        each.name: guesses[each.name]
        for each in parameters
        if each.name in guesses and each.default != guesses[each.name]
    }
    ways = [] if needed else [_Way(f"{name}()", make)]
    unknown = [each for each in needed if each not in given]
    if unknown:
        return [*ways, _Way(f"{name}({', '.join(f'{each}=...' for each in unknown)})", make)]
    if given:
        text = ", ".join(f"{key}={value}" for key, value in given.items())
        ways.append(_Way(f"{name}({text})", lambda: make(**given)))
    return ways


def _checked(made: Any, expression: str) -> Any:
    from torch import nn

    if not isinstance(made, nn.Module):
        raise NeedsSource(
            f"{shown(expression)} makes a {type(made).__name__[:60]} and not a torch.nn.Module. "
            "Say how the network is built, as in Net(num_classes=5)."
        )
    return made


def _fits(made: Any, sets: Sequence[Weights]) -> list[_Fit]:
    """Return the sets under the prefixes that they may have, the best fitting ones alone."""
    with telling("its state_dict()"):
        network = {key: tuple(tensor.shape) for key, tensor in made.state_dict().items()}
    found = []
    for each in sets:
        whole = [
            prefix
            for prefix in prefixes(network, each.tensors)
            if all(prefix + key in each.tensors for key in network if not is_counter(key))
        ]
        for prefix in whole or [""]:
            others = tuple(other for other in whole if not prefix.startswith(other))
            state = {}
            misfits: list[str] = []
            for key, tensor in each.tensors.items():
                if key.startswith(prefix) and not (others and key.startswith(others)):
                    name = key.removeprefix(prefix)
                    if name in network or not is_training(name):
                        state[name] = tensor
                elif not (others and key.startswith(others)) and not is_training(key):
                    misfits.append(_more(key))
            misfits = [*_misfits(network, state), *misfits]
            place = ".".join(part for part in (each.path, prefix.strip(".")) if part)
            found.append(_Fit(place, state, misfits))
    fewest = min(len(fit.misfits) for fit in found)
    return [fit for fit in found if len(fit.misfits) == fewest]


def _more(key: str) -> str:
    return f"the tensor {shown(key)!r} is in the file and not in the network"


def _misfits(network: Mapping[str, tuple[int, ...]], state: State) -> list[str]:
    said = []
    for key in [*network, *(key for key in state if key not in network)]:
        if key.endswith("num_batches_tracked"):  # PyTorch before 0.4.1 had none
            continue
        name = repr(shown(key))
        if key not in state:
            said.append(f"the tensor {name} is not in the file")
        elif key not in network:
            said.append(_more(key))
        elif tuple(state[key].shape) != network[key]:
            said.append(
                f"the tensor {name} is {list(state[key].shape)} in the file and "
                f"{list(network[key])} in the network"
            )
    return said


def _misfit(expression: str, misfits: Sequence[str]) -> NeedsSource:
    more = f" (and {len(misfits) - 1:,} more)" if len(misfits) > 1 else ""
    return NeedsSource(
        f"The weights do not fit {shown(expression)}: {misfits[0]}{more}. Send the source that "
        "they were trained with, or say how it is built, as in Net(num_classes=5)."
    )


def _filled(made: Any, text: str, fits: Sequence[_Fit], asked: str) -> Made:
    taken, chosen = choose([fit.place for fit in fits], asked)
    fit = fits[taken]
    with telling("load_state_dict()"):
        made.load_state_dict(dict(fit.state), strict=False)
        return Made(made.float().eval(), text, len(made.state_dict()), fit.place, chosen)
