"""What is handed on: one scale, the pictures, the sheet, the page, the reader's judgement."""

import base64
import dataclasses
import html
import io
import json
import re
import subprocess
import sys
import unicodedata
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.fakes.explained import explanation, run
from xai_core import colormaps
from xai_core.errors import ParamError
from xai_core.explainer import explainers, make
from xai_core.grain import Cells, Patches, Superpixels
from xai_core.model import Finding, Geometry
from xai_core.report import numbers, settings, sheet
from xai_core.report.judgement import NAME, NOTE, QUESTION, Judgement
from xai_core.report.markup import joined, sentence, tag
from xai_core.report.page import page
from xai_core.report.pictures import UNSEEN, Look, bar, pictures
from xai_core.report.run import OWN_NUMBER
from xai_core.report.scales import shared

RNG = np.random.default_rng(4)
HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)> ' &amp;",
    "\u202egnp.exe \u05e9\u05dc\u05d5\u05dd",
    "very-" * 40,
    "{x} %s $y \\u0000",
)


def hill(peak=1.0, side=64, at=(10, 10)):
    rows, columns = np.mgrid[:side, :side]
    far = (rows - at[0]) ** 2 + (columns - at[1]) ** 2
    return (peak * np.exp(-far / 40)).astype(np.float32)


# the scale


def test_maps_of_one_kind_keep_their_numbers_on_one_scale():
    one, other = run(hill(0.5)).explanation, run(hill(2.0)).explanation
    scale = shared([one, other])
    assert (scale.top, scale.low, scale.relative) == (2.0, 0.0, False)
    assert scale.ticks == ("0", "1", "2")
    assert "one scale" in scale.sentence
    np.testing.assert_array_equal(scale.values(one), one.attribution)


@pytest.mark.parametrize(
    "other",
    [
        {"method": "occlusion"},
        {"engine": "grad-cam"},
        {"scale": "its own 0..1"},
        {"model_hash": "ef" * 32},
        {"parameters": {"layer": "early"}},
    ],
)
def test_maps_that_count_otherwise_are_shares_of_their_own_strongest(other):
    one, two = explanation(hill(0.5)), explanation(hill(8.0), **other)
    scale = shared([one, two])
    assert scale.relative
    assert [scale.values(each).max() for each in (one, two)] == pytest.approx([1, 1])
    assert scale.ticks == ("0\u00a0%", "50\u00a0%", "100\u00a0%")
    assert "strengths cannot" in scale.sentence


def test_two_maps_of_a_library_that_scales_each_are_not_called_comparable():
    maps = [run(hill(1), scale="its own 0..1").explanation for _ in range(2)]
    assert shared(maps).relative


def test_one_signed_map_makes_all_signed():
    scale = shared([run(hill()).explanation, run(-3 * hill(), signed=True).explanation])
    assert (scale.signed, scale.low, scale.top) == (True, -3.0, 3.0)
    assert scale.ticks == ("\u22123", "0", "3")


def test_a_map_without_evidence_is_drawn_in_one_colour():
    made = run(np.zeros((8, 8)))
    drawn = pictures(
        made.photo, made.explanation, shared([made.explanation]), Look(opacity=1.0), side=16
    )
    assert np.ptp(drawn.map.reshape(-1, 3), axis=0).tolist() == [0, 0, 0]


# the pictures


def test_the_strongest_of_all_has_the_last_colour_and_the_others_have_theirs():
    weak, strong = run(np.full((8, 8), 0.5)), run(np.full((8, 8), 2.0))
    scale = shared([weak.explanation, strong.explanation])
    table = colormaps.table("magma").astype(int)
    for made, share in ((weak, 0.25), (strong, 1.0)):
        drawn = pictures(made.photo, made.explanation, scale, Look(palette="magma"), side=16)
        assert drawn.map[8, 8].tolist() == table[round(share * 255)].tolist()


def test_the_bar_ends_in_the_colours_of_its_numbers():
    scale = shared([run(hill(), signed=True).explanation])
    drawn = bar(scale, Look(palette="orange-purple"))
    np.testing.assert_array_equal(drawn[0], colormaps.table("orange-purple"))


def test_a_palette_of_the_other_kind_is_not_taken():
    assert Look(palette="red-blue").colours(signed=False) == Look().colours(signed=False)
    assert Look(palette="red-blue").colours(signed=True) == "red-blue"


