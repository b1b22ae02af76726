"""Files that came together and texts: a worker reads them, and its word for it is checked."""

import threading

import numpy as np
import pytest

from loaders import companions
from loaders.class_names import read_classes
from ui import sent_text
from workers import results
from workers.tasks.sort_files import ReadText, Sorted, SortFiles
from xai_core.errors import JobError, LoadError, ParamError

MODEL = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 " + bytes(5000)
SOURCE = "import torch\n\nclass Net(torch.nn.Module):\n    pass\n"


@pytest.fixture
def session(wall):
    made = wall.session("reader")
    yield made
    made.close()


def put(session, files):
    return tuple(session.add_file(name, data) for name, data in files.items())


def test_what_comes_together_is_told_apart_as_companions_does(session):
    files = {"net.py": SOURCE.encode(), "m.pth": MODEL, "names.txt": "a\nb\n".encode("utf-16")}
    paths = put(session, files)
    told = session.run(SortFiles(names=tuple(files), paths=paths), read=paths).result(60)
    bundle = companions.sort(list(zip(files, paths, strict=True)))
    assert paths[told.model] == bundle.model == paths[1]
    assert told.options == bundle.options == {"source": SOURCE, "classes": ("a", "b")}


def test_one_file_is_a_text_or_none(session):
    for data, option in ((b"a\nb\n", {"classes": ("a", "b")}), (MODEL, {})):
        paths = put(session, {"x": data})
        told = session.run(SortFiles(names=("x",), paths=paths), read=paths).result(60)
        assert (told.model, told.options) == (-1, option)


def test_a_refusal_is_the_reader_s_own(session):
    paths = put(session, {"a.pth": MODEL, "b.pth": MODEL})
    with pytest.raises(LoadError, match=r"'a\.pth' and 'b\.pth' are both models"):
        session.run(SortFiles(names=("a.pth", "b.pth"), paths=paths), read=paths).result(60)


def told(read, given):
    try:
        return read(given)
    except ParamError as error:
        return str(error)


def test_names_are_read_as_here_whatever_their_length(session):
    read = sent_text.names_by(session)
    for text in ("cat\ndog", "\n".join(f"name {n}" for n in range(3000)), "[" + "'a', 'b'," * 2000):
        assert told(read, text.encode("utf-16")) == told(read_classes, text)
    with pytest.raises(ParamError, match="cannot be read: it holds bytes"):
        read(b"\x00\x01" * 20_000)
    with pytest.raises(ParamError, match="at most 4 MB"):
        read(b"a" * 16_000_001)


@pytest.mark.parametrize("text", ["class " + "a" * 1_900_000, "[" * 1_900_000, "n\n" * 300_000])
def test_a_hostile_text_holds_nobody_up(session, monkeypatch, text):
    """This process reads none of it, and other threads of it go on."""
    monkeypatch.setattr(sent_text, "names_in", None)
    gaps, over = [], threading.Event()

    def other():
        while not over.wait(0.001):
            gaps.append(1)

    thread = threading.Thread(target=other)
    thread.start()
    with pytest.raises(ParamError, match="--classes"):
        sent_text.names_by(session)(text.encode())
    over.set()
    thread.join()
    assert gaps


def test_the_json_of_a_network_is_read_by_a_worker(session):
    text = '{"class_name": "Sequential", "config": {"layers": []}}'
    assert sent_text.option_in(session, text.encode(), "m.json") == ("architecture", text)
    with pytest.raises(LoadError, match="cannot be read as JSON"):
        sent_text.option_in(session, b"{" * 9000, "m.json")
    with pytest.raises(LoadError, match="It cannot be read"):
        sent_text.option_in(session, b"a\x00\x01" * 999, "m.json")


def letters(text):
    return np.frombuffer(text if isinstance(text, bytes) else text.encode(), np.uint8)


LIES = {
    "another file": Sorted(model=2),
    "no model": Sorted(),
    "the model beside itself": Sorted(model=1, beside=(1,)),
    "twice beside": Sorted(model=0, beside=(1, 1)),
    "another option": Sorted(model=0, said={"build": letters("x")}),
    "no text": Sorted(model=0, said={"source": letters(b"\xff\xfe\xff")}),
    "no names": Sorted(model=0, said={"classes": letters("a\n\nb")}),
    "long names": Sorted(model=0, said={"classes": letters("a" * 900)}),
    "a control": Sorted(model=0, said={"classes": letters("a\x1b[31m")}),
}


@pytest.mark.parametrize("lie", list(LIES))
def test_a_lie_is_refused(tmp_path, lie):
    task = SortFiles(names=("a", "b"), paths=(tmp_path / "a", tmp_path / "b"))
    data, arrays = LIES[lie].to_wire()
    with pytest.raises(JobError, match="made no sense"):
        results.answer(task, None, data, arrays, tmp_path, tmp_path)
    asked = ReadText(data=letters("x"))
    with pytest.raises(JobError, match="made no sense"):
        results.answer(asked, None, data, arrays, tmp_path, tmp_path)
