"""On what networks may run: the processor alone, or an NVIDIA GPU as well.

The variable VITRINE_DEVICE says it, `--device` on the command line. No framework is imported here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

from xai_core.errors import ParamError

Device = Literal["cpu", "auto", "cuda"]
"""`cuda` asks for the GPU, `auto` takes it where the machine shows one, `cpu` never does."""
VARIABLE, FLAG = "VITRINE_DEVICE", "--device"
CHOICES: tuple[Device, ...] = get_args(Device)

_PLACES = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")
_TOLD = ("/proc/driver/nvidia", "/proc/devices", "/sys/bus/pci/devices", "/sys/devices/pci0000:00",
         "/sys/module/nvidia")  # fmt: skip


def asked(environment: Mapping[str, str] = os.environ) -> Device:
    """Return what VITRINE_DEVICE says; `cpu` where it says nothing. Raises ParamError."""
    said = environment.get(VARIABLE, "") or "cpu"
    for word in CHOICES:
        if word == said:
            return word
    raise ParamError(f"{VARIABLE} must be one of {', '.join(CHOICES)}, got {said[:40]!r}")


def files(root: Path = Path("/dev")) -> tuple[Path, ...]:
    """List a machine's GPU device files; empty where it shows no NVIDIA GPU."""
    cards = sorted(path for path in root.glob("nvidia*") if path.name[6:].isdigit())
    if not cards or not (root / _PLACES[0]).exists():
        return ()
    return (*cards, *(root / name for name in _PLACES if (root / name).exists()))


def told() -> tuple[Path, ...]:
    """List what a process that uses a GPU reads of the system besides."""
    return tuple(Path(each) for each in _TOLD)


def given(device: Device, root: Path = Path("/dev")) -> tuple[Path, ...]:
    """List the device files that a worker is let at: none for `cpu`, or without a GPU."""
    return () if device == "cpu" else files(root)