def test_cells_are_drawn_as_they_are_and_smooth_ones_smoothly():
    cells = np.arange(16, dtype=np.float32).reshape(4, 4)
    smooth = np.asarray(Image.fromarray(cells).resize((64, 64), Image.Resampling.BILINEAR))
    made = run(smooth, grain=Cells(rows=4, columns=4, map=cells))
    scale = shared([made.explanation])
    bare = pictures(made.photo, made.explanation, scale, Look(cells=True), side=64).map
    assert len(np.unique(bare.reshape(-1, 3), axis=0)) == 16
    assert (bare[:16, :16] == bare[0, 0]).all()
    drawn = pictures(made.photo, made.explanation, scale, Look(), side=64).map
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 60


def test_what_the_model_does_not_see_has_no_colour_of_the_bar():
    geometry = Geometry(photo=(64, 128), box=(0.0, 32.0, 64.0, 96.0), view=(64, 64))
    made = run(hill(), photo=np.full((64, 128, 3), 200, np.uint8), geometry=geometry)
    drawn = pictures(
        made.photo, made.explanation, shared([made.explanation]), Look(opacity=1.0), side=256
    )
    assert drawn.map.shape == (128, 256, 3)
    assert (drawn.map[:, :64] == UNSEEN).all()
    assert (drawn.map[:, 192:] == UNSEEN).all()
    assert not (drawn.map[:, 64:192] == UNSEEN).all(-1).any()
    assert (drawn.over[:, :64] == 200).all()
    assert (drawn.photo[:, 64:192] == 200).all()
    # the hill stands at 10, 10 of the view: at 10, 42 of the photo, twice as large here
    strongest = np.unravel_index(drawn.map.astype(int).sum(-1)[:, 64:192].argmax(), (128, 128))
    assert np.abs(np.array(strongest) - (21, 21)).max() <= 2


@pytest.mark.parametrize("side", [16, 300])
@pytest.mark.parametrize("sides", [(8, 900), (900, 8), (30, 40)])
def test_the_longer_side_is_as_long_as_was_asked(sides, side):
    made = run(hill(), photo=np.zeros((*sides, 3), np.uint8), geometry=Geometry.whole(sides))
    drawn = pictures(made.photo, made.explanation, shared([made.explanation]), Look(), side=side)
    assert max(drawn.map.shape) == side
    assert drawn.map.shape == drawn.over.shape == drawn.photo.shape


# the words


def test_settings_are_in_words():
    cls = explainers()["grad-cam"]
    values = {name: getattr(make("grad-cam", {}), name) for name in cls.declared()}
    made = run(hill(), parameters=values | {"layer": "last", "relu": True})
    rows = dict(settings.settings(made.explanation, made.card.labels))
    assert rows["Only what speaks for the class"] == "on"
    assert rows["Layer"] == "last"
    assert rows["Why"] == "\u201cstar\u201d"
    assert "True" not in rows.values()


def test_a_unit_stands_behind_its_number():
    patch = explainers()["occlusion"].declared()["patch_height"]
    assert settings.words(patch, 24) == "24 px"


@pytest.mark.parametrize("name", explainers())
def test_help_is_in_the_readers_words(name):
    for param in explainers()[name].declared().values():
        assert "eq." not in param.help
        assert "Empty" not in param.help
    assert "(eq." not in explainers()[name].__doc__  # an equation of what, the page does not say


def test_numbers_have_their_noun():
    assert numbers.counted(1, "pass", "passes") == "1 pass"
    assert numbers.counted(2000, "pass", "passes") == "2,000 passes"
    assert numbers.counted(0, "layer") == "0 layers"


def test_long_names_lose_their_middle():
    assert numbers.shortened("short.pth", 20) == "short.pth"
    long = numbers.shortened("begin" + "x" * 90 + "end.pth", 21)
    assert len(long) == 21
    assert long.startswith("beginx")
    assert long.endswith("xend.pth")


def test_a_caption_is_true_of_cells_and_of_what_is_smooth():
    grain = Cells(rows=7, columns=7, map=np.zeros((7, 7), np.float32))
    assert "smooth" not in grain.caption
    assert "smoothed" in grain.drawn()
    assert "smoothed" not in grain.drawn(cells=True)
    assert "smoothed" not in dataclasses.replace(grain, smoothing="nearest").drawn()
    # an engine that hands out no cells has none to show
    assert "smoothed" in dataclasses.replace(grain, map=None).drawn(cells=True)
    assert "24 x 30" in Patches(24, 30).drawn()
    assert "2 superpixels" in Superpixels(np.zeros((4, 4), np.int32), np.zeros(2)).drawn()


# the judgement


