"""Networks that classify no photos, named by their tensors or by the class of a pickled module."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_BY_NAME = tuple(
    (re.compile(pattern), what)
    for pattern, what in (
        (r"(^|\.)lora_(down|up|A|B|unet|te\d?)(\.|_)", "a LoRA, a change to another model"),
        (r"^(roi_heads|rpn)\.", "an object detector (Faster R-CNN's kind)"),
        (r"^head\.classification_head\.", "an object detector (RetinaNet, SSD or FCOS)"),
        (r"^backbone\.body\.", "an object detector"),
        (r"(^|\.)(dfl\.conv|cv[23]\.\d+\.\d+|class_embed|bbox_embed)\.", "an object detector"),
        (
            r"(^|\.)\d+\.(anchors|anchor_grid)$|(^|\.)(module_list|yolo_layers?)\.\d+\.",
            "an object detector (YOLO's kind)",
        ),
        (
            r"(^|\.)(bbox_head|rpn_head|roi_head|box_predictor|(obj|reg)_preds|bbox_pred)\.",
            "an object detector",
        ),
        (r"^(module\.)?(loc|conf)\.\d+\.(weight|bias)$", "an object detector (SSD's kind)"),
        (r"(^|\.)(mask_decoder|prompt_encoder)\.", "a segmentation model (SAM's kind)"),
        (r"^aux_classifier\.|^classifier\.(low_classifier|0\.convs)\.", "a segmentation model"),
        (r"^(segmentation_head|outc|decode_head|up\d+\.up|up\d+\.conv)\.", "a segmentation model"),
        (r"^context_encoder\.", "a model of optical flow (RAFT's kind)"),
        (r"^(text_model|transformer\.resblocks|logit_scale)", "a model of photos with texts"),
        (r"(^|\.)(embed_tokens|word_embeddings|tok_embeddings|wte|lm_head)\.", "a language model"),
        (r"^transformer\.h\.|^language_model\.", "a language model"),
        (r"(^|\.)(diffusion_model|down_blocks|first_stage_model)\.", "an image generator"),
        (r"(^|\.)(wav2vec2|feature_extractor\.conv_layers)\.", "a model of sound"),
    )
)
_EXPORT = "Where its classes are installed, export it to ONNX and bring the ONNX file."
_NO_CLASSIFIER = {
    "torchvision.models.detection.": "an object detector of torchvision's",
    "torchvision.models.segmentation.": "a segmentation model of torchvision's",
    "torchvision.models.video.": "a video model of torchvision's",
    "torchvision.models.optical_flow.": "a model of optical flow of torchvision's",
    "detectron2.": "a model of Detectron2's, as object detectors are",
    "mmdet.": "an object detector of MMDetection's",
    "segmentation_models_pytorch.": "a segmentation model",
    "ultralytics.nn.tasks.DetectionModel": "an object detector of Ultralytics' (YOLO)",
    "ultralytics.nn.tasks.SegmentationModel": "a segmentation model of Ultralytics' (YOLO)",
    "ultralytics.nn.tasks.PoseModel": "a model of poses of Ultralytics' (YOLO)",
    "ultralytics.nn.tasks.OBBModel": "an object detector of Ultralytics' (YOLO)",
    "ultralytics.nn.tasks.RTDETR": "an object detector of Ultralytics' (RT-DETR)",
    "ultralytics.nn.tasks.World": "an object detector of Ultralytics' (YOLO)",
    "ultralytics.nn.tasks.YOLOE": "an object detector of Ultralytics' (YOLO)",
    "models.yolo.Detect": "an object detector (YOLOv5's kind)",
    "models.yolo.Segment": "a segmentation model (YOLOv5's kind)",
    "models.yolo.Model": "an object detector (YOLO's kind)",
    "sklearn.": "a model of scikit-learn's",
    "xgboost.": "a model of decision trees (XGBoost)",
    "lightgbm.": "a model of decision trees (LightGBM)",
    "torch.optim.": "an optimiser and no network",
}
# networks, and maybe classifiers, whose classes are a library's that is not here
_LIBRARIES = {
    "ultralytics.nn.tasks.ClassificationModel": (
        "a classifier of Ultralytics' (YOLO), whose classes are not here",
        "Export it with model.export(format='onnx') and bring the ONNX file.",
    ),
    "ultralytics.": (
        "a model of Ultralytics' (YOLO), whose classes are not here",
        "If it is a classifier, export it with model.export(format='onnx') and bring the ONNX "
        "file.",
    ),
    "models.yolo.ClassificationModel": (
        "a classifier of YOLOv5's kind, whose classes are not here",
        "Export it with export.py --include onnx and bring the ONNX file.",
    ),
    "torch.ao.nn.": (
        "quantised layers",
        "Bring the float model that it was made from, or export it to TorchScript.",
    ),
    "transformers.": ("a whole model of Hugging Face's, whose classes are not here", _EXPORT),
    "fastai.": (
        "a learner of fastai's, whose classes are not here",
        "Export learn.model to ONNX and bring the ONNX file.",
    ),
}
_NETWORKS = ("torch.optim.swa_utils.",)
"""Modules under another owner's name that hold a network like any other."""


