"""The Offering: a model, a photo, a question, and where the model looked."""

import streamlit as st

from ui import answer, ask, model_card, page, photo_card, views

with page.opened(
    "Your model, behind glass",
    "See what your network looked at, and how far to believe the picture.",
    needs=(page.MODEL, page.PHOTO),
) as here:
    desk = here.desk
    left, right = st.columns([1.15, 1], gap="medium")
    with left, st.container(border=True, height="stretch", key="model-card"):
        model_card.show(desk)
        ask.top_five(desk)
    with right, st.container(border=True, height="stretch", key="photo-card"):
        photo_card.show(desk)

    asked = ask.method(desk)

    here.place_progress()
    with st.container():
        if desk.run_note:
            views.line(desk.run_note)
    if desk.run is None:
        if desk.answer is not None:
            answer.show(desk.answer, desk, asked)
        else:
            answer.invite(desk, asked)