def test_a_judgement_is_in_the_record():
    given = Judgement(right="unsure", note="Two\nlines", name="Reader")
    made = run(hill(), judgement=given)
    assert made.record["judgement"] == {"right": "unsure", "note": "Two\nlines", "name": "Reader"}
    assert json.loads(json.dumps(made.record))["judgement"] == dataclasses.asdict(given)
    assert run(hill()).record["judgement"] is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"right": "maybe"}, "Judgement.right must be one of yes, no, unsure, got 'maybe'"),
        ({"right": "yes", "note": "x" * (NOTE + 1)}, "Judgement.note must be text of at most"),
        ({"right": "yes", "name": "x" * (NAME + 1)}, "Judgement.name must be text of at most"),
        ({"right": "yes", "note": None}, "Judgement.note .* got NoneType"),
    ],
)
def test_what_is_no_judgement_is_refused(given, said):
    with pytest.raises(ParamError, match=said):
        Judgement(**given)


# HTML


def test_text_stays_text():
    assert tag("p", "<b>") == "<p>&lt;b&gt;</p>"
    assert tag("p", tag("b", "x"), "&") == "<p><b>x</b>&amp;</p>"
    assert tag("img", alt='"><script>') == '<img alt="&quot;&gt;&lt;script&gt;">'
    assert joined(["a", ["<"], tag("i", "x")]) == "a&lt;<i>x</i>"
    assert sentence("for \u201c<i>\u201d.") == "for \u201c<bdi>&lt;i&gt;</bdi>\u201d."
    assert "\u202e" not in tag("p", "a\u202eb\nc")


