"""The lines of the house: who imports whom, and where a framework may be imported."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

ORDER = ("xai_core", "loaders", "workers", "ui", "pages")
ABOVE = {folder: {*ORDER[at + 1 :], "commands"} for at, folder in enumerate(ORDER)}
ABOVE["commands"] = {"ui", "pages"}
"""What each folder may not import; neither door, commands or pages, knows of the other."""
FRAMEWORKS = {"torch", "torchvision", "tensorflow", "keras", "tf_keras", "xplique"}
LIBRARIES = {"pytorch_grad_cam", "lime"}
ADAPTERS = {
    *(
        f"loaders/torch/{part}.py"
        for part in ("model", "layers", "pyramid", "regions", "script", "watch", "wrapped")
    ),
    *(
        f"loaders/torch/{part}.py"
        for part in (
            "convert",
            "notes",
            "cuda",
            "detector",
            "many_views",
            "folded",
            "forward",
            "first_pass",
            "halves",
            "packed",
            "regions",
            "replay",
            "shared",
            "slopes",
            "streamed",
            "tail",
            "traced",
        )
    ),
    *(f"loaders/torch/{part}.py" for part in ("relu", "rewrite")),
    *(f"loaders/torch/{part}.py" for part in ("incremental", "occluding", "reach")),
    *(f"loaders/keras/{part}.py" for part in ("forward", "model", "network", "read", "sites")),
    *(f"loaders/keras/{part}.py" for part in ("relu", "rewrite", "shared", "tail")),
    "loaders/torch/pools.py",
    "loaders/onnx/session.py",
}
SOURCES = sorted(
    path
    for folder in ABOVE
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)


def imported(tree: ast.AST, *, top_only: bool) -> set[str]:
    """Return the first names of the modules imported; without functions' own if `top_only`."""
    names: set[str] = set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if top_only and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if top_only and typing_only:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
        waiting.extend(ast.iter_child_nodes(node))
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    tree = ast.parse(path.read_text())
    above = ABOVE[path.relative_to(ROOT).parts[0]]
    everywhere = imported(tree, top_only=False)
    assert not everywhere & above, "imports from above"
    if path.relative_to(ROOT).parts[0] in ("xai_core", "loaders"):
        assert "streamlit" not in everywhere
    if path.relative_to(ROOT).parts[0] in ("commands", "ui", "pages"):
        assert not everywhere & (FRAMEWORKS | LIBRARIES)
    if str(path.relative_to(ROOT)) not in ADAPTERS:
        assert not imported(tree, top_only=True) & (FRAMEWORKS | LIBRARIES)


def test_the_browsers_side_imports_no_framework() -> None:
    code = (
        "import sys, runpy, streamlit, cli\n"
        "import pkgutil, importlib, pages, ui, workers.client, xai_core.explainer as e\n"
        "for package in (ui,):\n"
        "    for m in pkgutil.iter_modules(package.__path__, package.__name__ + '.'):\n"
        "        importlib.import_module(m.name)\n"
        "assert len(e.explainers()) >= 2\n"
        "import ast, pathlib\n"
        "for path in [pathlib.Path('app.py'), *pathlib.Path('pages').glob('*.py')]:\n"
        "    for node in ast.parse(path.read_text()).body:\n"
        "        if isinstance(node, (ast.Import, ast.ImportFrom)):\n"
        "            exec(compile(ast.Module([node], []), str(path), 'exec'))\n"
        f"bad = {sorted(FRAMEWORKS | LIBRARIES)!r}\n"
        "found = [name for name in bad if name in sys.modules]\n"
        "assert not found, found\n"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


LONGEST = 400
"""Lines that a file of the product may have."""
OTHER_WORDS = {
    "commands": {"explain"},  # the command of that name
    "xai_core/report/command.py": {"explain"},  # the same, as it is printed
    "loaders/load.py": {"load"},  # its function
    "loaders/torch/published.py": {"load"},  # torch's functions
    "xai_core/engines/grad_cam_library.py": {"grad-cam"},  # its own name
    "workers/kinds.py": {"lime"},  # the library that is imported
}
"""Where a word that is a method's or a task's name stands for something else."""
NAMES = """
import json
from xai_core.explainer import explainers
from xai_core.film import drawn_for
from xai_core.task import tasks
own = {name: [cls.__module__] for name, cls in [*explainers().items(), *tasks().items()]}
for name in explainers():
    if draw := drawn_for(name):
        own[name].append(draw.__module__)
print(json.dumps(own))
"""


@pytest.fixture(scope="module")
def own_files() -> dict[str, list[str]]:
    """Return the modules where each method and each task stands, by its name."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", NAMES], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    assert len(found) >= 8
    return found


def words_of(source: str) -> set[str]:
    """Return the texts of a source file."""
    return {
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_no_method_s_or_task_s_name_stands_outside_its_own_files(
    own_files: dict[str, list[str]],
) -> None:
    assert "rise" in words_of('if method == "rise": pass')
    for path in [*ROOT.glob("*.py"), *SOURCES]:
        name = path.relative_to(ROOT).as_posix()
        module = name.removesuffix(".py").replace("/", ".")
        allowed = OTHER_WORDS.get(name, set()) | OTHER_WORDS.get(name.split("/")[0], set())
        for word in words_of(path.read_text()) - allowed:
            assert module in own_files.get(word, [module]), f"{name} names {word}"


ARRAYS = """
import json
from xai_core.explainer import explainers
print(json.dumps(sorted({name for cls in explainers().values() for name in cls.arrays})))
"""
READERS = ("pages", "commands", "ui", "workers", "loaders", "xai_core/report")
"""Who serves all methods alike, by their grain and their facts."""


def looked_up(source: str) -> set[str]:
    """Return the names by which a source file looks into arrays: a subscript's, or `get`'s."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Subscript):
            place, names = node.value, [node.slice]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            place, names = node.func.value, node.args[:1] if node.func.attr == "get" else []
        elif isinstance(node, ast.Compare):
            place, names = node.comparators[-1], [node.left]
        else:
            continue
        if "arrays" in ast.unparse(place).split(".")[-1]:
            found |= {str(each.value) for each in names if isinstance(each, ast.Constant)}
    return found


def test_no_method_s_array_is_looked_up_outside_its_own_files() -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", ARRAYS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = set(json.loads(done.stdout))
    assert len(names) >= 8
    ways = ('made.arrays["a"]', 'arrays.get("b")', 'if "c" in made.arrays: pass')
    assert looked_up("\n".join(ways)) == {"a", "b", "c"}
    for folder in READERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            found = looked_up(path.read_text()) & names
            assert not found, f"{path.relative_to(ROOT)} looks up {found}"


def test_no_file_of_the_product_is_long() -> None:
    folders = [ROOT / name for name in ("assets", "benchmarks")]
    more = [path for folder in folders for path in folder.rglob("*.py")]
    for path in [*ROOT.glob("*.py"), *SOURCES, *more]:
        length = len(path.read_text().splitlines())
        assert length <= LONGEST, f"{path.relative_to(ROOT)} has {length} lines"


def test_no_file_is_large_and_none_names_a_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=False,
    ).stdout.decode()
    if not listed:
        pytest.skip("not a git checkout")
    total = 0
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if not path.is_file():
            continue
        size = path.stat().st_size
        # the detector is a pyramid and two heads on top of what a classifier is
        assert size < (10_000_000 if name.endswith("_detector.pth") else 5_000_000), name
        if name.startswith("assets/"):
            total += size
    assert total < 30_000_000
