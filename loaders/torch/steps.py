"""What a PyTorch network did in a pass, in the words in which any network is told."""

from __future__ import annotations

from collections.abc import Sequence

from loaders.torch.axes import Grid
from loaders.torch.watch import Step
from xai_core.stages import Ran

_PLAIN = {
    "batch_norm": "batch normalisation", "native_batch_norm": "batch normalisation",
    "cudnn_batch_norm": "batch normalisation", "layer_norm": "layer normalisation",
    "native_layer_norm": "layer normalisation", "rms_norm": "normalisation",
    "group_norm": "group normalisation", "native_group_norm": "group normalisation",
    "instance_norm": "normalisation", "relu": "ReLU", "relu6": "ReLU6", "leaky_relu": "leaky ReLU",
    "prelu": "leaky ReLU", "gelu": "GELU", "silu": "SiLU", "hardswish": "hard swish", "elu": "ELU",
    "selu": "ELU", "celu": "ELU", "tanh": "tanh", "sigmoid": "sigmoid", "hardsigmoid": "sigmoid",
    "max_pool2d": "max pooling", "max_pool2d_with_indices": "max pooling",
    "avg_pool2d": "average pooling", "adaptive_avg_pool2d": "average pooling",
    "adaptive_max_pool2d": "max pooling", "native_multi_head_attention": "attention",
    "scaled_dot_product_attention": "attention", "upsample_nearest2d": "enlarging",
    "upsample_bilinear2d": "enlarging",
}  # fmt: skip
_CONVOLUTIONS = ("conv2d", "convolution", "mkldnn_convolution")
_PRODUCTS = ("linear", "addmm")
_CLIPS = ("hardtanh", "clamp", "clip")


def ran(steps: Sequence[Step]) -> tuple[Ran, ...]:
    """Return the layers among a pass's operations, in their order; arithmetic is left out."""
    found: list[Ran] = []
    before: Step | None = None
    for step in steps:
        again = before is not None and step.inputs is before.inputs and step.name == before.name
        before = step
        if again or not any(step.sources):  # a second output; or of the weights alone
            continue
        part = _part(step)
        if part:
            found.append(Ran(part, _size(step), _channels(step)))
    return tuple(found)


def _size(step: Step) -> tuple[int, int] | None:
    """Return the size of the map that an operation gave."""
    axes, shape = step.axes, step.shape
    if axes is None:
        return (1, 1) if len(shape) == 2 else None
    grid = next((axis for axis in axes if isinstance(axis, Grid)), None)
    if grid is not None and axes[0] is grid:
        return None  # a map cut into windows, which stand where photos do
    if grid is not None:
        return grid.height, grid.width
    if "h" in axes and "w" in axes:
        return shape[axes.index("h")], shape[axes.index("w")]
    return (1, 1) if len(shape) == 2 else None


def _channels(step: Step) -> int:
    """Return how many channels it gave, 0 where that is not known."""
    if step.axes is None or isinstance(step.axes[0], Grid):
        return step.shape[-1] if len(step.shape) == 2 else 0
    rest = [
        side
        for side, axis in zip(step.shape, step.axes, strict=True)
        if axis not in ("n", "h", "w") and not isinstance(axis, Grid)
    ]
    return rest[-1] if rest else 0


def _part(step: Step) -> str:
    """Return what an operation is called, or nothing for what is no layer."""
    name, size = step.name, _size(step)
    if "conv_transpose2d" in name or name in _CONVOLUTIONS:
        return _convolution(step)
    if name in _PRODUCTS:
        return "dense layer" if size == (1, 1) else "dense layer at each place"
    if name in _CLIPS:
        return "ReLU6" if tuple(step.arguments[:2]) == (0, 6) else ""
    if name in ("mean", "amax") and size in (None, (1, 1)):
        return _over_all_places(step, "average" if name == "mean" else "max")
    if name == "softmax":
        return "attention" if len(step.shape) > 2 else "softmax"
    if name == "add":
        return _added(step)
    inner = [source for source in step.sources if source is not None]
    if name == "mul":
        spread = any(len(shape) == 4 and 1 in shape[1:] for shape in step.inputs)
        return "gate" if spread and len(inner) == 2 and len(set(step.inputs)) == 2 else ""
    if name == "cat":
        return "joining" if len(inner) > 1 and len(step.shape) == 4 else ""
    part = _PLAIN.get(name, "")
    if part.endswith("pooling"):
        if size == (1, 1):
            return f"global {part}"
        if name.startswith("adaptive") and step.inputs[0] == step.shape:
            return ""  # it changes nothing at this size
    return part


def _convolution(step: Step) -> str:
    weights, channels = step.inputs[1], step.inputs[0][1]
    if len(weights) != 4:
        return ""
    out, each, *sides = weights
    turned = next((said for said in step.arguments if isinstance(said, bool)), False)
    if turned or "transpose" in step.name:
        return f"{sides[0]} x {sides[1]} transposed convolution"
    if each == 1 and channels > 1 and out % channels == 0:
        return f"{sides[0]} x {sides[1]} depthwise convolution"
    if each < channels:
        return f"{sides[0]} x {sides[1]} grouped convolution"
    return f"{sides[0]} x {sides[1]} convolution"


def _over_all_places(step: Step, how: str) -> str:
    source = next((each for each in step.sources if each is not None), None)
    if source is None or _size(source) in (None, (1, 1)):
        return ""
    return f"global {how} pooling"


def _added(step: Step) -> str:
    """Tell a shortcut from a position, and both from other sums."""
    inner = [source for source in step.sources if source is not None]
    if len(step.inputs) != 2:
        return ""
    if len(inner) == 2:
        return "sum" if step.inputs[0] == step.inputs[1] else ""
    tokens = step.axes is not None and any(isinstance(axis, Grid) for axis in step.axes[1:])
    tokens = tokens and len(step.shape) == 3
    return "position" if tokens and step.inputs[0][-2:] == step.inputs[1][-2:] else ""
