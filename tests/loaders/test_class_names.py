"""Class names out of each form of file that people have, and refusals in a sentence."""

import contextlib
import itertools
import json
import time

import pytest

from loaders.class_names import read_classes, write_classes
from xai_core.errors import ParamError

NAMES = ("tench", "gold fish", "shark, great white")
TWO = ("cat", "dog")
THREE = ("mole", "newt", "owl")


@pytest.mark.parametrize(
    "text",
    [
        "tench\ngold fish\nshark, great white",
        "\ufefftench\r\n gold  fish \r\nshark, great white\r\n\r\n",
        '["tench", "gold fish", "shark, great white"]',
        '{"0": "tench", "2": "shark, great white", "1": "gold fish"}',
        '{"gold fish": 1, "tench": 0, "shark, great white": 2}',
        '{"0": ["n01", "tench"], "1": ["n02", "gold fish"], "2": ["n03", "shark, great white"]}',
        '0,tench\n1,gold fish\n2,"shark, great white"\n',
        "index,name\n0,tench\n2,shark, great white\n\n1, gold fish\n",
        "name,index\ntench,0\nshark, great white,2\ngold fish,1\n",
        "2 shark, great white\n0 tench\n1 gold fish\n",
        "1: tench\n3: shark, great white\n2: gold fish\n",
    ],
)
def test_forms(text: str) -> None:
    assert read_classes(text) == NAMES


