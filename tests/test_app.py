"""The server's beginning: what is made ready before the first visitor comes."""

import asyncio
import gc
import sys

import app
from ui import state


def test_what_was_imported_is_not_searched_for_garbage_at_each_run(monkeypatch):
    monkeypatch.setattr(state, "visitors", list)
    monkeypatch.setattr(state, "close", list)

    async def begun():
        async with app.lifespan(app.app):
            return gc.get_freeze_count()

    before = gc.get_freeze_count()
    try:
        assert asyncio.run(begun()) > before + 10_000
        assert "pandas" in sys.modules
    finally:
        gc.unfreeze()
