"""What all tests share: the folder of real models, where there is one."""

from pathlib import Path

import pytest
import torch  # TensorFlow aborts a process that imports torchvision after it
import torchvision

ROOT = Path(__file__).resolve().parents[1]
assert torchvision.__version__
torch.set_num_threads(2)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real models and photos that stands beside the repository."""
    folder = ROOT.parent / "shared"
    if not (folder / "models").is_dir():
        pytest.skip("the folder shared/models is not beside the repository")
    return folder
