"""Damage in a TIFF's fax data, which libtiff decodes as noise without a word.

Its rows have one packing each (ITU-T T.4 and T.6), so that what was decoded right and is packed
again gives the file's own bytes.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, TiffImagePlugin

NOTE = (
    "The photo's fax data seem to be damaged: packed again, the decoded picture gives other bytes "
    "from row {} on, so what is seen there may be noise. Look at it, or scan it again."
)
_NAMES = {2: "tiff_ccitt", 3: "group3", 4: "group4"}
_OFFSETS, _LENGTHS, _ROWS, _ORDER, _OPTIONS = 273, 279, 278, 266, 292
_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_SAME = 4
"""How many bytes must agree before one that differs: another way of packing differs at once."""


def damage(image: TiffImagePlugin.TiffImageFile, data: bytes) -> tuple[str, ...]:
    """Return what to say of a loaded, not turned fax whose data do not agree with its picture.

    Raises EOFError where
    the file ends before they do.
    """
    tags = image.tag_v2
    strips = list(zip(tags.get(_OFFSETS, ()), tags.get(_LENGTHS, ()), strict=False))
    if any(start + length > len(data) for start, length in strips):
        raise EOFError("the file ends before its fax data do")
    kind, rows = int(tags[259]), int(tags.get(_ROWS, image.height))
    if not strips or image.mode != "1" or (kind == 3 and tags.get(_OPTIONS, 0)):
        return ()
    stored = np.asarray(image)
    if tags.get(262, 0) == 0:
        stored = ~stored
    rows = min(rows, image.height)
    packed = io.BytesIO()
    again = Image.fromarray(stored.astype(np.uint8) * 255).convert("1")
    again.save(packed, "TIFF", compression=_NAMES[kind], tiffinfo={_ROWS: rows})
    made = packed.getvalue()
    own = Image.open(io.BytesIO(made)).tag_v2  # type: ignore[attr-defined]
    for number, ((start, length), (at, count)) in enumerate(
        zip(strips, zip(own[_OFFSETS], own[_LENGTHS], strict=True), strict=False)
    ):
        held, want = data[start : start + length], made[at : at + count]
        if tags.get(_ORDER, 1) == 2:
            held = held.translate(_TURNED)
        if held[: len(want)] == want:
            continue
        pairs = enumerate(zip(held, want, strict=False))
        same = next((place for place, (one, two) in pairs if one != two), len(held))
        if number or same >= _SAME:
            return (NOTE.format(number * rows + 1),)
        return ()
    return ()
