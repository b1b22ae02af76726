import dataclasses
import html as text

import pytest
from streamlit.testing.v1 import AppTest

from loaders.recordings import recordings
from tests.conftest import PATIENCE, ROOT
from tests.pages.conftest import settle
from tests.pages.test_offering import opened, parts, run_button, words
from ui import method_card, method_list
from xai_core.card import Cost, Service
from xai_core.explainer import explainers, explaining, make
from xai_core.lesson import lesson_of


@pytest.fixture
def page(app):
    app.run()
    app.switch_page("pages/methods.py")
    settle(app, lambda app: "which is open" in words(app))
    return app


def unfolded(page):
    """Open how each method works."""
    for name in explaining("classification"):
        page.session_state[f"more-{name}"] = True
    page.run()
    assert not page.exception
    return page


def said(page):
    return text.unescape(words(page))


def test_every_setting_stands_behind_a_click(page):
    assert page.title[0].value == "Methods"
    assert "<th>Setting</th>" not in words(page)
    shown = words(unfolded(page))
    titles = [header.value for header in page.header]
    for cls in explaining("classification").values():
        assert cls.title in titles
        for param in cls.declared().values():
            assert param.title in shown
            assert param.rule in shown


def test_methods_stand_under_their_family_with_what_they_show(page):
    found = [text.unescape(element.proto.body) for element in page.get("html")]
    labels = [word for word in found if word.startswith('<div class="v-label v-ruled"')]
    wanted = [family.capitalize() for family in method_list.by_family()]
    assert [next(name for name in wanted if name in label) for label in labels] == wanted
    titles = [header.value for header in page.header]
    assert titles == [cls.title for row in method_list.by_family().values() for cls in row]
    for family, methods in method_list.by_family().items():
        assert method_list.ABOUT[family] in said(page)
        for cls in methods:
            assert cls.shows
            assert cls.shows in said(page)


def test_the_page_opens_first_of_all_and_opens_the_model_that_it_speaks_of(wall):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE)
    app.switch_page("pages/methods.py")
    settle(app, lambda app: "which is open" in words(app))
    assert "this model is <b>Shapes with a shortcut</b>" in words(app)
    assert app.session_state["desk"].photo is None


def test_a_search_filters_and_leads_back(page):
    def titles():
        return [header.value for header in page.header]

    every = titles()
    page.text_input[0].set_value("PATCH hidden").run()
    assert titles() == ["Occlusion"]
    page.text_input[0].set_value("activation maps").run()
    assert titles() == [cls.title for cls in method_list.by_family()["activation maps"]]
    page.text_input[0].set_value("<b>nothing</b>").run()
    assert titles() == []
    assert "Nothing matches <b>&lt;b&gt;nothing&lt;/b&gt;</b>." in words(page)
    next(each for each in page.button if each.label == "Show all methods").click().run()
    assert titles() == every
    assert page.text_input[0].value == ""


def test_costs_are_what_a_run_takes(page):
    desk = page.session_state["desk"]
    for name in explaining("classification"):
        method = make(name, {}, size=desk.model.card.input_size)
        assert method_card.passes(method.cost(desk.model.card)) in said(page)
        said_most = method_card.cost(explainers()[name], desk.model.card).startswith(
            "Costs at most"
        )
        assert said_most is method.cost(desk.model.card).at_most
    assert method_card.cost(explainers()["occlusion"], desk.model.card).endswith(
        "; patch height, patch width, stride height, stride width and overlapping patches change "
        "that."
    )


@pytest.mark.parametrize(
    ("spent", "words"),
    [
        (Cost(forward=1), "1 pass"),
        (Cost(forward=2000, backward=1), "2,000 passes and 1 pass back"),
        (Cost(forward=1, tails=2), "1 pass and 2 passes forward and back through what follows a "
         "layer"),
        (Cost(forward=1, rest=161), "1 pass and 161 passes through what follows a layer"),
        (Cost(), "no pass"),
    ],
)  # fmt: skip
def test_a_cost_in_words(spent, words):
    assert method_card.passes(spent) == words


def test_what_does_not_serve_says_why_and_cannot_be_tried(page):
    desk = page.session_state["desk"]
    card = desk.model.handle.card
    lost = Service(why_not="It needs what this network lacks.", engines={})
    desk.model.handle.card = dataclasses.replace(card, methods={**card.methods, "lime": lost})
    page.run()
    assert "Not for this model: It needs what this network lacks." in words(page)
    assert page.button(key="try-lime").disabled
    assert not page.button(key="try-occlusion").disabled


def test_a_method_is_tried_with_a_click(page):
    page.button(key="try-occlusion").click().run()
    assert page.title[0].value == "Your model, behind glass"
    page.switch_page("pages/offering.py")  # where a browser is by now
    settle(page, run_button)
    assert page.title[0].value == "Your model, behind glass"
    assert page.selectbox(key="method").value == "occlusion"


def test_each_lesson_is_a_click_away_from_its_method(page):
    taught = [name for name in explainers() if lesson_of(name) is not None]
    links = {link.proto.page for link in page.get("page_link")}
    assert links == {name.replace("-", "_") for name in taught} | {"object_detection"}
    assert "Box-fixed ablation, D-RISE, ODAM explain a box that a detector found" in words(page)
    for name in taught:
        assert (ROOT / method_card.lesson(explainers()[name])).is_file()


def test_thumbnails_are_small(page):
    pictures = [method_card.thumbnail(name) for name in explaining("classification")]
    assert sum(map(bool, pictures)) == len(recordings()) >= 3
    assert max(map(len, pictures)) < 12_000
    assert words(page).count('class="v-thumb"') == len(recordings())


def test_a_run_goes_on_while_the_methods_are_read(app):
    opened(app)
    desk = app.session_state["desk"]
    run_button(app).click().run()
    app.switch_page("pages/methods.py")
    settle(app, lambda app: desk.run is None)
    assert app.title[0].value == "Methods"
    assert desk.answer is not None
    assert not parts(app, "figure")


def test_every_reference_to_arxiv_is_a_link(page):
    links = " ".join(element.value for element in unfolded(page).markdown)
    for cls in explaining("classification").values():
        if cls.reference.startswith("arXiv:"):
            number = cls.reference.removeprefix("arXiv:")
            assert f"](https://arxiv.org/abs/{number})" in links


def test_a_recording_is_shown_once_it_is_opened_and_says_that_it_is_one(page):
    assert not parts(page, "player")
    unfolded(page)
    for method, found in recordings().items():
        (shown,) = (each for each in parts(page, "player") if each["id"] == f"played-{method}")
        assert shown["label"] == "Recording"
        assert shown["captions"] == list(found.captions)
        assert len(shown["frames"]) == len(found.captions)
        assert all(url.startswith("data:image/webp;base64,") for url in shown["frames"])
        title = explainers()[method].title
        sentence = (
            f"Recording: {title} for <b>star</b>, by the built-in model <b>Shapes</b> on the "
        )
        assert sentence + "built-in photo <b>Star</b>." in words(page)
    assert len(parts(page, "player")) == len(recordings()) >= 3


def test_what_was_set_for_a_recording_is_said(page):
    page.session_state["more-occlusion"] = True
    page.run()
    assert "Set for it: stride height 24 px, stride width 24 px. Made with" in words(page)
