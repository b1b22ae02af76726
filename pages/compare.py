"""Compare: runs side by side on one scale, those that are pinned or a grid made in one go."""

import streamlit as st

from ui import compared, grid, grid_form, grid_links, kept, links, page, strip, takeaway, views
from ui.strip import GRID, PINNED, WHAT
from xai_core.report.numbers import counted

with page.opened(
    "Side by side",
    "See where two methods, two networks or two photos differ, on one scale.",
    needs=(grid_links.read, page.MODEL, page.PHOTO),
    bench=True,
) as here:
    desk = here.desk
    pinned = desk.runs.pinned
    titles = {PINNED: f"Pinned runs ({len(pinned)})", GRID: "A grid"}
    with here.rail():
        key = kept.control(WHAT, PINNED if len(pinned) > 1 else GRID)
        what = st.segmented_control(
            "Compare", list(titles), format_func=titles.__getitem__, key=key, required=True
        )
        if what == GRID:
            grid_form.draw(desk, grid_links.show)
        else:
            links.put("")  # what is pinned is this visit's, and in no address
            views.line(
                "Pin two to six runs in the strip. They stand side by side in the order in which "
                "they were pinned."
            )
    with here.stage():
        here.place_progress({grid.SLOT: grid_form.under_way})
        made = grid.of(desk)
        if what == PINNED:
            shown = [compared.panel(desk, answer) for answer in pinned]
            columns, heads = min(len(shown), 3), compared.NO_HEADS
        else:
            shown = grid_form.panels(desk, made) if made is not None else []
            columns = len(made.networks) * len(made.asks) if made is not None else 1
            heads = compared.NO_HEADS if made is None else grid_form.heads(made)
        if shown:
            views.title(counted(len(shown), "run"))
            compared.show(shown, columns=columns, heads=heads)
            answers = [each.answer for each in shown if each.answer is not None]
            if answers:
                st.download_button(
                    "Report",
                    lambda: takeaway.reported(answers, desk),
                    "compared.html",
                    "text/html",
                    on_click="ignore",
                    key="compared-report",
                    help="All of these runs in one page, to read without a network and to print.",
                )
        elif what == PINNED:
            views.line("No run is pinned yet. Run a method in the Offering and pin its thumbnail.",
                       "v-empty v-quiet")  # fmt: skip
        else:
            views.line(
                "Two photos under two networks by two methods, in one go: choose them and "
                "press Run all. Each run is kept as if it had been made alone.",
                "v-empty v-quiet",
            )
        strip.show(desk, compares=True)
        grid_form.announce(made)
