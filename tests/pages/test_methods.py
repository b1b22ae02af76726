import html as text

import pytest

from loaders.recordings import recordings
from tests.pages.conftest import settle
from tests.pages.test_offering import opened, parts, run_button, words
from ui import method_list
from xai_core.explainer import explainers


@pytest.fixture
def page(app):
    app.run()
    app.switch_page("pages/methods.py").run()
    assert not app.exception
    return app


def test_every_method_is_there_with_all_its_settings(page):
    assert page.title[0].value == "Methods"
    words = " ".join(element.proto.body for element in page.get("html"))
    titles = [header.value for header in page.header]
    for cls in explainers().values():
        assert cls.title in titles
        for param in cls.declared().values():
            assert param.title in words
            assert param.rule in words


def test_methods_stand_under_their_family_with_what_they_show(page):
    words = [text.unescape(element.proto.body) for element in page.get("html")]
    said = " ".join(words)
    labels = [word for word in words if word.startswith('<div class="v-label v-ruled"')]
    wanted = [family.capitalize() for family in method_list.by_family()]
    assert [next(name for name in wanted if name in label) for label in labels] == wanted
    titles = [header.value for header in page.header]
    assert titles == [cls.title for row in method_list.by_family().values() for cls in row]
    for cls in explainers().values():
        assert cls.shows
        assert cls.shows in said


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
    links = " ".join(element.value for element in page.markdown)
    for cls in explainers().values():
        if cls.reference.startswith("arXiv:"):
            number = cls.reference.removeprefix("arXiv:")
            assert f"](https://arxiv.org/abs/{number})" in links


def test_a_recording_is_shown_once_it_is_opened_and_says_that_it_is_one(page):
    assert not parts(page, "player")
    recorded = {each.label for each in page.expander}
    assert recorded == {"See it at work: a recording"}
    for method, found in recordings().items():
        page.session_state[f"recorded-{method}"] = True
        page.run()
        assert not page.exception
        (shown,) = (each for each in parts(page, "player") if each["id"] == f"recording-{method}")
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
    page.session_state["recorded-occlusion"] = True
    page.run()
    assert "Set for it: stride height 24 px, stride width 24 px. Made with" in words(page)
