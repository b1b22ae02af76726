"""What all tests share: the folder of real models, where there is one."""

from pathlib import Path

import pytest
import torch  # TensorFlow aborts a process that imports torchvision after it
import torchvision

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120.0
"""Seconds after which a wait for an event is given up. Nothing is measured against it: on a busy
machine an event may come late, and a test that waits for it must not fall."""
assert torchvision.__version__
torch.set_num_threads(2)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real models and photos that stands beside the repository."""
    folder = ROOT.parent / "shared"
    if not (folder / "models").is_dir():
        pytest.skip("the folder shared/models is not beside the repository")
    return folder
