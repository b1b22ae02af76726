"""What the server refuses, and what every answer says."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from streamlit import config

from tests.conftest import ROOT
from tests.fakes.asgi import ask, connect
from ui import guard


@pytest.fixture
def app(monkeypatch):
    own = config.get_option
    names = {"server.allowedHosts": ["localhost", "127.0.0.1", "*.lab.example"]}
    monkeypatch.setattr(config, "get_option", lambda name: names.get(name) or own(name))

    async def page(request):
        return PlainTextResponse("page")

    async def stream(socket):
        await socket.accept()
        await socket.close()

    routes = [Route("/{path:path}", page), WebSocketRoute("/_stcore/stream", stream)]
    return Starlette(routes=routes, middleware=[Middleware(guard.Guard)])


@pytest.mark.parametrize("host", ["localhost", "localhost:8501", "127.0.0.1", "a.lab.example:80"])
def test_a_page_under_the_servers_name_comes_with_the_headers(app, host):
    answer = ask(app, "GET", "/", headers={"host": host})
    assert (answer.status, answer.body) == (200, b"page")
    assert guard.HEADERS.items() <= answer.headers.items()
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "lab.example", "127.0.0.1.nip.io", "", "@"]
)
def test_a_name_that_is_not_the_servers_gets_one_sentence(app, host):
    answer = ask(app, "GET", "/", headers={"host": host})
    assert (answer.status, b"--server.allowedHosts" in answer.body) == (421, True)
    assert connect(app, "/_stcore/stream", headers={"host": host}) == "websocket.close"
    assert ask(app, "GET", "/").status == 421


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/base/_stcore/metrics"])
def test_the_servers_figures_are_nobodys(app, path):
    assert ask(app, "GET", path, headers={"host": "localhost"}).status == 404


def test_only_its_own_pages_may_connect(app):
    def first(**headers):
        return connect(app, "/_stcore/stream", headers={"host": "localhost:8501", **headers})

    assert first(origin="http://localhost:8501") == "websocket.accept"
    assert first() == "websocket.accept"  # no browser
    for origin in (
        "http://localhost:9000",
        "https://evil.example",
        "null",
        "http://localhost",
        "http://[",
        "",  # Streamlit would look its own address up on the outside
    ):
        assert first(origin=origin) == "websocket.close"


def test_the_shipped_settings_name_this_machine_alone():
    import tomllib

    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["server"]
    assert settings["address"] == "localhost"
    assert settings["allowedHosts"] == ["localhost", "127.0.0.1", "::1"]
