"""Changed copies of a network: ReLUs by another rule, weights drawn anew, other output weights.

A copy shares all tensors that the change leaves alone, and nothing is loaded again.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import zlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from loaders.torch import notes
from loaders.torch.relu import OTHERS, Ruled
from loaders.torch.watch import Step, Watch, step_of
from loaders.torch.wrapped import Wrapped
from xai_core.changes import OutputWeights, Randomised, ReluRule
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import Finding

Array = NDArray[np.float32]
SCRIPTED = (
    "A TorchScript network is a finished program and cannot be rewritten. Export it with "
    "torch.export.save, or save its state_dict()."
)
_SHAPED = ("view", "reshape", "flatten", "squeeze", "unsqueeze", "unsafe_view", "alias", "detach")
_TYPED = ("to", "to_copy", "contiguous", "clone", "dropout")
"""Operations between a dense layer and the scores that leave each score what it is."""


@dataclasses.dataclass(frozen=True)
class Dense:
    """The dense layer that the scores come out of: its name, what it gets, and its weights.

    `inputs` are those of the photos that were tried, `[n, features]`; of one unit, `weights` and
    `bias` are those of the two classes that are made of it.
    """

    name: str
    inputs: torch.Tensor
    weights: torch.Tensor
    bias: torch.Tensor


def weighted(module: Wrapped, photos: torch.Tensor) -> tuple[str, ...]:
    """List the modules that have weights of their own, in the order in which they begin to run.

    A weight that the network itself holds, such as a class token, stands under its own name.
    """
    started: dict[str, int] = {"": -1}
    names = {part: name for name, part in module.body.named_modules()}

    def hook(part: nn.Module, args: object) -> None:
        started.setdefault(names[part], len(started))

    handles = [part.register_forward_pre_hook(hook) for part in names]
    try:
        with torch.inference_mode():
            module.logits(photos)
    finally:
        for handle in handles:
            handle.remove()

    def place(name: str) -> int:
        while name not in started:  # run by the module that holds it
            name = name.rpartition(".")[0]
        return started[name]

    own = [name for name, _ in module.body.named_parameters(recurse=False)]
    held = [name for part, name in names.items() if name and _own(part)]
    return (*own, *sorted(held, key=place))


def ruled(module: Wrapped, change: ReluRule, photos: torch.Tensor) -> tuple[Wrapped, str]:
    """Return the network with its ReLUs by the rule, and what is to be said of it."""
    if change.rule not in ("guided", "deconvolution"):
        raise ParamError(f"ReluRule.rule must be guided or deconvolution, got {change.rule!r}")
    watch, mode = Watch(), Ruled(change.rule)
    with torch.inference_mode(), watch:
        module.logits(photos)
    with torch.enable_grad(), mode:  # a copy: the network may write into what it is given
        module.logits(photos.clone().requires_grad_().clone())
    others = {step.name: 0 for step in watch.steps if step.name in OTHERS}
    for step in watch.steps:
        if step.name in others:
            others[step.name] += 1
    named = " and ".join(f"{name} ({count})" for name, count in others.items())
    if not mode.count:
        has = f"its nonlinearity is {' and '.join(others)}" if others else "it has no nonlinearity"
        raise UnsupportedModel(
            f"The rule is one for ReLUs, and the network has none: {has}. A method that takes "
            "plain gradients serves it."
        )
    made = _with(module, module.body)
    made.within = functools.partial(Ruled, change.rule)
    kept = f"Only its {mode.count} ReLUs go by the rule; other nonlinearities stay: {named}."
    return made, kept if others else ""


def randomised(module: Wrapped, change: Randomised, known: tuple[str, ...]) -> Wrapped:
    """Return the network with some layers' weights drawn anew."""
    if change.seed < 0:
        raise ParamError(f"Randomised.seed must be 0 or more, got {change.seed}")
    drawn: dict[int, nn.Parameter] = {}
    for layer in change.layers:
        if layer not in known:
            some = ", ".join(known[-3:])
            raise ParamError(
                f"Randomised.layers must be layers that have weights (such as {some}), "
                f"got {layer!r}"
            )
        for name, tensor in _parameters(module.body, layer).items():
            # each by its own name, so that it is drawn alike whatever else is
            rng = np.random.default_rng([change.seed, zlib.crc32(f"{layer}.{name}".encode())])
            drawn[id(tensor)] = _drawn(tensor, rng)
    return _with(module, _copied(module.body, drawn))


def with_output(
    module: Wrapped, change: OutputWeights, dense: Dense, photos: torch.Tensor
) -> Wrapped:
    """Return the network with other weights in its last dense layer."""
    features = dense.weights.shape[1]
    weights = torch.from_numpy(np.array(change.weights, np.float32))
    bias = torch.from_numpy(np.array(change.bias, np.float32))
    if weights.ndim != 2 or weights.shape[1] != features or not len(weights):
        raise ParamError(
            f"OutputWeights.weights must be [classes, {features}], got {list(weights.shape)}"
        )
    if bias.shape != weights.shape[:1]:
        raise ParamError(f"OutputWeights.bias must be [{len(weights)}], got {list(bias.shape)}")
    body = _copied(module.body, {})
    owner, _, name = dense.name.rpartition(".")
    old = body.get_submodule(dense.name)
    layer = nn.Linear(features, len(weights)).to(next(old.parameters()).dtype).eval()
    layer.requires_grad_(False)
    layer.weight.copy_(weights)
    layer.bias.copy_(bias)
    setattr(body.get_submodule(owner), name, layer)
    made = _with(module, body)
    made.head = dataclasses.replace(module.head, kind="logits")
    try:
        with torch.inference_mode():
            scores = made.logits(photos)
    except Exception as error:  # a stranger's forward may raise anything
        scores, why = None, f" ({str(error).splitlines()[0][:120] if str(error) else ''})"
    else:
        why = ""
    if scores is None or not _alike(scores, dense.inputs @ weights.T + bias):
        raise UnsupportedModel(
            f"The network does not bear {len(weights)} classes in its last dense layer "
            f"{dense.name}{why}: its own code does more with the scores."
        )
    return made


