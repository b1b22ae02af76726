"""What all tests share: processes, printed times, patience, and the folder of real models."""

import os
from pathlib import Path

import pytest
import torch  # TensorFlow aborts a process that imports torchvision after it
import torchvision

from tests import lasting
from tests.times import (  # noqa: F401 - hooks
    pytest_collection_modifyitems,
    pytest_terminal_summary,
    pytest_xdist_make_scheduler,
)

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120.0
"""Seconds after which a wait for an event is given up. Nothing is measured against it: on a busy
machine an event may come late, and a test that waits for it must not fall."""
assert torchvision.__version__
ALONE = "PYTEST_XDIST_WORKER" not in os.environ
torch.set_num_threads(2 if ALONE else 1)


@pytest.fixture(scope="session", autouse=True)
def _lasting():
    yield
    lasting.close()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real models and photos that stands beside the repository."""
    folder = ROOT.parent / "shared"
    if not (folder / "models").is_dir():
        pytest.skip("the folder shared/models is not beside the repository")
    return folder
