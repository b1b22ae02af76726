"""Inversion: what a layer still knows of a photo, and what a class or a unit answers to."""

import streamlit as st

from ui import ask, inversion_page, inversion_runs, model_card, page, photo_card

with page.opened(
    "What is left of the photo?",
    "See what each layer of your network still knows of a photo, and what a class looks for.",
    needs=(page.MODEL, page.PHOTO),
    bench=True,
) as here:
    desk = here.desk
    with here.rail():
        with st.container(gap="xsmall"):
            model_card.show(desk, brief=True)
        with st.container(gap="xsmall"):
            photo_card.show(desk, lambda seen: ask.top_five(desk, seen))
        kind = inversion_page.question(desk)
    with here.stage():
        here.place_progress(inversion_runs.SLOTS_SHOWN)
        inversion_page.shown(desk, kind)