def output(module: Wrapped, photos: torch.Tensor) -> Dense:
    """Return the dense layer that the scores come straight out of. Raises UnsupportedModel."""
    found: list[tuple[str, torch.Tensor, Step | None]] = []
    names = {part: name for name, part in module.body.named_modules() if name and _is_dense(part)}

    def hook(part: nn.Module, args: tuple[Any, ...], answer: Any) -> None:
        if args and isinstance(args[0], torch.Tensor) and isinstance(answer, torch.Tensor):
            found.append((names[part], args[0], _bare(step_of(answer))))

    watch = Watch()
    handles = [part.register_forward_hook(hook) for part in names]
    try:
        with torch.inference_mode():
            begun = watch.begin(photos.view_as(photos))
            with watch:
                scores = module.scores(begun)
            logits = module.classes(scores)
    finally:
        for handle in handles:
            handle.remove()
    last = _bare(step_of(scores))
    for name, given, step in found:
        if step is None or step is not last:
            continue
        with torch.inference_mode():
            dense = _dense(module, name, given.reshape(len(photos), -1).float())
            if _alike(logits, dense.inputs @ dense.weights.T + dense.bias):
                return dense
    end = f"They come out of {last.name.replace('_', ' ')}." if last else ""
    raise UnsupportedModel(
        "The scores do not come straight out of a dense layer, so that there are no weights of "
        f"classes over features. {end}".rstrip()
    )


def _dense(module: Wrapped, name: str, inputs: torch.Tensor) -> Dense:
    part: Any = module.body.get_submodule(name)
    weights = part.weight.detach().float().clone()
    bias = weights.new_zeros(len(weights)) if part.bias is None else part.bias.detach().float()
    if module.head.kind == "sigmoid" and len(weights) == 1:
        weights, bias = torch.cat([-weights, weights]) / 2, torch.cat([-bias, bias]) / 2
    if inputs.shape[1] != weights.shape[1]:
        inputs = inputs.new_full((len(inputs), weights.shape[1]), torch.nan)
    return Dense(name, inputs.clone(), weights, bias.clone())


def _is_dense(part: nn.Module) -> bool:
    weight = getattr(part, "weight", None)
    return isinstance(weight, torch.Tensor) and weight.ndim == 2 and hasattr(part, "bias")


def _bare(step: Step | None) -> Step | None:
    """Return the operation whose scores these are, before what only shapes them."""
    while step is not None and step.name in (*_SHAPED, *_TYPED):
        step = next((source for source in step.sources if source is not None), None)
    return step


def _own(part: nn.Module) -> dict[str, nn.Parameter]:
    return dict(part.named_parameters(recurse=False))


def _parameters(body: nn.Module, layer: str) -> dict[str, nn.Parameter]:
    """Return the weights of a name that `weighted` gives."""
    own = _own(body)
    return {"": own[layer]} if layer in own else _own(body.get_submodule(layer))


def _drawn(tensor: torch.Tensor, rng: np.random.Generator) -> nn.Parameter:
    values = tensor.detach().double()
    mean, deviation = float(values.mean()), float(values.std(unbiased=False))
    drawn = torch.from_numpy(rng.normal(mean, deviation, tuple(tensor.shape)))
    made = torch.empty_like(tensor).copy_(drawn)  # as the old one lies in memory
    return nn.Parameter(made, requires_grad=False)


def _copied(body: nn.Module, drawn: dict[int, nn.Parameter]) -> nn.Module:
    """Return a copy with some weights replaced, that shares the others."""
    memo: dict[int, Any] = {
        id(tensor): drawn.get(id(tensor), tensor) for tensor in body.parameters()
    }
    memo |= notes.joined(body)
    for part in body.modules():
        # what an export notes of itself: tensors without values, which cannot be copied
        said = [part.__dict__.get(name) for name in ("meta", "input_placeholders")]
        memo |= {id(note): note for note in said if note is not None}
    try:
        return copy.deepcopy(body, memo)
    except Exception as error:  # a stranger's class may refuse it
        raise UnsupportedModel(
            f"No copy of the network can be made to change ({str(error)[:120]})."
        ) from error


def _with(module: Wrapped, body: nn.Module) -> Wrapped:
    """Return the same wrapping around another body."""
    made = copy.copy(module)
    made._modules = {**module._modules, "body": body}
    return made


def _alike(got: torch.Tensor, wanted: torch.Tensor) -> bool:
    scale = float(wanted.abs().max())
    return got.shape == wanted.shape and bool(
        torch.allclose(got, wanted, rtol=1e-3, atol=1e-4 * scale + 1e-7)
    )


def said(text: str) -> tuple[Finding, ...]:
    """Return a finding of a copy."""
    return (Finding("warning", text),) if text else ()
