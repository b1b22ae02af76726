"""The kinds of worker, in one table: what each has imported, what it may hold, whom it serves."""

from __future__ import annotations

import dataclasses

from xai_core.errors import ParamError
from xai_core.task import Wants


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of worker.

    `imports` come first, in that order, and then our own adapters; `extras` are what only some
    methods use: imported one by one while nobody asks for anything. `memory` is the most bytes that
    a worker may hold, `serves` what tasks call it. `reads` says that it opens model files, `draws`
    that it makes pictures of methods, which are then found as the extras are,
    and `gpu` that it may speak to a GPU where one is asked for.
    """

    name: str
    title: str
    imports: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    memory: int = 4 << 30
    serves: tuple[Wants, ...]
    reads: bool = False
    draws: bool = False
    gpu: bool = False

    @property
    def opens(self) -> bool:
        """Whether the first order of such a worker is a file to open."""
        return "model" in self.serves


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="plain",
            title="a worker",
            extras=(
                "PIL.ImageDraw",
                "PIL.ImageFont",
                "PIL.WebPImagePlugin",
                "PIL.GifImagePlugin",
                "cv2",
            ),
            memory=2 << 30,
            serves=("plain",),
            draws=True,
        ),
        Kind(
            name="torch",
            title="PyTorch",
            imports=("torch",),
            adapters=("loaders.torch.file", "loaders.torch.model"),
            extras=(
                "openvino",
                "torchvision",  # built-in models do without, and it takes as long as torch itself
                "matplotlib.pyplot",
                "cv2",
                "sklearn",
                "pytorch_grad_cam",
                "skimage.segmentation",
                "lime",
            ),
            serves=("model", "torch"),
            reads=True,
            gpu=True,
        ),
        Kind(
            name="keras",
            title="TensorFlow",
            imports=("tensorflow", "keras", "tf_keras", "h5py"),
            adapters=("loaders.keras.file", "loaders.keras.model"),
            extras=("openvino", "matplotlib.pyplot", "sklearn", "skimage.segmentation", "lime"),
            serves=("model", "keras"),
            reads=True,
        ),
        Kind(
            name="onnx",
            title="onnxruntime",
            imports=("onnxruntime",),
            adapters=("loaders.onnx.model",),
            extras=("skimage.segmentation", "lime"),
            serves=("model",),
            reads=True,
        ),
        Kind(
            name="both",
            title="both frameworks",
            # Torch goes first: TensorFlow before torchvision aborts the process.
            imports=("torch", "torchvision", "tensorflow", "keras", "tf_keras", "h5py", "xplique"),
            adapters=("loaders.torch.file", "loaders.torch.model", "loaders.keras.file"),
            extras=("skimage.segmentation",),
            memory=6 << 30,
            serves=("model", "both"),
        ),
    )
}

OURS = ("loaders.images", "loaders.load", "workers.worker")
"""What every mother imports of ours, besides all tasks and methods."""

NONE = "plain"
"""The kind without any framework."""


def kind(name: str) -> Kind:
    """Return the kind of that name. Raises ParamError."""
    if name not in KINDS:
        raise ParamError(f"A kind of worker must be one of {', '.join(KINDS)}, got {name[:40]!r}")
    return KINDS[name]
