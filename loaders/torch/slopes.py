"""Passes there and back: there as the network itself, to the last bit, and back with norms joined.

A batch normalisation that is folded into the convolution before it changes the last bits of a map,
and a ReLU at nought may then go the other way. So on the way there a convolution, its norm, what is
added and the activation do what they do in the network, but write into one map, and that map is all
that is kept of the four. On the way back the norm is a factor of the convolution's weights, which
lie in the order in which oneDNN reads them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from loaders.backend import AGREES, QUICKER, SLOPES, Refused, difference
from loaders.torch.packed import Chain, packed
from loaders.torch.traced import Step, Traced, Values, ordered, run
from loaders.torch.wrapped import Wrapped

FEW = 4
"""Channels of maps to which slopes go slowly by a step of several: oneDNN fills them up to 16."""
ROOM, PIXELS = 128 << 20, 4 * 224 * 224
"""Bytes of the joined maps of views that go at once, of which a pass there and back holds about
twice as many, and the pixels of such views: more at once are no quicker."""

Back = Callable[[torch.Tensor, torch.Size], torch.Tensor]
"""Slopes at a convolution's map and the shape of what it takes in, slopes at that out."""
_aten = torch.ops.aten
_ACTIVATIONS: Mapping[str, tuple[Callable[..., torch.Tensor], bool, Callable[..., torch.Tensor]]]
_ACTIVATIONS = {
    "relu": (torch.relu_, True, lambda slopes, out: _aten.threshold_backward(slopes, out, 0)),
    "hardtanh": (
        lambda maps, low, high: functional.hardtanh(maps, low, high, inplace=True),
        True,
        # at the bounds and beyond there is no slope, so that what came out tells as much
        lambda slopes, out, low, high: _aten.hardtanh_backward(slopes, out, low, high),
    ),
    "swish": (functional.silu, False, lambda slopes, taken: _aten.silu_backward(slopes, taken)),
    "hardswish": (
        functional.hardswish,
        False,
        lambda slopes, taken: _aten.hardswish_backward(slopes, taken),
    ),
}
"""Each activation: how it is computed, whether the way back needs what came out, and that way."""


class _Joined(torch.autograd.Function):  # type: ignore[misc]
    """A chain's map, of which nothing but the last is kept."""

    @staticmethod
    def forward(
        ctx: Any, unit: _Unit, taken: torch.Tensor, added: torch.Tensor | None
    ) -> torch.Tensor:
        out, kept = unit.there(taken, added)
        ctx.unit, ctx.shape = unit, taken.shape
        ctx.save_for_backward(*kept)
        return out

    @staticmethod
    def backward(ctx: Any, slopes: torch.Tensor) -> Any:
        slopes = ctx.unit.before_activation(slopes, *ctx.saved_tensors)
        _, first, second = ctx.needs_input_grad
        return None, ctx.unit.back(slopes, ctx.shape) if first else None, slopes if second else None