class Reader(HTMLParser):
    """What a browser would find: tags, attributes, texts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.links = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [(tag, name, value) for name, value in attrs]

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def words(self):
        return "".join(self.texts)


def hostile():
    labels = (HOSTILE[0], HOSTILE[1], *HOSTILE[2:])
    return run(
        hill(),
        labels=labels,
        model=HOSTILE[1],
        image=HOSTILE[0],
        measured=(HOSTILE[0],),
        findings=(Finding("warning", HOSTILE[1], "photo"),),
        judgement=Judgement(right="no", note=HOSTILE[0] + "\n" + HOSTILE[2], name=HOSTILE[1]),
    )


def test_no_name_becomes_markup():
    honest, found = Reader(page([run(hill())])), Reader(page([hostile()]))
    assert set(found.tags) == set(honest.tags) | {"ul"}
    assert "script" not in found.tags
    for name in HOSTILE[:2]:
        assert name in found.words
    assert "\u202e" not in found.words
    assert not [link for link in found.links if link[1].startswith("on")]


def test_nothing_leads_out_of_the_file():
    found = Reader(page([hostile(), run(hill(2))]))
    for name, attribute, value in found.links:
        if attribute in ("src", "href"):
            assert value.startswith("data:"), (name, attribute)
    assert "url(" not in page([run(hill())])
    (policy,) = [v for _, a, v in found.links if a == "content" and "default-src" in v]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_the_page_has_the_records_numbers_and_sentences():
    judged = Judgement(right="no", note="The mark, not the shape.", name="A reader")
    made = run(hill(0.7), judgement=judged, measured=("Hiding it takes the label away.",))
    text = page([made], made="3 May")
    found = Reader(text).words
    for said in (*made.record["sentences"], *made.record["doubts"], *made.measured):
        assert said in found
    for name in ("model_hash", "image_hash", "command"):
        assert made.record[name] in found
    for name, version in made.record["versions"].items():
        assert f"{name} {version}" in found
    assert found.count(OWN_NUMBER) == 1
    assert numbers.percent(made.record["probability"]) in found
    assert f"{made.card.parameters:,}" in found
    assert (QUESTION in found, judged.note in found, judged.name in found) == (True,) * 3
    assert "\u2612no" in found
    assert "3 May" in found
    (sent,) = [v for _, a, v in Reader(text).links if a == "href"]
    assert json.loads(base64.b64decode(sent.partition(",")[2])) == json.loads(
        json.dumps(made.record)
    )


def test_runs_that_are_compared_share_the_bar_and_say_so():
    runs = [run(hill(0.5)), run(hill(2.0))]
    text = page(runs)
    found = Reader(text)
    assert shared([each.explanation for each in runs]).sentence in found.words
    assert found.words.count(OWN_NUMBER) == 1
    bars = {v for t, a, v in found.links if a == "alt" and v.startswith("Colours")}
    assert bars == {"Colours from 0 to 2"}
    # the strongest colour of each map, read from the picture itself: 0.5 and 2 on one scale of 2
    maps = re.findall(r'<img src="data:image/png;base64,([^"]+)" alt="The map\.', text)
    assert len(maps) == 4  # side by side, and with each run
    table = colormaps.table(Look().colours(signed=False)).astype(int)
    for at, share in enumerate((0.25, 1.0)):
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(maps[at]))).convert("RGB"))
        some = pixels[::8, ::8].reshape(-1, 1, 3).astype(int)
        levels = np.abs(some - table).sum(-1).argmin(1)
        assert levels.max() / 255 == pytest.approx(share, abs=0.03)


def test_a_report_needs_a_run():
    with pytest.raises(ValueError, match="needs a run"):
        page([])


def test_each_model_is_described_once():
    assert Reader(page([run(hill()), run(hill(2))])).words.count("How a photo is prepared") == 1


def test_the_file_is_html_whatever_is_in_it():
    assert html.unescape(page([hostile()])).startswith("<!DOCTYPE html>")


# the sheet


def opened(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def test_the_sheet_shows_the_map_and_its_bar():
    made = run(hill(0.5), photo=np.full((64, 64, 3), 90, np.uint8))
    pixels = opened(sheet.sheet(made, look=Look(palette="viridis")))
    assert pixels.shape[1] == sheet.WIDTH
    left = sheet.MARGIN + sheet.PICTURE + sheet.GAP
    panel = pixels[:, left : left + sheet.PICTURE]
    for end in (0, 255):  # both ends of the bar are in the picture
        assert (np.abs(panel - colormaps.table("viridis")[end]).sum(-1) <= 6).any()


@pytest.mark.parametrize("sides", [(64, 64), (8, 400), (400, 8), (300, 200)])
def test_nothing_on_the_sheet_is_cut_off(sides):
    labels = ("a", "endless-" * 25, *HOSTILE[2:])
    made = run(
        hill(),
        photo=np.full((*sides, 3), 90, np.uint8),
        geometry=Geometry.whole(sides),
        labels=labels,
        model="folder/" + "m" * 240 + ".pth",
        image="p" * 250 + ".png",
        measured=("A sentence that is long enough. " * 30,),
    )
    pixels = opened(sheet.sheet(made))
    margin = np.ones(pixels.shape[:2], bool)
    inset = sheet.MARGIN - 6
    margin[inset : pixels.shape[0] - inset, inset : sheet.WIDTH - inset] = False
    assert (np.abs(pixels - sheet.PAPER).sum(-1)[margin] == 0).all()


@pytest.mark.parametrize("text", ["", "one", "two words " * 40, "x" * 500, "a " + "y" * 300])
def test_wrapped_text_is_whole_and_fits(text):
    lines = sheet.wrapped(text, sheet.SMALL, 400)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(sheet.SMALL.font.getlength(line) <= 400 for line in lines)


def test_two_sheets_on_one_scale_have_one_bar():
    runs = [run(hill(0.5)), run(hill(2.0))]
    scale = shared([each.explanation for each in runs])
    weak, strong = (opened(sheet.sheet(each, scale=scale)) for each in runs)
    last = colormaps.table(Look().colours(signed=False))[255].astype(int)
    left = sheet.MARGIN + sheet.PICTURE + sheet.GAP
    # in the map itself, above the bar
    near = [
        (np.abs(pixels[170 : 170 + sheet.PICTURE - 30, left:] - last).sum(-1) < 12).any()
        for pixels in (weak, strong)
    ]
    assert near == [False, True]


def test_drawing_needs_no_matplotlib():
    code = (
        "import sys, numpy as np; from tests.fakes.explained import run;"
        "from xai_core.report.sheet import sheet; sheet(run(np.ones((8, 8))));"
        "assert 'matplotlib' not in sys.modules"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_characters_without_a_letter_are_told():
    from fontTools.ttLib import TTFont

    from xai_core.report.sheet import SAID, unreadable

    drawn = TTFont(SAID.font.path)["cmap"].getBestCmap()
    every = [chr(code) for code in (*range(0x20, 0x600), *range(0x3040, 0x30A0), 0x732B, 0xD55C)]
    every = [
        each for each in every if each.isprintable() and unicodedata.category(each)[0] not in "MZ"
    ]
    assert unreadable(every) == [each for each in every if ord(each) not in drawn]
    assert unreadable(["star", "\u201cchat\u201d \u2212 3"]) == []
    assert unreadable(["\u732b", "star \u732b\u72ac"]) == ["\u732b", "\u72ac"]
