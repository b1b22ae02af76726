"""Bytes into letters, against Python's own codecs."""

import pytest

from loaders.texts import NotText, decode_text, is_text

TEXT = "caf\u00e9\nna\u00efve\nGr\u00f6\u00dfe\n"


@pytest.mark.parametrize(
    "coding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "cp1252"]
)
def test_codings(coding: str) -> None:
    assert decode_text(TEXT.encode(coding)) == TEXT


@pytest.mark.parametrize("mark", ["\ufeff".encode(each) for each in ("utf-16-le", "utf-16-be")])
def test_utf_16_with_its_mark_in_either_order(mark: bytes) -> None:
    coding = "utf-16-le" if mark[0] == 0xFF else "utf-16-be"
    text = "\u732b\n\u72ac\n"
    assert decode_text(mark + text.encode(coding)) == text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("cat".encode("utf-16")[:-1], "cut short or damaged"),
        ("\u732b\u72ac".encode("utf-16")[:-1], "cut short or damaged"),
        (b"\xff\xfe\x00\xd8", "cut short or damaged"),  # half of a pair
        ("\u043a\u043e\u0442\n\u043f\u0451\u0441".encode("cp1251"), "save it as UTF-8"),
        ("\u732b\u72ac\n\u9ce5\u985e".encode("gbk"), "save it as UTF-8"),
        ("\u732b\u72ac\n\u9ce5\u985e".encode("shift-jis"), "save it as UTF-8"),
        (b"cat\0dog!", "bytes that no text has"),
        (b"\x1b[31mcat", "bytes that no text has"),
        (bytes(2_000_000), "bytes that no text has"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "save it as UTF-8|bytes that no text has"),
    ],
)
def test_what_is_no_text_or_nobody_can_tell(data: bytes, words: str) -> None:
    with pytest.raises(NotText, match=words):
        decode_text(data)


def test_a_text_may_be_cut_anywhere_in_its_beginning() -> None:
    for coding in ("utf-8", "utf-16", "utf-16-be"):
        data = ("abcdefgh\u20ac\U0001f408" * 9).encode(coding)
        for cut in range(4, len(data)):
            assert is_text(data[:cut], whole=False)
    assert not is_text("\u20ac".encode()[:2] * 3, whole=True)
