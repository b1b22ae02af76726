"""Which object detector of torchvision's weights belong to, by their tensors, and how it is built.

A network is told by a tensor that no other has, its number of classes by its last layer's rows; all
of its tensors must then fit in name and shape. The built-in detector is a row of the same table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from loaders import catalogue, vitrine_detector
from loaders.labels import labels_for
from loaders.options import Options
from loaders.preprocessing import Preprocessing, preset
from loaders.torch.networks import unfilled
from xai_core.errors import LoadError, ParamError
from xai_core.model import Finding

State = Mapping[str, Any]

_ROI = "roi_heads.box_predictor.cls_score.weight"
_DENSE = "head.classification_head.cls_logits.weight"
_SSD = "head.classification_head.module_list.0.weight"
_SSDLITE = "head.classification_head.module_list.0.1.weight"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """A detector: by which tensors it is told, and how its photos are prepared.

    `scores` is the layer of its class scores, which has one row for each class and each of
    `anchors`; `needs` begin the names of what it alone has, `never` of what it has not. `side` is
    the longer side of the view in pixels; a `fixed` one takes photos stretched to a square. An
    `exact` one was published with norms that add nothing to the variance they divide by.
    """

    name: str
    scores: str
    anchors: int = 1
    needs: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    side: int = 800
    fixed: bool = False
    exact: bool = False
    library: str = "torchvision"


_RESNET = "backbone.body.layer4.2.conv3."
_MOBILE = "backbone.body.0.0."
_NORMED = "rpn.head.conv.1."
_MASKS = "roi_heads.mask_predictor."
_POINTS = "roi_heads.keypoint_predictor."
_CENTRES = "head.regression_head.bbox_ctrness."

TABLE = (
    Row(
        name="vitrine_detector",
        scores=_ROI,
        needs=("backbone.near.",),
        side=vitrine_detector.SIDE,
        library="Vitrine",
    ),
    Row(
        name="fasterrcnn_resnet50_fpn_v2",
        scores=_ROI,
        needs=(_RESNET, _NORMED),
        never=(_MASKS, _POINTS),
    ),
    Row(
        name="fasterrcnn_resnet50_fpn",
        exact=True,
        scores=_ROI,
        needs=(_RESNET,),
        never=(_NORMED, _MASKS, _POINTS),
    ),
    Row(name="maskrcnn_resnet50_fpn_v2", scores=_ROI, needs=(_RESNET, _NORMED, _MASKS)),
    Row(
        name="maskrcnn_resnet50_fpn",
        exact=True,
        scores=_ROI,
        needs=(_RESNET, _MASKS),
        never=(_NORMED,),
    ),
    Row(name="fasterrcnn_mobilenet_v3_large_fpn", scores=_ROI, needs=(_MOBILE,)),
    Row(name="fcos_resnet50_fpn", scores=_DENSE, needs=(_CENTRES,)),
    Row(
        name="retinanet_resnet50_fpn_v2",
        scores=_DENSE,
        anchors=9,
        needs=("head.classification_head.conv.0.1.",),
        never=(_CENTRES,),
    ),
    Row(
        name="retinanet_resnet50_fpn",
        exact=True,
        scores=_DENSE,
        anchors=9,
        never=("head.classification_head.conv.0.1.", _CENTRES),
    ),
    Row(name="ssd300_vgg16", scores=_SSD, anchors=4, side=300, fixed=True),
    Row(
        name="ssdlite320_mobilenet_v3_large",
        scores=_SSDLITE,
        anchors=6,
        side=320,
        fixed=True,
    ),
)

SIZED = {"fasterrcnn_mobilenet_v3_large_fpn": "fasterrcnn_mobilenet_v3_large_320_fpn"}
"""A network whose tensors are those of another too, which was made for smaller photos."""

SMALL = 320
"""The longest side in pixels of photos that are taken for the smaller one's."""


@dataclasses.dataclass(frozen=True)
class Found:
    """A detector's row, what stands before its tensors' names, and its classes with background."""

    row: Row
    prefix: str
    classes: int


def find(shapes: Mapping[str, tuple[int, ...]]) -> Found | None:
    """Return the detector that these tensors are told to be, or None."""
    for last in (_ROI, _DENSE, _SSD, _SSDLITE):
        for name in shapes:
            if name.endswith(last) and len(name) - len(last) < 100:
                prefix = name[: len(name) - len(last)]
                if prefix == "" or prefix.endswith("."):
                    return _row(shapes, last, prefix)
    return None