def by_tensors(state: Mapping[str, Any]) -> str:
    """Return what a state dict belongs to, or nothing where it may be a classifier's."""
    for pattern, what in _BY_NAME:
        if any(pattern.search(key) for key in state):
            return what
    sides = {tensor.ndim for tensor in state.values()}
    if 5 in sides and _has_volumes(state):
        return "a network of videos or volumes (3-D convolutions)"
    head = [tensor.ndim for key, tensor in state.items() if key.startswith("classifier.")]
    if head.count(4) > 1 and any(key.startswith("backbone.") for key in state):
        return "a segmentation model"
    if sides and max(sides) == 2:
        if any("weight_ih_l" in key for key in state):
            return "a recurrent network, which reads sequences"
        if any(is_layer(key, tensor) for key, tensor in state.items()):
            return "a network of dense layers alone, for rows of numbers (the MLP page shows those)"
    return ""


def is_layer(key: str, tensor: Any) -> bool:
    """Tell a dense layer's weights from any other table of numbers, by its name."""
    return tensor.ndim == 2 and key.rpartition(".")[2].lower().startswith(("w", "kernel"))


def _has_volumes(state: Mapping[str, Any]) -> bool:
    """Tell 3-D convolutions from other tensors of five sides, as a capsule network's routing."""
    lengths = {tensor.shape[0] for tensor in state.values() if tensor.ndim == 1}
    for key, tensor in state.items():
        last = key.rpartition(".")[2]
        if tensor.ndim != 5 or last not in ("weight", "weight_orig", "weight_v"):
            continue
        bias = state.get(f"{key.removesuffix(last)}bias")
        # its bias has as many numbers as it has maps (a transposed one's second side), or else
        # the normalisation behind it
        if bias is not None and bias.ndim == 1:
            maps, known = set(tensor.shape[:2]), {bias.shape[0]}
        else:
            maps, known = {tensor.shape[0]}, lengths
        if maps & known and max(tensor.shape[2:]) <= 32:
            return True
    return False


def by_class(name: str) -> str:
    """Return what a pickled object is by its class's full name, and the way out, or nothing."""
    if name.startswith(_NETWORKS):
        return ""
    for start, (what, way_out) in _LIBRARIES.items():
        if name.startswith(start) and (start[-1] != "." or not _no_classifier(name)):
            return f"This file holds {what} ({name}). {way_out}"
    what = _no_classifier(name)
    return refusal(f"This file holds {what} ({name})") if what else ""


def _no_classifier(name: str) -> str:
    return next((what for start, what in _NO_CLASSIFIER.items() if name.startswith(start)), "")


def refusal(fact: str) -> str:
    """Return the sentence for a network that is told to be no classifier of photos."""
    return f"{fact}; this page explains classifiers of photos. Bring one of those."
