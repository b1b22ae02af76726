import html.parser

import pytest

from ui import text

HOSTILE = [
    "<script>alert(1)</script>",
    "**bold** _it_ `code` [x](javascript:alert(1)) ![i](http://x/y)",
    "$\\alpha$ :red[x] :material/home: # h1",
    'a" onload="x',
    "\u202ereversed\nnew line",
]


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.words = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.words += data


def read(markup):
    parser = Tags()
    parser.feed(markup)
    return parser


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_in_html_has_no_tags_and_loses_no_letter(hostile):
    found = read(text.escape(hostile))
    assert found.tags == []
    assert found.words == "".join(c if c.isprintable() else " " for c in hostile)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_quoted_names_are_bold_and_nothing_else(hostile):
    found = read(text.emphasised(f"Why \u201c{hostile}\u201d?"))
    assert found.tags == ["b"]


@pytest.mark.parametrize("mark", list("\\`*_{}[]()#+-.!|~:$<>&"))
def test_every_mark_of_markdown_is_escaped(mark):
    assert text.markdown(f"a{mark}b") == f"a\\{mark}b"


def test_times_have_no_more_digits_than_are_true():
    shown = [text.estimate(value) for value in (0.2, 12.4, 89, 200, 9000)]
    assert [words.replace("\u00a0", " ") for words in shown] == [
        "under 1 s", "about 12 s", "about 89 s", "about 3 min", "about 2.5 h",
    ]  # fmt: skip


def test_places_in_the_queue():
    assert [text.ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th",
    ]  # fmt: skip


def test_a_number_stays_with_its_unit():
    assert text.escape("55\u00a0%") == "55\u00a0%"


def test_doubled_labels_get_their_number():
    assert text.distinct(["crane", "cat", "crane"]) == ["crane (0)", "cat", "crane (2)"]


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("Told by its answers. Choose another (--head).", "Told by its answers. Choose another."),
        ("Say them (--channels or --size): 3072 is open.", "Say them: 3072 is open."),
        ("--size must be 32x32, got 28x28", "'Size' must be 32x32, got 28x28"),
        ("Nothing (here) to change - at all.", "Nothing (here) to change - at all."),
        ("run export.py --include onnx", "run export.py --include onnx"),
    ],
)
def test_flags_become_the_pages_words(sentence: str, shown: str) -> None:
    assert text.on_page(sentence) == shown
