"""An edit in one word: what is written is read again, and what is none is refused."""

import pytest

from xai_core.errors import ParamError
from xai_core.probes.edit_words import Edit
from xai_core.probes.edits import ACTS, Drawn
from xai_core.probes.fills import FILLS

PARTS = [
    Drawn("box", ((10.0, 12.0), (50.3, 60.0)), by=(-4, 12)),
    Drawn("brush", ((9.1, 9.0), (9.0, 40.7)), 8.0),
    Drawn("polygon", ((1.0, 1.0), (1.0, 9.0), (9.9, 5.0)), by=(0, 3)),
]


@pytest.mark.parametrize("drawn", PARTS, ids=lambda drawn: drawn.kind)
@pytest.mark.parametrize("act", ACTS)
def test_what_is_written_is_read_again(act, drawn):
    kept = drawn.by if act in ("move", "paste") else (0, 0)
    wanted = Drawn(drawn.kind, drawn.points, drawn.width, kept)
    for fill in FILLS if act in ("hide", "keep") else FILLS[:1]:
        for source in ("", "my: other, photo.png") if act == "paste" else ("",):
            edit = Edit(act, drawn, fill, source)
            read = Edit.read(edit.word).on((60, 70))
            assert read == Edit(act, wanted, fill, source)
            assert read.word == edit.word
            assert edit.word.startswith(f"{act}:{drawn.kind}:")


def test_a_way_is_one_on_the_photo_that_is_pasted_into():
    edit = Edit.read("paste:box:1,1/9,9:by=40,2:from=a.png")
    assert edit.on((20, 20), (50, 50)).drawn.by == (40, 2)
    with pytest.raises(ParamError, match="moved within"):
        edit.on((20, 20), (30, 30))
    assert edit.words((20, 20)) == "16\u00a0% of a.png pasted in"


@pytest.mark.parametrize(
    "word",
    [
        "", "hide", "hide:box", "melt:box:1,1/2,2", "hide:ring:1,1/2,2", "hide:box:1,1/2",
        "hide:box:1,1/a,2", "hide:box:1,1,1/2,2", "hide:box:1,1/2,2:fill=pink",
        "hide:box:1,1/2,2:from=a.png", "move:box:1,1/2,2:by=1", "move:box:1,1/2,2:by=1,2:by=1,2",
        "hide:box:1,1/2,2:size=3", "hide:box:1,1/2,2:width=x",
    ],
)  # fmt: skip
def test_what_is_none_is_refused(word):
    with pytest.raises(ParamError, match="An edit must be ACT:KIND:"):
        Edit.read(word)


@pytest.mark.parametrize(
    "word",
    ["hide:box:1,1/99,2", "hide:box:nan,1/2,2", "hide:brush:1,1", "hide:polygon:1,1/2,2",
     "move:box:1,1/2,2:by=99,0"],
)  # fmt: skip
def test_what_is_not_on_the_photo_is_refused(word):
    with pytest.raises(ParamError, match=r"drawn|brush"):
        Edit.read(word).on((20, 20))
