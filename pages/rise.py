"""The page on RISE: how it works, live, where it misleads."""

from ui import lesson_page
from xai_core.explainers.rise import Rise

lesson_page.show(Rise)
