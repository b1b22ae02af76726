"""The page on LIME: how it works, live, where it misleads."""

from ui import lesson_page
from xai_core.explainers.lime import Lime

lesson_page.show(Lime)
