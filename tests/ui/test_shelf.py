"""What is sent before a page's first element: Streamlit's own files, and what names them."""

import re
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse
from starlette.routing import Route
from streamlit import file_util
from streamlit.web.server.starlette.starlette_static_routes import (
    create_streamlit_static_assets_routes,
)

from tests.fakes.asgi import ask
from ui import shelf

FOLDER = Path(file_util.get_static_dir())


def served(base="", shelved=True):
    async def report(request):
        return HTMLResponse("<head></head>a reader's report")

    middleware = [Middleware(shelf.Shelf, base=base)] if shelved else []
    routes = [
        Route(f"{base}/media/report.html", report),
        *create_streamlit_static_assets_routes(base),
    ]
    return Starlette(routes=routes, middleware=middleware)


@pytest.fixture(params=["", "/base"])
def base(request):
    return request.param


def test_each_file_is_streamlits_own_and_lasts_as_long(base):
    here, there = served(base), served(base, shelved=False)
    assert len(shelf.files()) > 60
    for name in list(shelf.files())[::12]:
        one, other = (ask(app, "GET", f"{base}/{name}") for app in (here, there))
        assert (one.status, one.body) == (200, other.body)
        for said in ("cache-control", "content-length"):
            assert one.headers[said] == other.headers[said]
        kind = "css" if name.endswith(".css") else "javascript"
        assert kind in one.headers["content-type"]
        assert kind in other.headers["content-type"]


def test_what_is_not_there_is_streamlits_to_answer(base):
    here, there = served(base), served(base, shelved=False)
    known = next(iter(shelf.files()))
    for method, path, headers in (
        ("GET", "/static/js/none.js", {}),
        ("GET", f"/{known}", {"range": "bytes=0-9"}),
        ("HEAD", f"/{known}", {}),
        ("POST", f"/{known}", {}),
        ("GET", "/static/js/../../config.py", {}),
        ("GET", "/media/report.html", {}),
    ):
        one, other = (ask(app, method, base + path, headers=headers) for app in (here, there))
        assert (one.status, one.body) == (other.status, other.body)


def test_a_page_names_the_files_of_its_elements_and_says_where_the_server_is(base):
    own = (FOLDER / "index.html").read_text(encoding="utf-8")
    answer = ask(served(base), "GET", f"{base}/mlp")
    text = answer.body.decode()
    assert (answer.status, int(answer.headers["content-length"])) == (200, len(answer.body))
    assert answer.headers["cache-control"] == "no-cache"
    assert not {"etag", "last-modified", "content-encoding"} & answer.headers.keys()
    added = text.replace(shelf._HERE, "")
    more = re.findall(
        r'<link rel="modulepreload" fetchpriority="low"[^>]* href="\./([^"]+)">', text
    )
    for link in re.findall(r'<link rel="modulepreload" fetchpriority="low"[^>]*>', text):
        added = added.replace(link, "")
    assert added == own  # nothing else is changed
    stems = [Path(name).name.split(".")[0] for name in more]
    assert set(shelf.ELEMENTS) <= set(stems)
    assert not [name for name in more if name in own or not (FOLDER / name).is_file()]
    # what a file needs is named, too
    for name in more:
        for need in re.findall(r'from"\./([^"]+)"', (FOLDER / name).read_text(encoding="utf-8")):
            assert need in text or need.startswith("index.")


def test_elements_that_are_named_otherwise_are_not_sent_beforehand(monkeypatch):
    monkeypatch.setattr(shelf, "ELEMENTS", ("NoSuchElement",))
    assert shelf._parts() == []
