"""The page on integrated gradients: how they work, live, where they mislead."""

from ui import lesson_page
from xai_core.explainers.integrated_gradients import IntegratedGradients

lesson_page.show(IntegratedGradients)
