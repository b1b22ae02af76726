"""The built-in detector's network: a small torchvision Faster R-CNN with a light pyramid.

The body is the built-in classifier's (`vitrine_net`) and one more convolution that halves its maps.
The pyramid has three levels, of strides 4, 8 and 16, with 64 channels each. Input: RGB in 0..1;
photos are brought to 224 pixels and -1..1 by the network itself, as torchvision's detectors do.
"""

from typing import TYPE_CHECKING, Any, Final

from loaders import vitrine_net

if TYPE_CHECKING:
    from torch import nn

SIDE: Final = 224
CHANNELS: Final = 64  # of each level of the pyramid
REPRESENTATION: Final = 192  # numbers that the box head makes of a region
TOP: Final = 192  # channels of the last, halved map
ANCHORS: Final = ((24, 34), (48, 68), (96, 136))  # sides in pixels, for each level
RATIOS: Final = (0.7, 1.0, 1.4)
NEAR: Final = 10  # the classifier's layer of stride 4, the last before its third pooling


def build(classes: int, **settings: Any) -> "nn.Module":
    """Return the network in torch, untrained; `classes` counts the background, which is 0.

    `settings` are torchvision's own for a Faster R-CNN, such as `box_score_thresh`.
    """
    import torch
    from torch import nn
    from torchvision.models.detection import FasterRCNN
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign

    features = vitrine_net.build(1).features
    widths = vitrine_net.WIDTHS

    class Body(nn.Module):
        """The maps of three strides, and the pyramid that joins them."""

        out_channels = CHANNELS

        def __init__(self) -> None:
            super().__init__()
            self.near = nn.Sequential(*features[: NEAR + 1])
            self.middle = nn.Sequential(*features[NEAR + 1 :])
            self.far = nn.Sequential(
                nn.Conv2d(widths[-1], TOP, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(TOP),
                nn.ReLU(),
            )
            into = [widths[vitrine_net.POOLED - 1], widths[-1], TOP]
            self.fpn = FeaturePyramidNetwork(into, CHANNELS)

        # typed as TorchScript wants it
        def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
            near = self.near(images)
            middle = self.middle(near)
            maps: dict[str, torch.Tensor] = {"0": near, "1": middle, "2": self.far(middle)}
            return self.fpn(maps)  # type: ignore[no-any-return]

    anchors = AnchorGenerator(ANCHORS, (RATIOS,) * len(ANCHORS))
    pool = MultiScaleRoIAlign(
        ["0", "1", "2"], output_size=7, sampling_ratio=2, canonical_scale=SIDE, canonical_level=4
    )
    return FasterRCNN(
        Body(),
        min_size=SIDE,
        max_size=SIDE,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        rpn_anchor_generator=anchors,
        rpn_pre_nms_top_n_test=300,
        rpn_post_nms_top_n_test=100,
        rpn_pre_nms_top_n_train=600,
        rpn_post_nms_top_n_train=300,
        box_roi_pool=pool,
        box_head=TwoMLPHead(CHANNELS * 7 * 7, REPRESENTATION),
        box_predictor=FastRCNNPredictor(REPRESENTATION, classes),
        box_batch_size_per_image=128,
        **settings,
    )
