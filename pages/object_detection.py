"""Object detection: why a detector put a box where it did."""

import streamlit as st

from ui import (
    answer,
    detect_lessons,
    detect_page,
    detect_several,
    jobs,
    links,
    model_card,
    page,
    photo_card,
    strip,
    views,
)
from ui.detect_desk import DetectDesk

with page.opened(
    "Why this box?",
    "See what made a detector put a box there, and what would take it away.",
    needs=(links.read, page.MODEL, page.PHOTO),
    bench=True,
    kind=DetectDesk,
) as here:
    desk = detect_page.desk_of(here)
    with here.rail():
        links.note(desk)
        with st.container(gap="xsmall"):
            model_card.show(desk, brief=True)
        with st.container(gap="xsmall"):
            photo_card.show(desk, lambda seen: detect_page.listed(desk, seen))
        asked = detect_page.question(desk)
        links.show(desk, asked)
    with here.stage():
        detect_page.boxes_shown(desk)
        here.place_progress(detect_page.SLOTS)
        with st.container():
            detect_page.notes(desk)
        if desk.run is None and desk.answer is not None:
            answer.show(desk.answer, desk, asked)
            detect_page.inside(desk.answer)
        strip.show(desk)
        detect_several.compared_here(desk)
        detect_page.painting(desk)
        detect_page.told(desk)
        detect_lessons.levels(desk)
        detect_lessons.mixing(desk)
        detect_lessons.blindness(desk)
        if desk.run is None and desk.answer is not None:
            answer.more(desk.answer, desk)
            views.line(links.said(desk))
        jobs.announce(desk)
