"""The Offering: a model, a photo, a question, and where the model looked."""

import streamlit as st

from ui import answer, ask, doctor, jobs, links, model_card, page, photo_card, strip, twins, views

with page.opened(
    "Your model, behind glass",
    "See what your network looked at, and how far to believe the picture.",
    needs=(links.read, page.MODEL, page.PHOTO),
    bench=True,
) as here:
    desk = here.desk
    twins.follow(desk)
    with here.rail():
        links.note(desk)
        with st.container(gap="xsmall"):
            model_card.show(desk)
        with st.container(gap="xsmall"):  # its lines come and go, what follows stays put
            photo_card.show(desk, lambda seen: ask.top_five(desk, seen))
        asked = ask.method(desk)
        links.show(desk, asked)
    with here.stage():
        here.place_progress()
        with st.container():
            if desk.run_note:
                views.line(desk.run_note)
        if desk.run is None:
            if desk.answer is not None:
                answer.show(desk.answer, desk, asked)
            else:
                answer.invite(desk, asked)
        strip.show(desk)
        if desk.run is None and desk.answer is not None:
            answer.more(desk.answer, desk)
            views.line(links.said(desk))
        doctor.show(desk)
        jobs.announce(desk)
