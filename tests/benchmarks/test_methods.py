"""`docs/methods.md` says what the methods declare today, and the README names each of them."""

from benchmarks import methods
from tests.conftest import ROOT
from xai_core.explainer import explainers


def test_the_file_is_not_stale():
    assert methods.PLACE.read_text(encoding="utf-8") == methods.text(), (
        "docs/methods.md is stale: python -m benchmarks.methods"
    )


def test_every_method_and_setting_is_there():
    said = methods.text()
    for cls in explainers().values():
        assert f"### {cls.title}\n" in said
        assert f"`{cls.name}`" in said
        for param in cls.declared().values():
            assert f"| {param.title} |" in said


def test_the_readme_names_every_method():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for cls in explainers().values():
        assert cls.title in readme, f"README.md does not name {cls.title}"
