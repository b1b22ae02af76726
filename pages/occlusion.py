"""The page on Occlusion: how it works, live, where it misleads."""

from ui import lesson_page
from xai_core.explainers.occlusion import Occlusion

lesson_page.show(Occlusion)
