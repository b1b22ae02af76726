"""An edit's controls: as many pixels, elsewhere, and nothing else; and what is said of them."""

import numpy as np
import pytest

from xai_core.errors import ParamError
from xai_core.probes._edited import Edited
from xai_core.probes.edit_controls import control, drawn_shifts, rolled, touches
from xai_core.probes.edits import Drawn, edited
from xai_core.region import Region
from xai_core.report.edited import edited_facts, edited_sentences

SIZE = (40, 60)
WINDOW = Region(0, 10, 40, 50)  # what a model that crops to its middle sees


def photo(seed=0, low=0):
    return np.random.default_rng(seed).integers(low, 256, (*SIZE, 3), dtype=np.uint8)


def part(by=(0, 0)):
    return Drawn("polygon", ((5.0, 8.0), (18.0, 14.0), (9.0, 33.0)), by=by)


def changed(before, after, window=WINDOW):
    moved = (before != after).any(2)
    return moved[window.top : window.bottom, window.left : window.right]


def test_a_control_hides_as_many_pixels_that_the_model_sees():
    # a colour that no pixel has: what is hidden is what changed
    pixels = photo(low=1)
    area = part().area(SIZE)
    seen = area[:, 10:50].sum()
    assert 0 < seen < area.sum()
    for shift in drawn_shifts(WINDOW, 20, 3):
        assert shift != (0, 0)
        for act, wanted in (("hide", seen), ("keep", 40 * 40 - seen)):
            made = control(pixels, part(), act, WINDOW, shift, fill="black")
            assert changed(pixels, made).sum() == wanted
        hidden = control(pixels, part(), "hide", WINDOW, shift, fill="black")
        elsewhere = rolled(area, WINDOW, shift)
        assert ((hidden == 0).all(2) == elsewhere).all()
        assert (changed(pixels, hidden) != area[:, 10:50]).any()


def test_a_moved_control_moves_as_much_as_far():
    pixels, by = photo(), (12, 9)
    seen = part().area(SIZE)[:, 10:50].sum()
    lands = Drawn("polygon", tuple((r + by[0], c + by[1]) for r, c in part().points)).area(SIZE)
    for shift in drawn_shifts(WINDOW, 10, 1):
        made = control(pixels, part(by), "move", WINDOW, shift)
        hole = rolled(part().area(SIZE), WINDOW, shift)[:, 10:50]
        assert hole.sum() == seen
        goes = np.roll(lands[:, 10:50], shift, (0, 1))
        comes = np.roll(made[:, 10:50], (-by[0], -by[1]), (0, 1))[hole]
        # wherever the region's own place lands inside, its pixels stand there now
        stands = (comes == pixels[:, 10:50][hole]).all(1)
        assert stands.sum() >= (goes & np.roll(hole, by, (0, 1))).sum()
        assert (changed(pixels, made) <= (hole | goes)).all()
        assert (made[:, :10] == pixels[:, :10]).all()


@pytest.mark.parametrize("other", [None, (30, 30)])
def test_a_pasted_control_lies_where_the_part_would(other):
    pixels = photo(low=1)
    into = None if other is None else np.zeros((*other, 3), np.uint8)
    before = pixels if into is None else into
    drawn = part((3, 4) if into is None else (0, 0))
    own = (edited(pixels, drawn, "paste", into=into) != before).any(2)
    for shift in drawn_shifts(Region(0, 0, *SIZE), 10, 2):
        made = control(pixels, drawn, "paste", WINDOW, shift, into=into)
        where = (made != before).any(2)
        assert (where <= own).all() or into is None
        if into is not None:
            assert (where == own).all()
            rows, columns = np.nonzero(where)
            colours = {tuple(each) for each in pixels.reshape(-1, 3).tolist()}
            assert all(tuple(made[r, c]) in colours for r, c in zip(rows, columns, strict=True))
        assert (made[~own] == before[~own]).all()


def test_what_the_model_does_not_see_is_refused():
    outside = Drawn("box", ((0, 0), (20, 9)), by=(0, 0))
    for act in ("hide", "keep"):
        with pytest.raises(ParamError, match="does not see that part"):
            touches(photo(), outside, act, WINDOW)
    dragged = Drawn("box", ((0, 0), (20, 9)), by=(0, 20))
    touches(photo(), dragged, "paste", WINDOW)
    with pytest.raises(ParamError, match="does not see"):
        touches(photo(), Drawn("box", ((0, 20), (20, 29)), by=(0, 30)), "paste", WINDOW)
    with pytest.raises(ParamError, match="Say where to first"):
        control(photo(), part(), "move", WINDOW, (1, 1))


LABELS = ("heart", "star", "ring")


def answers(*chances):
    probabilities = np.array(chances, np.float32)
    return Edited(logits=np.log(probabilities), probabilities=probabilities)


def test_what_is_said_is_computed():
    before, after = (0.02, 0.97, 0.01), (0.9, 0.06, 0.04)
    calm = answers(before, after, before, (0.03, 0.95, 0.02))
    found = edited_facts(calm)
    assert (found["first"], found["now"], found["flips"]) == (1, 0, True)
    assert [each["index"] for each in found["classes"]] == [1, 0]
    assert found["classes"][0]["controls"] == pytest.approx([0.97, 0.95])
    assert (found["changes"], found["same"], found["draws"]) == (0, 0, 2)
    said = edited_sentences(calm, "hide", 0.05, LABELS)
    assert said[0] == (
        "Hiding 5\u00a0% of the photo takes \u201cstar\u201d from 97\u00a0% to 6\u00a0%; its score "
        "falls by 2.8, from \u22120.03 to \u22122.8. The model then says \u201cheart\u201d, "
        "90\u00a0% now and 2\u00a0% before; its score rises by 3.8, from \u22123.9 to \u22120.11."
    )
    assert said[1] == (
        "Hiding the same region elsewhere, drawn at random, leaves \u201cstar\u201d 96\u00a0% on "
        "average (2 draws, from 95\u00a0% to 97\u00a0%), and changes the answer in 0 of 2."
    )
    assert said[2].startswith("Elsewhere the answer stays")
    anywhere = edited_sentences(answers(before, after, after), "paste", 0.05, LABELS)
    assert "changes the answer in 1 of 1" in anywhere[1]
    assert anywhere[2].startswith("Elsewhere it changes the answer, too")
    still = edited_sentences(answers(before, before, before), "keep", 0.2, LABELS)
    assert still[0].startswith("Hiding all but 20\u00a0% of the photo leaves \u201cstar\u201d at")
    assert still[0].endswith("stays at \u22120.03. The model still says \u201cstar\u201d.")
    assert still[2].startswith("The answer does not hang on this part alone")
    assert edited_sentences(answers(before, before, after), "move", 0.2, LABELS)[2].startswith(
        "The answer bears this edit"
    )
