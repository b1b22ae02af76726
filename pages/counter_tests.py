"""Counter-tests: change the photo, and see what happens to the answer and to the map."""

import streamlit as st

from ui import ask, counter_page, jobs, links, model_card, page, photo_card, strip, views

with page.opened(
    "Try to break it",
    "See what the answer really hangs on: take it away, keep it alone, or change the whole photo.",
    needs=(links.read, page.MODEL, page.PHOTO),
    bench=True,
) as here:
    desk = here.desk
    with here.rail():
        links.note(desk)
        with st.container(gap="xsmall"):
            model_card.show(desk)
        with st.container(gap="xsmall"):
            photo_card.show(desk, lambda seen: ask.top_five(desk, seen))
        asked = ask.method(desk)
        links.show(desk, asked)
    with here.stage():
        part = counter_page.chosen()
        here.place_progress(counter_page.SLOTS)
        with st.container():
            if desk.run_note:
                views.line(desk.run_note)
        counter_page.show(desk, part, asked)
        strip.show(desk)
        jobs.announce(desk)
