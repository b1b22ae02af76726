"""Colour maps as 33 anchors each, so that drawing a map imports nothing heavy.

Sampled at even steps from matplotlib's maps of the same names (cividis, magma and viridis are CC0;
RdBu and PuOr are ColorBrewer's, Apache-2.0). Between the anchors colours are linear. All five stay
readable to colour-blind eyes.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

SEQUENTIAL = ("magma", "cividis", "viridis")
"""For saliency, which is zero or more; the first is the default."""

DIVERGING = ("red-blue", "orange-purple")
"""For signed attribution, round zero; the first is the default."""

_ANCHORS = {
    "magma": (
        "0000040303120a0822130d341d114729115a36106b440f7650127c5d177f691c817621818226818f2a819c2e7f"
        "a9337db6367ac33b75cf4070db476ae65164ee5c5ef46a5cf9785dfb8861fd9668fea571feb47bfec287fed194"
        "fde0a1fceeb0fcfdbf"
    ),
    "cividis": (
        "00224e00285b002e6a0533711a386f273e6e32436d3b496c434e6c4b546c535a6d5a5f6e61656f686a716f7073"
        "7676767c7c788381798b8778928d789a9376a29975aaa073b3a670bbad6dc3b369ccba64d4c15fddc858e6d051"
        "efd748f8df3cfee838"
    ),
    "viridis": (
        "440154470d6048186a482374472d7b4537814240863e49893b528b375b8d33638d2f6b8e2c728e297a8e26828e"
        "23898e21908c1f978b1f9f8821a68527ad8131b57b3ebc744dc26c5cc8636ece5882d34d95d840aadc32c0df25"
        "d5e21aeae51afde725"
    ),
    "red-blue": (
        "0530610e41791752901f63a82a71b23480b93f8ec0519dc86aacd183bbd99ac9e0add3e6c1ddecd3e6f1dfecf3"
        "ebf2f5f6f6f6f9efe8fbe6d9fdddcafbcdb6f8bca0f5ab8aef9878e58268dc6d57d25749c6413ebb2a34ae172a"
        "960f277f082367001f"
    ),
    "orange-purple": (
        "2d004b390c5e4518715225845f3a916d529c7b69a88a7eb3998fbfa8a0cbb7b1d5c3bfddcfcee5dadcece4e5f0"
        "eeeef3f6f6f6f9f0e3fbe9cefde2bafed6a1fdc987fdbd6df8ad54ef9d3be68c22db7d12cd700ebe630ab05606"
        "a04d078f44077f3b08"
    ),
}


@functools.cache
def table(name: str) -> NDArray[np.uint8]:
    """Return a colour map as uint8 `[256, 3]`. Raises KeyError for an unknown name."""
    anchors = np.frombuffer(bytes.fromhex(_ANCHORS[name]), np.uint8).reshape(-1, 3)
    at = np.linspace(0, 255, len(anchors))
    steps = np.arange(256)
    made = np.stack([np.interp(steps, at, anchors[:, band]) for band in range(3)], -1)
    return np.rint(made).astype(np.uint8)
