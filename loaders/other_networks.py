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
        (r"^aux_classifier\.|^classifier\.(low_classifier|0\.convs)\.", "a segmentation model"),
        (r"^(segmentation_head|outc|decode_head|up\d+\.up|up\d+\.conv)\.", "a segmentation model"),
        (r"^context_encoder\.", "a model of optical flow (RAFT's kind)"),
        (r"^(text_model|transformer\.resblocks|logit_scale)", "a model of photos with texts"),
        (r"(^|\.)(embed_tokens|word_embeddings|wte)\.", "a language model"),
        (r"^transformer\.h\.|^language_model\.", "a language model"),
        (r"^(diffusion_model|down_blocks|first_stage_model)\.", "an image generator"),
    )
)
_BY_CLASS = {
    "torchvision.models.detection.": "an object detector of torchvision's",
    "torchvision.models.segmentation.": "a segmentation model of torchvision's",
    "torchvision.models.video.": "a video model of torchvision's",
    "torchvision.models.optical_flow.": "a model of optical flow of torchvision's",
    "ultralytics.": "a model of Ultralytics', as object detectors are",
    "sklearn.": "a model of scikit-learn's",
    "torch.optim.": "an optimiser and no network",
}


def by_tensors(state: Mapping[str, Any]) -> str:
    """Return what a state dict belongs to, or nothing where it may be a classifier's."""
    for pattern, what in _BY_NAME:
        if any(pattern.search(key) for key in state):
            return what
    sides = {tensor.ndim for tensor in state.values()}
    if 5 in sides:
        return "a network of videos or volumes (3-D convolutions)"
    head = [tensor.ndim for key, tensor in state.items() if key.startswith("classifier.")]
    if head.count(4) > 1 and any(key.startswith("backbone.") for key in state):
        return "a segmentation model"
    if sides and max(sides) <= 2:
        if any("weight_ih_l" in key for key in state):
            return "a recurrent network, which reads sequences"
        return "a network of dense layers alone, for rows of numbers"
    return ""


def by_class(name: str) -> str:
    """Return what a pickled module is by its class's full name, or nothing."""
    return next((what for start, what in _BY_CLASS.items() if name.startswith(start)), "")


def refusal(fact: str) -> str:
    """Return the sentence for a network that is told to be no classifier of photos."""
    return f"{fact}; this page explains classifiers of photos. Bring one of those."
