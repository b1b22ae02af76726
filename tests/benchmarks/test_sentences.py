"""`docs/sentences.md` holds what the code says today; nothing that a reader sees is left out."""

import re

from benchmarks import sentences
from xai_core.explainer import explainers
from xai_core.lesson import lesson_of

CODE = '''"""A docstring of three words or more."""

def f(name, ready):
    """Another docstring that nobody reads."""
    if not name:
        raise ValueError(f"nobody is called {name} here")
    raise ParamError(f"The file {name} cannot be read: {'it is cut short' if ready else WHY}. "
                     "Send it again; nothing is lost.")

STYLE = "color: red; display: none;"
NAMES = "alpha beta gamma delta".split()
LABEL = "Run it"
SHOWN = f"<b>The {percent(found['half_area'])} of the map</b>"
'''


def test_the_file_is_not_stale():
    assert sentences.PLACE.read_text(encoding="utf-8") == sentences.text(), (
        "docs/sentences.md is stale: python -m benchmarks.sentences"
    )


def test_sentences_are_told_from_docstrings_names_and_styles():
    assert sentences.module(CODE) == [
        "The file {name} cannot be read: {it is cut short/why}. Send it again; nothing is lost.",
        "it is cut short",
        "The {half area} of the map",
    ]


def test_a_script_s_sentences_are_read_without_its_comments():
    source = '// Not this one here.\nlabel("Drop a file here");\nsay(`${name} has more bytes`);\n'
    assert sentences.script(source) == ["Drop a file here", "{name} has more bytes"]


def test_what_the_methods_and_their_lessons_say_is_there():
    said = sentences.text()
    for name, cls in explainers().items():
        assert f"- {' '.join(cls.shows.split())}\n" in said
        told = lesson_of(name)
        for sentence in told.sentences if told else ():
            assert f"- {sentence}\n" in said


def test_a_percentage_is_written_in_one_way():
    """A space that does not break stands before the sign; the file has it as any other space."""
    said = [sentence for _, _, sentences_of in sentences.gathered() for sentence in sentences_of]
    assert not [sentence for sentence in said if re.search(r"\S%", sentence)]
    roots = ("pages", "ui", "xai_core", "loaders", "workers", "commands")
    files = [path for root in roots for path in (sentences.ROOT / root).rglob("*.py")]
    formatted = re.compile(r"\{[^{}\n]*:[^{}\n]*%\}")  # Python's own writes it without
    assert not [path for path in files if formatted.search(path.read_text(encoding="utf-8"))]
