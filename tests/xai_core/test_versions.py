import platform
from importlib import metadata

import numpy as np

from xai_core.versions import VITRINE, versions


def test_what_is_installed_is_named():
    found = versions("torch", "grad-cam")
    assert found["vitrine"] == VITRINE
    assert found["python"] == platform.python_version()
    assert found["numpy"] == np.__version__
    assert found["torch"] == metadata.version("torch")
    assert found["grad-cam"] == metadata.version("grad-cam")
    assert "keras" not in found
    assert "no-such" not in versions("no-such", "ours")
