"""Files that come together are told apart by what is in them, whatever they are called."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from loaders.companions import sort
from xai_core.errors import LoadError

NETWORK = json.dumps({"class_name": "Sequential", "config": {"name": "n", "layers": []}})
TEXTS: dict[str, tuple[str, Any]] = {
    "source": ("# mine\nimport torch\n\nclass Net(torch.nn.Module):\n    pass\n",) * 2,
    "architecture": (NETWORK, NETWORK),
    "classes": ("cat\ndog\n\u00e9l\u00e9phant\n", ("cat", "dog", "\u00e9l\u00e9phant")),
}
LISTS = ['["cat", "dog"]', '{"0": "cat", "1": "dog"}', "index,name\n0,cat\n1,dog\n", "cat\ndog"]


@pytest.fixture
def model(tmp_path: Path) -> tuple[str, Path]:
    path = tmp_path / "no-such-ending"
    torch.save({"w": torch.zeros(3)}, path)
    return "net.txt", path  # a name means nothing


def written(folder: Path, *texts: str) -> list[tuple[str, Path]]:
    rows = []
    for number, text in enumerate(texts):
        path = folder / f"text-{number}"
        path.write_bytes(text.encode())
        rows.append((f"{number}.bin", path))
    return rows


def test_each_kind_is_known_by_its_content(tmp_path: Path, model: tuple[str, Path]) -> None:
    texts = written(tmp_path, *(text for text, _ in TEXTS.values()))
    for files in ([model, *texts], [*texts, model]):
        bundle = sort(files)
        assert bundle.model == model[1]
        assert dict(bundle.options) == {kind: value for kind, (_, value) in TEXTS.items()}


@pytest.mark.parametrize("text", LISTS)
def test_every_form_of_class_names_is_known(
    tmp_path: Path, model: tuple[str, Path], text: str
) -> None:
    bundle = sort([model, *written(tmp_path, text)])
    assert bundle.options == {"classes": ("cat", "dog")}


REFUSED: dict[str, tuple[list[str], str]] = {
    "two sources": ([TEXTS["source"][0]] * 2, "More than one of these files is a source of a"),
    "broken JSON": (['{"class_name": '], "'0.bin' begins as JSON and cannot be read as JSON"),
    "other JSON": (['{"lr": 0.1, "layers": [1]}'], "'0.bin' is neither a Keras network"),
    "deep JSON": (["[" * 100_000], "cannot be read as JSON"),
    "no names": (["a\n\nb\n"], "'0.bin' is neither a model nor anything that belongs to one"),
    "a long source": (["import os\n" + "#" * 200_000], "longer than 200,000 characters"),
    "a long text": (["import os\n" + "#" * 2_000_000], "longer than 2,000,000 characters"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_belongs_to_no_model_is_named(
    tmp_path: Path, model: tuple[str, Path], case: str
) -> None:
    texts, sentence = REFUSED[case]
    with pytest.raises(LoadError, match=sentence):
        sort([model, *written(tmp_path, *texts)])


def test_there_must_be_one_model(tmp_path: Path, model: tuple[str, Path]) -> None:
    with pytest.raises(LoadError, match=r"'net.txt' and 'b' are both models"):
        sort([model, ("b", model[1])])
    with pytest.raises(LoadError, match="None of these 2 files is a model"):
        sort(written(tmp_path, TEXTS["source"][0], "cat\ndog"))


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_a_letter_across_the_first_block_is_text(
    tmp_path: Path, model: tuple[str, Path], shift: int
) -> None:
    names = ["x" * shift + "\u20ac", *(f"{number} " + "\u20ac" * 90 for number in range(40))]
    assert len("\n".join(names).encode()) > 2 * 4096
    assert sort([model, *written(tmp_path, "\n".join(names))]).options["classes"] == tuple(names)


CODINGS = ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"]


@pytest.mark.parametrize("coding", CODINGS)
def test_texts_of_other_programs(tmp_path: Path, model: tuple[str, Path], coding: str) -> None:
    path = tmp_path / "names"
    path.write_bytes("1\tb\u00e4r\n0\tm\u00f6we\n".encode(coding))
    assert sort([model, ("names", path)]).options == {"classes": ("m\u00f6we", "b\u00e4r")}


@pytest.mark.parametrize("text", ["{1: 'dog', 0: 'cat'}", "['cat', 'dog']", "names: [cat, dog]\n"])
def test_names_as_python_and_yaml_have_them(
    tmp_path: Path, model: tuple[str, Path], text: str
) -> None:
    assert sort([model, *written(tmp_path, text)]).options == {"classes": ("cat", "dog")}


def test_a_long_licence_stands_before_a_source(tmp_path: Path, model: tuple[str, Path]) -> None:
    text = '"""' + "All rights are kept.\n" * 1000 + '"""\nimport torch\n'
    assert sort([model, *written(tmp_path, text)]).options == {"source": text}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('<?xml version="1.0"?>\n<net name="n" version="11">\n<layers>', "an OpenVINO model"),
        ('name: "net"\nlayer {\n  name: "data"\n}\n', "a Caffe model"),
        ("[net]\nbatch=1\nwidth=224\n", "a Darknet"),
    ],
)
def test_another_frameworks_text_is_no_list_of_names(
    tmp_path: Path, model: tuple[str, Path], text: str, words: str
) -> None:
    with pytest.raises(LoadError, match=words):
        sort([model, *written(tmp_path, text)])


def test_a_word_that_never_ends_is_read_in_one_pass(
    tmp_path: Path, model: tuple[str, Path]
) -> None:
    with pytest.raises(LoadError, match="neither a model nor anything"):
        sort([model, *written(tmp_path, "class " + "a" * 1_900_000)])


def onnx_file(folder: Path, name: str = "m.onnx") -> tuple[str, Path]:
    path = folder / name
    path.write_bytes(b"\x08\x08\x12\x01t\x3a\x04\x12\x02ab")  # a version, a producer, a graph
    return name, path


def test_an_onnx_file_brings_files_of_numbers(tmp_path: Path, model: tuple[str, Path]) -> None:
    network = onnx_file(tmp_path)
    rows = [(f"w{number}", tmp_path / f"w{number}") for number in range(3)]
    for number, (_, path) in enumerate(rows):
        path.write_bytes(bytes([8, 9, number]) * 50)  # one begins as an ONNX file does
    ((_, path),) = written(tmp_path, "cat\ndog")
    letters = "norm.weight", tmp_path / "letters"
    letters[1].write_bytes(b"\x00<" * 300)  # ones in half precision
    rows.append(letters)
    bundle = sort([rows[0], ("names.txt", path), network, *rows[1:]])
    assert (bundle.model, list(bundle.beside)) == (network[1], rows)
    assert bundle.options == {"classes": ("cat", "dog")}
    with pytest.raises(LoadError, match="are both models"):
        sort([network, onnx_file(tmp_path, "n.onnx"), rows[0]])
    with pytest.raises(LoadError, match="are both models"):
        sort([network, model])
    with pytest.raises(LoadError, match="are both models"):
        sort([model, rows[0]])  # only ONNX keeps its weights elsewhere


def test_names_of_an_unknown_code_page_are_refused_with_a_way_out(
    tmp_path: Path, model: tuple[str, Path]
) -> None:
    path = tmp_path / "names"
    path.write_bytes("\u043a\u043e\u0448\u043a\u0430\n\u043f\u0451\u0441\n".encode("cp1251"))
    with pytest.raises(LoadError, match="The text 'names' cannot be read: it is not UTF-8; open"):
        sort([model, ("names", path)])
