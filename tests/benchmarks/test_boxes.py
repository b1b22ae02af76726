"""Where maps of boxes lie: a part of the table, and the page."""

from __future__ import annotations

from benchmarks import boxes
from xai_core.explainer import explaining

QUICK = ("eigencam", "grad-cam", "hirescam", "odam", "box-fixed-ablation", "saliency",
         "gradient-x-input")  # fmt: skip
PER_BOX = ("d-rise", "odam", "grad-cam", "hirescam", "ablationcam", "occlusion",
           "box-fixed-ablation", "saliency", "gradient-x-input")  # fmt: skip

SCENES = 10


def test_a_part_of_the_scenes_is_as_the_table_says() -> None:
    kept = {row.method: row for row in boxes.read()}
    rows = boxes.measured(QUICK, scenes=SCENES)
    for row in rows:
        assert 0.75 * SCENES <= row.scenes <= SCENES  # but where nothing right was found
        assert row.inside <= kept[row.method].inside
        assert row.scenes - row.inside <= kept[row.method].scenes - kept[row.method].inside
        assert row.passes == kept[row.method].passes
    (least,) = (row for row in rows if row.method == "eigencam")
    # drawn again for the first scenes: most methods on a box find it more often than EigenCAM
    better = [row for row in rows if row.inside > least.inside]
    assert {"odam", "box-fixed-ablation"} <= {row.method for row in better}


def test_per_box_methods_point_into_their_box_more_often_than_eigencam() -> None:
    rows = {row.method: row for row in boxes.read()}
    least = rows["eigencam"]
    for name in PER_BOX:
        row = rows[name]
        assert row.inside / row.scenes > least.inside / least.scenes, name


def test_what_was_measured_holds_and_stands_on_the_page() -> None:
    rows, page = boxes.read(), boxes.PAGE.read_text()
    assert page == boxes.drawn(page, rows)
    assert {row.method for row in rows} == set(explaining("detection"))
    for row in rows:
        assert row.inside <= row.scenes
        assert 0 <= row.mass <= 1
        assert row.scenes >= boxes.SCENES - 5
    whole = max(rows, key=lambda row: row.scenes)
    assert f"The boxes hold {100 * whole.area:.0f} %" in page
