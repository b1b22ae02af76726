"""The page on KernelSHAP: how it works, live, where it misleads."""

from ui import lesson_page
from xai_core.explainers.kernelshap import KernelSHAP

lesson_page.show(KernelSHAP)
