"""The browser's door: the server's beginning and end, its routes, page config and navigation."""

import contextlib
import gc
import importlib
from collections.abc import AsyncIterator

import streamlit as st
from starlette.middleware import Middleware
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

# Imported here so that the first visitor does not wait for them.
from ui import (
    answer,
    ask,
    bounds,
    first,
    guard,
    model_card,
    page,
    photo_card,
    route,
    shelf,
    state,
    views,
)

__all__ = ["answer", "ask", "model_card", "page", "photo_card", "views"]

if get_script_run_ctx():
    # A file of ours: an icon by name would be fetched from elsewhere.
    st.set_page_config(
        page_title="Vitrine",
        page_icon="assets/icon.png",
        layout="wide",
        initial_sidebar_state=180,  # pixels; a phone opens with it closed
    )
    st.navigation(
        {
            "Explain": [
                st.Page("pages/offering.py", title="Offering", default=True),
                st.Page("pages/compare.py", title="Compare"),
                st.Page("pages/counter_tests.py", title="Counter-tests"),
                st.Page("pages/inversion.py", title="Inversion"),
            ],
            "Learn": [
                st.Page("pages/mlp.py", title="MLP"),
                st.Page("pages/lstm.py", title="LSTM"),
                st.Page("pages/grad_cam.py", title="Grad-CAM"),
                st.Page("pages/occlusion.py", title="Occlusion"),
                st.Page("pages/rise.py", title="RISE"),
                st.Page("pages/integrated_gradients.py", title="Integrated gradients"),
                st.Page("pages/lime.py", title="LIME"),
                st.Page("pages/kernelshap.py", title="KernelSHAP"),
                st.Page("pages/object_detection.py", title="Object detection"),
            ],
            "About": [st.Page("pages/methods.py", title="Methods")],
        }
    ).run()
else:

    @contextlib.asynccontextmanager
    async def lifespan(app: st.App) -> AsyncIterator[None]:
        """Warm the wall up before the first visitor, and take it down after the last."""
        state.visitors()
        importlib.import_module("pandas")  # else Streamlit does it while the first visitor waits
        for name in ("ui.mlp_page", "ui.lstm_page"):  # their recordings are read once a process
            importlib.import_module(name).warm()
        shelf.files()
        gc.collect()
        gc.freeze()  # Streamlit looks for garbage after each run of a page: not in all of this
        yield
        state.close()

    # Else a server whose first visitor opens a page by its address runs that file alone, without
    # this one's navigation: Streamlit takes a folder of this name for its older kind of pages.
    PagesManager.uses_pages_directory = False
    app = st.App(
        __file__,
        lifespan=lifespan,
        routes=[
            *route.routes(state.visitors, st.get_option("server.baseUrlPath")),
            *first.routes(st.get_option("server.baseUrlPath")),
        ],
        middleware=[
            Middleware(guard.Guard),
            Middleware(bounds.Bounds),
            Middleware(route.Cookies),
            Middleware(shelf.Shelf, base=st.get_option("server.baseUrlPath")),
        ],
    )
