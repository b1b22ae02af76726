import subprocess
import sys

from tests.conftest import ROOT

SCRIPT = """
import ast, importlib, pathlib, sys
import streamlit
for path in [pathlib.Path("app.py"), *pathlib.Path("pages").glob("*.py")]:
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            try:
                importlib.import_module(name)
            except ModuleNotFoundError:
                importlib.import_module(name.rpartition(".")[0])
for path in pathlib.Path("ui").glob("*.py"):
    importlib.import_module(f"ui.{path.stem}")
from xai_core.explainer import explainers
explainers()
from xai_core import render, report
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_what_the_pages_import_brings_no_framework_and_nothing_heavy():
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(run.stdout.split())
    assert "ui" in loaded
    assert "xai_core" in loaded
    frameworks = {"torch", "torchvision", "tensorflow", "keras", "tf_keras", "xplique"}
    assert not loaded & frameworks
    assert not loaded & {"matplotlib", "scipy", "skimage", "sklearn", "cv2", "lime"}
