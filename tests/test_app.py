"""The server's beginning: what is made ready before the first visitor comes."""

import asyncio
import gc
import sys
from concurrent.futures import ThreadPoolExecutor

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
        # in a thread of its own: another test may have left a loop running in this one
        with ThreadPoolExecutor(1) as threads:
            frozen = threads.submit(lambda: asyncio.run(begun())).result()
        assert frozen > before + 10_000
        assert "pandas" in sys.modules
    finally:
        gc.unfreeze()