def _row(shapes: Mapping[str, tuple[int, ...]], last: str, prefix: str) -> Found | None:
    def has(start: str) -> bool:
        return any(name.startswith(prefix + start) for name in shapes)

    for row in TABLE:
        told = row.scores == last and all(map(has, row.needs)) and not any(map(has, row.never))
        if told:
            rows = shapes[prefix + last][0]
            if rows % row.anchors == 0 and rows // row.anchors >= 2:
                return Found(row, prefix, rows // row.anchors)
    return None


def counted(shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    """Return how many classes with the background these tensors tell of, or None.

    An export may have merged and renamed all but the last layer's.
    """
    if found := find(shapes):
        return found.classes
    dense = 1 if any(name.endswith(_CENTRES + ".weight") for name in shapes) else 9
    for last, anchors in ((_ROI, 1), (_DENSE, dense), (_SSD, 4), (_SSDLITE, 6)):
        for name, sides in shapes.items():
            if name.endswith(last) and sides and sides[0] % anchors == 0:
                return sides[0] // anchors if sides[0] // anchors >= 2 else None
    return None


def build(
    found: Found, state: State, size: tuple[int, int] | None = None
) -> tuple[Any, tuple[Finding, ...]]:
    """Return the network, filled, and what is to be known of it. Raises LoadError.

    `size` is that of the photos, where it was asked for.
    """
    row = found.row
    small = SIZED[row.name] if row.name in SIZED and size and max(size) <= SMALL else ""
    with unfilled():
        module = _made(row, found.classes, small)
    start = len(found.prefix)
    own = {name[start:]: tensor for name, tensor in state.items() if name.startswith(found.prefix)}
    wanted = module.state_dict()
    counted = [name for name in wanted if not name.endswith("num_batches_tracked")]
    for name in counted:
        if name not in own:
            raise LoadError(f"{_head(row)}, but the tensor {name!r} is missing. {_WAY_OUT}")
        if own[name].shape != wanted[name].shape:
            have, want = list(own[name].shape), list(wanted[name].shape)
            raise LoadError(
                f"{_head(row)}, but the tensor {name!r} is {have} in the place of {want}. "
                f"{_WAY_OUT}"
            )
    spare = [n for n in own if n not in wanted and not n.endswith("num_batches_tracked")]
    if spare:
        raise LoadError(f"{_head(row)}, but it has no tensor {ascii(spare[0])[:80]}. {_WAY_OUT}")
    for name in counted:
        wanted[name].copy_(own[name])
    if getattr(getattr(module, "roi_heads", None), "mask_predictor", None) is not None:
        heads = module.roi_heads  # its boxes are asked for, and no masks
        heads.mask_roi_pool = heads.mask_head = heads.mask_predictor = None
    frozen = row.exact and not any(name.endswith("num_batches_tracked") for name in own)
    if frozen:
        _divide_exactly(module)
    title = small or row.name
    title = title if row.library == "Vitrine" else f"torchvision {title}"
    behind = f", behind the prefix {found.prefix!a}," if found.prefix else ""
    said = [
        Finding(
            "info",
            f"Recognised as {title}{behind} by its tensors: all {len(counted)} of the network's "
            "match in name and shape.",
        )
    ]
    if frozen:
        said.append(
            Finding(
                "info",
                "Its body's norms are frozen: they divide by the variance as it stands, as in "
                "the published weights and what is trained from them.",
            )
        )
    if row.name in SIZED and not small:
        said.append(
            Finding(
                "info",
                f"{SIZED[row.name]} has the same tensors and was made for photos of 320 pixels: "
                "if it is that one, ask for that size.",
                "size",
            )
        )
    return module.eval(), tuple(said)


_WAY_OUT = (
    "Bring the weights of the whole detector, or of one whose body and anchors are torchvision's."
)


def _head(row: Row) -> str:
    return f"These weights are told to be torchvision's {row.name}"


def _made(row: Row, classes: int, small: str) -> Any:
    if row.library == "Vitrine":
        return vitrine_detector.build(classes)
    from torchvision.models import get_model

    return get_model(small or row.name, weights=None, weights_backbone=None, num_classes=classes)


def _divide_exactly(module: Any) -> None:
    """Let the body's norms add nothing to the variance, as torchvision does for these weights."""
    from torch import nn

    for part in module.backbone.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eps = 0.0


COCO = 91
"""The classes of a detector that was trained on COCO, with the background and eleven unused."""


def labels(
    classes: int | None, options: Options, inside: Mapping[str, Any]
) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Return the names of the classes, without the background, and what to say of them.

    `classes` counts the background, and a list that a person gives may begin with it. Where nothing
    tells how many there are, they are as many as are named, or else COCO's.
    """
    given = options.classes
    count = COCO - 1
    if classes is not None:
        count = classes - 1
        if given is not None and len(given) == classes:
            options = dataclasses.replace(options, classes=given[1:])
    elif given is not None:
        if given[0].strip("_ ").lower() in ("background", "bg"):
            options = dataclasses.replace(options, classes=given[1:])
        count = len(options.classes or ())
    elif not inside:
        said = (
            "Nothing in the file says how many classes there are: they are named as COCO's 90. If "
            "it was trained on others, give their names (--classes)."
        )
        return catalogue.coco_labels(), (Finding("warning", said, "labels"),)
    if options.classes is None and not inside and count == COCO - 1:
        said = f"{COCO} classes with the background: named as COCO's, which the file does not say."
        return catalogue.coco_labels(), (Finding("info", said, "labels"),)
    return labels_for(options, count, imagenet=False, **inside)


def preparation(row: Row) -> Preprocessing:
    """Return how photos are brought to the view: the network itself scales their values."""
    why = f"{row.name} scales the values of photos itself"
    return prepared((row.side, row.side), "stretch" if row.fixed else "pad", why)


def prepared(size: tuple[int, int], fit: Any, why: str) -> Preprocessing:
    """Return the preparation of a detector's photos, whose values stay as they are."""
    return preset("unit", size, fit=fit, why=why)


def must_serve(preprocessing: Preprocessing) -> None:
    """Raise ParamError for values that a detector, which scales photos itself, does not want."""
    if (preprocessing.name, preprocessing.channels) != ("unit", "rgb"):
        raise ParamError(
            "A detector of torchvision's scales the values of photos itself: they go in as 0..1 "
            f"('unit'), in colours. Leave the pre-processing as it is, not {preprocessing.name!r}."
        )