class _Unit:
    """A convolution and what follows it, both ways; called with the values of a network's nodes."""

    def __init__(self, made: Chain, parts: Mapping[str, nn.Module]) -> None:
        conv: Any = parts[str(made.first.target)]
        norm: Any = None if made.norm is None else parts[str(made.norm.target)]
        self._conv, self._norm, (self._act, self._numbers) = conv, norm, made.act
        self._takes = made.takes
        self._how = list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups
        self._packed: Any = None
        weight = conv.weight.detach()
        if norm is not None:
            scale = (norm.running_var + norm.eps).rsqrt()
            scale = scale if norm.weight is None else scale * norm.weight
            weight = weight * scale.detach().reshape(-1, 1, 1, 1)
        self._weight = weight
        self.back: Back = self._plainly

    def __call__(self, known: Values) -> torch.Tensor:
        """Return the chain's map."""
        taken, *added = (known[node] for node in self._takes)
        found: torch.Tensor = _Joined.apply(self, taken, *(added or [None]))
        return found

    def settle(self, known: Values) -> None:
        """Choose both ways by what the convolution takes in: weights in order, where that serves.

        There only where it gives the same to the last bit.
        """
        taken = known[self._takes[0]]
        ordered = packed(self._conv.weight.detach(), *self._how, taken.shape)
        own, found = self._map(taken), self._map(taken, ordered)
        if torch.equal(own, found):
            self._packed = ordered
        self.back = way_back(self._weight, *self._how, own.shape) or self._plainly

    def there(
        self, taken: torch.Tensor, added: torch.Tensor | None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """Return the chain's map, and what the way back needs of it."""
        made, norm = self._map(taken, self._packed), self._norm
        if norm is not None:
            made = functional.batch_norm(
                made,
                norm.running_mean,
                norm.running_var,
                norm.weight,
                norm.bias,
                False,
                0,
                norm.eps,
            )
        if added is not None:
            made = made.add_(added)
        if self._act not in _ACTIVATIONS:
            return made, ()
        act, of_out, _ = _ACTIVATIONS[self._act]
        out = act(made, *self._numbers)
        return out, (out if of_out else made,)

    def before_activation(self, slopes: torch.Tensor, *kept: torch.Tensor) -> torch.Tensor:
        """Return the slopes at what the activation took in."""
        if self._act not in _ACTIVATIONS:
            return slopes
        return _ACTIVATIONS[self._act][2](slopes, *kept, *self._numbers)

    def _map(self, taken: torch.Tensor, weight: Any = None) -> torch.Tensor:
        if weight is None:
            found: torch.Tensor = self._conv._conv_forward(
                taken, self._conv.weight, self._conv.bias
            )
            return found
        return _pointwise(taken, weight, self._conv.bias, *self._how)

    def _plainly(self, slopes: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        """Go back as torch does."""
        padding, stride, dilation, groups = self._how
        taken = slopes.new_empty(1).expand(shape)  # only its shape is asked for
        found: torch.Tensor = _aten.convolution_backward(
            slopes, taken, self._weight, None, stride, padding, dilation, False, [0, 0], groups,
            [True, False, False],
        )[0]  # fmt: skip
        return found


def way_back(
    weight: torch.Tensor,
    padding: list[int],
    stride: list[int],
    dilation: list[int],
    groups: int,
    out: torch.Size,
) -> Back | None:
    """Return how slopes at a convolution's map `out` go back, or None where torch's own way serves.

    By a step of one they are a convolution with the weights turned round; by a longer one, in one
    group, a transposed convolution.
    """
    kernel = list(weight.shape[2:])
    around = [d * (k - 1) - p for d, k, p in zip(dilation, kernel, padding, strict=True)]
    if stride == [1, 1]:
        if min(around) < 0:
            return None
        turned = packed(_turned(weight, groups), around, stride, dilation, groups, out)
        return lambda slopes, _: _pointwise(slopes, turned, None, around, stride, dilation, groups)
    if groups != 1:
        return None
    if weight.shape[1] <= FEW and dilation == [1, 1]:
        return _by_step(weight, padding, stride, out)
    return _transposed(weight, padding, stride, dilation)


def _turned(weight: torch.Tensor, groups: int) -> torch.Tensor:
    """Return weights `[out, in / groups, k, k]` for the way back, turned by half a turn."""
    out, taken, *kernel = weight.shape
    apart = weight.flip(2, 3).reshape(groups, out // groups, taken, *kernel)
    return apart.transpose(1, 2).reshape(groups * taken, out // groups, *kernel).contiguous()


def _transposed(
    weight: torch.Tensor, padding: list[int], stride: list[int], dilation: list[int]
) -> Back:
    kernel, made = weight.shape[2:], dict[tuple[torch.Size, torch.Size], tuple[list[int], Any]]()
    weight = weight.contiguous()

    def back(slopes: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        key = slopes.shape[2:], shape[2:]
        if key not in made:
            rows = zip(shape[2:], slopes.shape[2:], kernel, padding, stride, dilation, strict=True)
            over = [full - ((n - 1) * s - 2 * p + d * (k - 1) + 1) for full, n, k, p, s, d in rows]
            pack = torch.ops.mkldnn._reorder_convolution_transpose_weight
            given = [1, *slopes.shape[1:]]
            made[key] = over, pack(weight, padding, over, stride, dilation, 1, given)
        over, ready = made[key]
        found: torch.Tensor = torch.ops.mkldnn._convolution_transpose_pointwise(
            slopes, ready, None, padding, over, stride, dilation, 1, "none", [], ""
        )
        return found

    return back


def _by_step(
    weight: torch.Tensor, padding: list[int], stride: list[int], out: torch.Size
) -> Back | None:
    """Return how slopes go back to a few channels by a step of several pixels.

    Each place within a step is a channel of its own of one convolution, which are then laid side
    by side.
    """
    step = stride[0]
    if stride != [step, step] or weight.shape[2] != weight.shape[3] or padding[0] != padding[1]:
        return None
    made, taken, kernel, _ = weight.shape
    taps, border = -(-kernel // step), padding[0]
    filled = functional.pad(weight, (0, taps * step - kernel) * 2)
    places = filled.reshape(made, taken, taps, step, taps, step).flip(2, 4)
    apart = places.permute(1, 3, 5, 0, 2, 4).reshape(taken * step * step, made, taps, taps)
    how = [taps - 1] * 2, [1, 1], [1, 1], 1
    ready = packed(apart.contiguous(), *how, out)

    def back(slopes: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        found = torch.pixel_shuffle(_pointwise(slopes, ready, None, *how), step)
        high, wide = shape[2:]
        found = found[:, :, border : border + high, border : border + wide]
        missing = high - found.shape[2], wide - found.shape[3]
        return functional.pad(found, (0, missing[1], 0, missing[0])) if any(missing) else found

    return back


def _pointwise(
    maps: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    padding: list[int],
    stride: list[int],
    dilation: list[int],
    groups: int,
) -> torch.Tensor:
    found: torch.Tensor = torch.ops.mkldnn._convolution_pointwise.default(
        maps, weight, bias, padding, stride, dilation, groups, "none", [], ""
    )
    return found


class ThereAndBack:
    """A network's scores `[n, classes]` of views `[n, 3, h, w]`, from which slopes go back so.

    Some views settle how; `said` tells of it in a sentence, once it was tried, and `room` is how
    many views may go at once. Raises Refused where the network cannot be followed, or has no
    convolution.
    """

    def __init__(self, module: Wrapped, views: torch.Tensor) -> None:
        traced = Traced(module, (views.shape[2], views.shape[3]))
        self._module, self._photos, self._last = module, traced.photos, traced.nodes[-1]
        self.said = ""

        def joined(made: Chain) -> Step:
            return Step(made.last, made.takes, _Unit(made, traced.parts))

        steps = traced.chained(traced.nodes, {self._last}, joined)
        self._steps = ordered(steps, {self._last})
        if not any(isinstance(step.run, _Unit) for step in steps):
            raise Refused("it has no convolution to join anything with")
        maps = sum(
            4 * traced.shapes[step.node].numel() for step in steps if isinstance(step.run, _Unit)
        )
        self.room = max(1, min(ROOM // maps, PIXELS // (views.shape[2] * views.shape[3])))
        with torch.no_grad():
            known = {self._photos: module.normalised(views)}
            for step in self._steps:
                if isinstance(step.run, _Unit):
                    step.run.settle(known)
                run([step], known)

    def __call__(self, views: torch.Tensor) -> torch.Tensor:
        """Return the scores."""
        known = {self._photos: self._module.normalised(views)}
        return self._module.read(run(self._steps, known)[self._last], len(views))


def checked(module: Wrapped, views: torch.Tensor) -> ThereAndBack:
    """Return it where scores and slopes agree on some views, sooner. Raises Refused."""
    made = ThereAndBack(module, views)
    (own, took), (found, now) = (_scores_and_slopes(each, views) for each in (module, made))
    apart = [difference(b.numpy(), a.numpy()) for a, b in zip(own, found, strict=True)]
    if not (apart[0] <= AGREES and apart[1] <= SLOPES):
        raise Refused("it answers otherwise with its steps joined")
    if not own[1].any():
        raise Refused("it has no slopes to try it on")
    if now * QUICKER > took:
        raise Refused("its passes are no quicker so")
    made.said = (
        "Slopes of long runs go back by joined steps, "
        f"{took / now:.1f} times as quick when tried; they differed by at most {max(apart):.0e} "
        "of the largest."
    )
    return made


def _scores_and_slopes(
    network: Callable[[torch.Tensor], torch.Tensor], views: torch.Tensor
) -> tuple[tuple[torch.Tensor, torch.Tensor], float]:
    """Return both, and the processor seconds of it."""
    start = time.thread_time()
    given = views.detach().requires_grad_()
    with torch.enable_grad():
        scores = network(given)
        # of all classes together: one alone may not move
        some = torch.randn(scores.shape, generator=torch.Generator().manual_seed(0))
        (slopes,) = torch.autograd.grad(scores, given, some)
    return (scores.detach(), slopes), time.thread_time() - start
