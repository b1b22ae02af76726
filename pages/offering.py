"""The Offering: a model, a photo, a question, and where the model looked."""

import streamlit as st

from ui import answer, ask, jobs, model_card, photo_card, popovers, state, views

views.heading(
    "Your model, behind glass",
    "See what your network looked at, and how far to believe the picture.",
)
popovers.close_popovers()
desk = state.desk()
ask.recall(desk)
model_card.open_first(desk)
photo_card.open_first(desk)

left, right = st.columns([1.15, 1], gap="medium")
with left, st.container(border=True, height="stretch", key="model-card"):
    model_card.show(desk)
    ask.top_five(desk)
with right, st.container(border=True, height="stretch", key="photo-card"):
    photo_card.show(desk)
popovers.closed()

asked = ask.method(desk)
ask.keep(desk)

under_way = st.container()
with st.container():
    if desk.run_note:
        views.line(desk.run_note)
if desk.run is None:
    if desk.answer is not None:
        answer.show(desk.answer, desk, asked)
    else:
        answer.invite(desk)

# Last, because it looks closely for a moment: all else is on the screen by then.
with under_way:
    jobs.watch(desk)