LAYOUTS = {
    "number, space": "1 newt\n0 mole\n2 owl\n",
    "number, tab": "1\tnewt\n0\tmole\n2\towl",
    "number, semicolon": "1;newt\n0;mole\n2;owl",
    "number, colon": "1: newt\n0: mole\n2: owl",
    "number, point": "2. newt\n1. mole\n3. owl",
    "number, bracket": "1) newt\n0) mole\n2) owl",
    "number in brackets": "[1] newt\n[0] mole\n[2] owl",
    "number = name": "1=newt\n0=mole\n2=owl",
    "number -> name": "1 -> newt\n0 -> mole\n2 -> owl",
    "from 1": "2 newt\n1 mole\n3 owl",
    "name, comma": "newt,1\nmole,0\nowl,2",
    "name, comma, from 1": "newt,2\nmole,1\nowl,3",
    "name, tab": "newt\t1\nmole\t0\nowl\t2",
    "name, semicolon": "newt;1\nmole;0\nowl;2",
    "name, space": "newt 1\nmole 0\nowl 2",
    "name: number": "newt: 1\nmole: 0\nowl: 2",
    "name = number": "newt = 1\nmole = 0\nowl = 2",
    "name (number)": "newt (1)\nmole (0)\nowl (2)",
    "quoted lines": '"mole"\n"newt"\n"owl"\n',
    "lines with commas": "'mole',\n'newt',\n'owl'\n",
    "one line": "mole, newt, owl\n",
    "one line of tabs": "mole\tnewt\towl",
    "a heading": "name\nmole\nnewt\nowl",
    "bullets": "- mole\n- newt\n- owl",
    "csv with headings": "id,name\n1,newt\n0,mole\n2,owl",
    "csv the other way": "class_name,class_id\nnewt,1\nmole,0\nowl,2",
    "csv, label is the number": "label,name\n1,newt\n0,mole\n2,owl",
    "csv, label is the name": "index,label\n1,newt\n0,mole\n2,owl",
    "csv, class is the number": "class,species\n1,newt\n0,mole\n2,owl",
    "csv with more": "id,name,count\n1,newt,7\n0,mole,2\n2,owl,9",
    "csv with more before": "count,id,name\n7,1,newt\n2,0,mole\n9,2,owl",
    "csv with folders": "id,folder,name\n1,n02,newt\n0,n01,mole\n2,n03,owl",
    "csv of pandas": ",label\n0,mole\n1,newt\n2,owl",
    "csv quoted": '"id","name"\n"1","newt"\n"0","mole"\n"2","owl"',
    "csv of semicolons": "id;name\n1;newt\n0;mole\n2;owl",
    "csv of tabs": "id\tname\n1\tnewt\n0\tmole\n2\towl",
    "csv of names and counts": "name,count\nmole,700\nnewt,20\nowl,9",
    "csv without a heading, counts": "1,newt,700\n0,mole,20\n2,owl,9",
    "python dict": "{0: 'mole',\n 1: 'newt',\n 2: 'owl'}\n",
    "python dict, the other way": "{'newt': 1, 'mole': 0, 'owl': 2}",
    "python dict, a last comma": "{0: 'mole', 1: 'newt', 2: 'owl',}",
    "python list": "['mole', 'newt', 'owl']",
    "python tuple": "('mole', 'newt', 'owl')",
    "python assigned": "classes = ['mole', 'newt', 'owl']\n",
    "python assigned, lines": "# mine\n\nNAMES = [\n    'mole',  # 0\n    'newt',\n    'owl',\n]\n",
    "python assigned dict": "class_names = {1: 'newt', 0: 'mole', 2: 'owl'}",
    "python assigned, typed": "labels: list[str] = ['mole', 'newt', 'owl']",
    "python of numpy": "{0: np.str_('mole'), 1: np.str_('newt'), 2: np.str_('owl')}",
    "numpy's array": "array(['mole', 'newt', 'owl'], dtype='<U4')",
    "OrderedDict": "OrderedDict([('newt', 1), ('mole', 0), ('owl', 2)])",
    "javascript": "export const LABELS = {\n  0: 'mole',\n  1: 'newt',\n  2: 'owl'\n};",
    "json, id2label": json.dumps({"id2label": {"0": "mole", "2": "owl", "1": "newt"}}),
    "json, both": json.dumps(
        {"architectures": ["ViT"], "id2label": {"0": "mole", "1": "newt", "2": "owl"},
         "label2id": {"mole": 0, "newt": 1, "owl": 2}, "num_labels": 3}
    ),
    "json, label2id of texts": json.dumps({"label2id": {"newt": "1", "mole": "0", "owl": "2"}}),
    "json, class_to_idx": json.dumps({"class_to_idx": {"newt": 1, "owl": 2, "mole": 0}}),
    "json, classes": json.dumps({"classes": ["mole", "newt", "owl"], "epoch": 3}),
    "json, names": json.dumps({"names": {"0": "mole", "1": "newt", "2": "owl"}, "nc": 3}),
    "json, labels": json.dumps({"tfjsVersion": "1", "labels": ["mole", "newt", "owl"]}),
    "json, COCO": json.dumps(
        {"images": [], "categories": [{"id": 2, "name": "newt"}, {"id": 1, "name": "mole"},
                                      {"id": 3, "name": "owl", "supercategory": "bird"}]}
    ),
    "json, objects": json.dumps(
        [{"id": 1, "name": "newt"}, {"id": 0, "name": "mole"}, {"id": 2, "name": "owl"}]
    ),
    "json, objects without numbers": '[{"name": "mole"}, {"name": "newt"}, {"name": "owl"}]',
    "json, named objects": '{"1": {"name": "newt"}, "0": {"name": "mole"}, "2": {"name": "owl"}}',
    "json, pairs": '[["newt", 1], ["mole", 0], ["owl", 2]]',
    "json, from 1": '{"1": "mole", "3": "owl", "2": "newt"}',
    "json, a numbered list": '["1 newt", "0 mole", "2 owl"]',
    "yaml, map": "path: data\ntrain: images\n\nnames:\n  0: mole\n  1: newt\n  2: owl\n\nurl: x\n",
    "yaml, map in disorder": "nc: 3\nnames:\n  2: owl  # night\n  0: mole\n  1: 'newt'\n",
    "yaml, list": "nc: 3\nnames: [mole, newt, owl]\n",
    "yaml, quoted list": "names: ['mole', \"newt\", 'owl']  # three\n",
    "yaml, long list": "names: ['mole',\n  'newt',\n  'owl']\nnc: 3\n",
    "yaml, bullets": "names:\n- mole\n- newt\n- owl\nnc: 3\n",
    "yaml, flow map": "names: {0: mole, 1: newt, 2: owl}\n",
    "yaml, the other way": "class_to_idx:\n  newt: 1\n  mole: 0\n  owl: 2\n",
    "class number: name": "Class 1: newt\nClass 0: mole\nClass 2: owl",
    "id and name": "id: 1, name: newt\nid: 0, name: mole\nid: 2, name: owl",
    "a dict's lines": "1: 'newt',\n0: 'mole',\n2: 'owl',",
    "a dict's quoted lines": "'1': 'newt',\n'0': 'mole',\n'2': 'owl',",
    "a dict's quoted lines without commas": '"newt": 1\n"mole": 0\n"owl": 2\n',
    "a table's empty column": "1,newt,\n0,mole,\n2,owl,",
    "a comment before": "# three\n1 newt\n0 mole\n2 owl",
    "tsv of pandas": "\tclass\n1\tnewt\n0\tmole\n2\towl",
    "json, the label is the number": json.dumps(
        [{"label": 1, "name": "newt"}, {"label": 0, "name": "mole"}, {"label": 2, "name": "owl"}]
    ),
    "json, further in": json.dumps({"data": {"classes": ["mole", "newt", "owl"]}}),
    "a detector's label map, short": "item { id: 2 name: 'newt' }\nitem { id: 1 name: 'mole' }\n"
    "item { id: 3 name: 'owl' }",
    "a detector's label map": "".join(
        f"item {{\n  id: {number}\n  name: '{name}'\n}}\n"
        for number, name in ((2, "newt"), (1, "mole"), (3, "owl"))
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    assert read_classes(LAYOUTS[layout]) == THREE


AS_THEY_STAND = {
    "synsets": ("n01440764 tench, Tinca tinca\nn01443537 goldfish, Carassius", None),
    "grades": ("grade 2\ngrade 0\ngrade 1", None),
    "cars": ("2 door coupe\n4 door sedan\n5 door wagon", None),
    "planes": ("Cessna 172\nBoeing 747\nAirbus 320", None),
    "titles": ("101 Dalmatians\n12 Monkeys\nMetropolis", None),
    "coins": ("1 euro\n2 euro\n10 euro\n20 euro", None),
    "commas": ("shark, great white\nray, electric\neagle", None),
    "digits": ("0\n1\n2\n3", None),
    "digits as text": ('["0", "1", "2"]', ("0", "1", "2")),
    "digits as numbers": ("[0, 1, 2]", ("0", "1", "2")),
    "digits with themselves": ('{"0": 0, "1": 1, "2": 2}', ("0", "1", "2")),
    "digits under class_to_idx": (
        '{"class_to_idx": {"0": 0, "1": 1, "10": 2, "2": 3}}', ("0", "1", "10", "2"),
    ),
    "digits in Python": ("{'0': 0, '1': 1, '10': 2, '2': 3}", ("0", "1", "10", "2")),
    "numbers for names": ('{"0": "zero", "1": "one"}', ("zero", "one")),
    "years": ('{"0": 1990, "1": 1991}', ("1990", "1991")),
    "colons": ("Puccinia: rust\nBlumeria: mildew", None),
    "hyphens": ("T-shirt/top\nTrouser\nPull-over", None),
    "parts": ("Apple___Apple_scab\nApple___Black_rot", None),
    "apostrophes": ("bird's nest\nlady's slipper", None),
    "letters": ("a\nb\nc", None),
    "umlauts": ("K\u00e4fer\nM\u00f6we", None),
    "named by a word": ("names of birds\nnames of fish", None),
}  # fmt: skip


@pytest.mark.parametrize("name", AS_THEY_STAND)
def test_numbers_that_are_no_order(name: str) -> None:
    text, names = AS_THEY_STAND[name]
    assert read_classes(text) == (names or tuple(text.split("\n")))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is empty"),
        (" \n\n", "it is empty"),
        ("cat\n\ndog", "the name of class 1 is empty"),
        ('["cat", ""]', "the name of class 1 is empty"),
        ('["cat", 3]', "something else"),
        ("[]", "from 1 to 100000 names, got 0"),
        ("{}", "something else"),
        ('{"a": {"b": 1}}', "something else"),
        ('{"cat": true}', "something else"),
        ('{"0": "cat", "0": "dog"}', "'0' is there twice"),
        ("{0: 'cat', 0: 'dog'}", "0 is there twice"),
        ('{"cat": 0, "dog": 0}', "class 0 is 'cat' and 'dog'"),
        ("{0: cat}", "cannot be read as JSON"),
        ("{'cat', 'dog'}", "whose order says nothing"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("(" * 100_000, "nested more than 8 times"),
        ("[__import__('os')]", "cannot be read as JSON"),
        ("classes = [open('x')]", "cannot be read as JSON"),
        ("Found 9 photos of 2 classes.\n{'cat': 0, 'dog': 1}", "begins with a bracket"),
        ("2,cat\n3,dog", "from 0 to 1, or from 1; 0 is missing"),
        ("0,cat\n2,dog", "from 0 to 1, or from 1; 1 is missing"),
        ("cat,5\ndog,9", "0 is missing"),
        ("id,name\n5,cat\n9,dog", "0 is missing"),
        ("id,name\n0,cat,x\n1,dog,y,z\n2", "2 columns in every row"),
        ("0,cat\n0,dog", "class 0 is 'cat' and 'dog'"),
        ('0,cat\n1,"dog', "quotes are closed"),
        ("0,cat\n1,", "the name of class 1 is empty"),
        ("3 cat\n1 dog", "could be their order or parts of their names"),
        ("cat 2\ndog 1", "could be their order or parts of their names"),
        ("1,0\n2,1\n0,2", "in two orders"),
        ('{"0": 0, "1": 1, "10": 2, "2": 3, "3": 4, "4": 5, "5": 6, "6": 7, "7": 8, "8": 9, '
         '"9": 10}', "in two orders"),
        ('{"classes": ["cat", "dog"], "names": ["dog", "cat"]}', "name the classes differently"),
        ("names:\n  0: cat\n  0: dog\n", "is there twice"),
        ("names:\n  cat\n  dog\n", "be YAML that can be read"),
        ("names: [cat, dog\nnc: 2\n", "be YAML that can be read"),
        ("x" * 201, "at most 200 printable characters"),
        ("cat\n\x1b[31mdog", "printable characters"),
        ("x" * 4_000_001, "at most 4 MB"),
    ],
)  # fmt: skip
def test_refusals(text: str, words: str) -> None:
    with pytest.raises(ParamError) as caught:
        read_classes(text)
    said = str(caught.value)
    assert said.startswith("--classes ")
    assert words in said
    assert "\n" not in said
    assert len(said) < 400


def test_names_that_stand_twice_get_their_number() -> None:
    assert read_classes("crane\nheron\ncrane") == ("crane (0)", "heron", "crane (2)")


BIG = 2_000_000
HOSTILE = {
    "one line": "x" * BIG,
    "one line behind another": "cat\n" + "x" * BIG,
    "one line of spaces": "a" + " " * BIG + "b",
    "digits": "1" * BIG,
    "spaces and digits": "a" + " 1" * (BIG // 2),
    "commas": "," * BIG,
    "colons": ":" * BIG,
    "quotes": '"' * BIG,
    "an open quote": '["' + "x" * BIG,
    "an open quote of Python's": "['" + "x" * BIG,
    "backslashes": "['" + "\\" * BIG,
    "brackets": "[" * BIG,
    "braces": "{0:" * (BIG // 3),
    "pairs of brackets": "[[],[]," + "[]," * (BIG // 3) + "[]]",
    "numbers": "[" + "1," * (BIG // 2) + "1]",
    "a dict": "{" + "".join(f"{number}:''," for number in range(190_000)) + "}",
    "minus": "[" + "-" * BIG + "1]",
    "calls": "list(" * (BIG // 5),
    "an assignment": "a" * BIG + " = [",
    "comments": "#\n" * (BIG // 2) + "x = ['a']",
    "words with an equals sign": "classes = [" + "a " * (BIG // 2),
    "yaml": "names:\n" + " " * BIG + "x",
    "yaml rows": "names:\n" + "  a\n" * 300_000,
    "yaml flow": "names: [" + "a," * (BIG // 2),
    "yaml brackets": "names: " + "[" * BIG,
    "lines": "a\n" * (BIG // 2),
    "numbered lines": "\n".join(f"{number} a" for number in range(150_000)),
    "a table": "id,name\n" + ",\n" * (BIG // 2),
    "wide": ",".join(["id", "name", *("x" * 3 for _ in range(300_000))]) + "\n" + ",a" * 300_000,
    "items": "item {\n" + "  id: 1\n" * 200_000,
    "nothing": "\0" * BIG,
    "marks": "\ufeff" * BIG,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_are_refused_soon(name: str) -> None:
    text = HOSTILE[name]
    start = time.process_time()
    with contextlib.suppress(ParamError):
        read_classes(text[: len(text) // 4])
    quarter = time.process_time() - start
    with pytest.raises(ParamError) as caught:
        read_classes(text)
    assert len(str(caught.value)) < 400
    # what is not linear takes 16 times as long
    assert time.process_time() - start - quarter < 12 * quarter + 0.2


ODD = (
    *("0", "1", "2 mole", "1 newt", "owl 0", "a, b", "a;b", "[x]", "{y}", "# 1", "- z", "name"),
    *("'it'", '"say"', "names: [a]", "item {", "x (2)", "k: v", "1,cat", "class 3"),
)


def test_written_names_are_read_as_the_same():
    assert write_classes(THREE) == "mole\nnewt\nowl\n"
    numbers = tuple(f"class {index}" for index in range(12))
    assert write_classes(numbers) == "\n".join(numbers) + "\n"
    for size in (1, 2, 3):
        for names in itertools.permutations(ODD, size):
            assert read_classes(write_classes(names)) == names
