"""The report as a browser opens it: from the disk, without a server or a network."""

import base64
import json
import re

import numpy as np
import pytest

from tests.fakes.explained import run
from tests.xai_core.test_take_away import HOSTILE, hill, hostile
from xai_core.model import Geometry
from xai_core.report.judgement import Judgement
from xai_core.report.page import page as report

A4 = (595, 842)
"""Width and height of the paper, in points."""
INNER = 680
"""What is left of its width between the margins of 15 mm, in CSS pixels."""


@pytest.fixture
def shown(browser, tmp_path):
    """Return a function that opens a report from the disk, and what the browser asked for."""
    contexts = []

    def shown(runs, **how):
        path = tmp_path / "report.html"
        path.write_text(report(runs, **how), encoding="utf-8")
        context = browser.new_context(viewport={"width": 1100, "height": 900}, offline=True)
        contexts.append(context)
        page = context.new_page()
        asked, complaints = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.goto(path.as_uri())
        assert complaints == []
        assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
        return page

    yield shown
    for context in contexts:
        context.close()


def test_its_numbers_are_the_records(shown):
    judged = Judgement(right="yes", note="The shape itself.", name="A reader")
    made = run(hill(0.7), judgement=judged)
    page = shown([made])
    words = page.inner_text("body")
    for said in (*made.record["sentences"], *made.record["doubts"], made.record["command"]):
        assert said in words
    for name in ("model_hash", "image_hash"):
        assert made.record[name] in words
    link = page.get_attribute("a[download]", "href")
    assert json.loads(base64.b64decode(link.partition(",")[2])) == json.loads(
        json.dumps(made.record)
    )
    ticks = page.locator(".ticks span").all_inner_texts()
    assert ticks == ["0", "0.35", "0.7"]
    assert page.locator("meter").first.evaluate("meter => meter.value") == pytest.approx(0.72)
    assert page.locator(".boxes").inner_text().count("\u2612") == 1


def test_all_pictures_are_there_and_the_style_is_taken(shown):
    page = shown([run(hill(0.7))])
    for image in page.locator("img").all():
        assert image.evaluate("image => image.complete && image.naturalWidth > 0")
        assert image.get_attribute("alt")
    style = "element => getComputedStyle(element).gridTemplateColumns.split(' ').length"
    assert page.locator(".grid.three").first.evaluate(style) == 3


def test_hostile_names_stay_text(shown):
    page = shown([hostile(), hostile()])
    words = page.inner_text("body")
    for name in HOSTILE[:2]:
        assert name in words
    assert page.locator("script").count() == 0
    assert page.evaluate("document.querySelectorAll('[onerror]').length") == 0


def test_a_script_would_not_run(shown, tmp_path):
    """The policy holds even where a text had become markup."""
    text = report([run(hill())]).replace(
        "</main>", "<script>document.title = 'taken'</script><img src=x onerror='alert(1)'></main>"
    )
    page = shown([run(hill())])
    (tmp_path / "broken.html").write_text(text, encoding="utf-8")
    page.goto((tmp_path / "broken.html").as_uri())
    assert "taken" not in page.title()


def beyond(page):
    """Return what reaches beyond the page's width."""
    return page.evaluate(
        "[...document.querySelectorAll('body *')].filter(element => {"
        "  const box = element.getBoundingClientRect();"
        "  return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1);"
        "}).map(element => element.tagName + ': ' + element.innerText)"
    )


@pytest.mark.parametrize("count", [1, 2, 3])
def test_nothing_is_wider_than_the_screen(shown, count):
    page = shown([hostile()] * count)
    for width in (1100, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert beyond(page) == [], width


@pytest.mark.parametrize("sides", [(64, 64), (40, 400), (900, 60)])
@pytest.mark.parametrize("count", [1, 3])
def test_it_prints_on_a4_with_nothing_cut_off(shown, sides, count):
    made = run(hill(), photo=np.full((*sides, 3), 99, np.uint8), geometry=Geometry.whole(sides))
    page = shown([made, *[hostile()] * (count - 1)])
    data = page.pdf(prefer_css_page_size=True, print_background=True)
    boxes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)", data)
    assert count < len(boxes) < 5 * count + 2
    for box in boxes:
        assert [float(side) for side in box] == pytest.approx(A4, abs=1)
    # laid out as wide as the paper between its margins
    page.emulate_media(media="print")
    page.set_viewport_size({"width": INNER, "height": 900})
    assert beyond(page) == []
    # what may not be broken fits on a page
    tall = "element => element.getBoundingClientRect().height"
    assert all(each.evaluate(tall) < 900 for each in page.locator("figure, tr, pre").all())


def test_several_runs_have_one_bar_each_and_the_same(shown):
    page = shown([run(hill(0.5)), run(hill(2.0))])
    bars = [each.all_inner_texts() for each in page.locator(".ticks").all()]
    assert bars == [bars[0]] * 3
    ticks = [each.inner_text() for each in page.locator(".ticks span").all()]
    assert ticks == ["0", "1", "2"] * 3
    assert "one scale" in page.locator("section").first.inner_text()
