import pytest

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


def test_every_reference_to_arxiv_is_a_link(page):
    links = " ".join(element.value for element in page.markdown)
    for cls in explainers().values():
        if cls.reference.startswith("arXiv:"):
            number = cls.reference.removeprefix("arXiv:")
            assert f"](https://arxiv.org/abs/{number})" in links
