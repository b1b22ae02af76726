"""The page on Grad-CAM: how it works, live, where it misleads."""

from ui import lesson_page
from xai_core.explainers.grad_cam import GradCAM

lesson_page.show(GradCAM)
