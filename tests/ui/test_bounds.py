"""What a body may take: bytes in Streamlit's uploader, and time."""

import asyncio
import types
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from tests.fakes.asgi import ask
from ui import bounds

MB = 1 << 20


def in_a_thread(work):
    """Run it to its end; tests in a browser leave a loop running in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def record(name, data=b""):
    return UploadedFileRec(name, "photo.png", "image/png", data)


@pytest.fixture
def keeper():
    return MemoryUploadedFileManager("/_stcore/upload_file")


@pytest.fixture
def app(keeper, monkeypatch):
    monkeypatch.setattr(bounds, "SESSION", 20 * MB)
    monkeypatch.setattr(bounds, "ALL", 45 * MB)
    monkeypatch.setattr(bounds, "FILES", 3)

    async def put(request):
        data = await request.body()
        keeper.add_file(request.path_params["session"], record(request.path_params["file"], data))
        return PlainTextResponse("kept", 201)

    async def other(request):
        return PlainTextResponse(str(len(await request.body())))

    routes = [
        Route("/_stcore/upload_file/{session}/{file}", put, methods=["PUT"]),
        Route("/_stcore/upload_file/{session}/a/{file}", put, methods=["PUT"]),
        Route("/{path:path}", other, methods=["GET", "POST", "PUT"]),
    ]
    return Starlette(routes=routes, middleware=[Middleware(bounds.Bounds, keeper=lambda: keeper)])


def put(app, session, size, file=None, announced=None):
    file = file or str(uuid.uuid4())
    given = {"content-length": str(size if announced is None else announced)}
    path = f"/_stcore/upload_file/{session}/{file}"
    return ask(app, "PUT", path, headers=given, pieces=[bytes(size)])


def test_a_session_keeps_so_much_and_no_more(app, keeper):
    first = str(uuid.uuid4())
    assert put(app, "a", 9 * MB, first).status == put(app, "a", 9 * MB).status == 201
    refused = put(app, "a", 9 * MB)
    assert (refused.status, refused.headers["connection"]) == (413, "close")
    assert b"Reload the page, which lets them go" in refused.body
    assert put(app, "b", 9 * MB).status == 201  # another page
    assert put(app, "a", 10 * MB, first).status == 201  # in the place of the first
    keeper.remove_session_files("a")
    assert put(app, "a", 9 * MB).status == 201


def test_many_small_ones_and_many_pages_have_an_end(app, keeper):
    assert [put(app, "a", 1).status for _ in range(5)] == [201] * 3 + [413] * 2
    assert [put(app, name, 18 * MB).status for name in "bcd"] == [201, 201, 413]
    assert sum(map(len, keeper.file_storage.values())) == 5


def test_what_says_nothing_of_its_length_counts_as_the_most(app):
    answer = ask(app, "PUT", f"/_stcore/upload_file/a/{uuid.uuid4()}", pieces=[b"x"])
    assert answer.status == 413
    assert put(app, "a", 1, announced="9" * 30).status == 413


@pytest.mark.parametrize("file", ["x", "../../x", f"a/{uuid.UUID(int=7)}", "z" * 36])
def test_an_id_that_no_page_was_given_is_none(app, keeper, file):
    assert put(app, "a", 1, file).status == 404
    assert not keeper.file_storage


def test_what_is_on_its_way_counts(keeper, monkeypatch):
    monkeypatch.setattr(bounds, "SESSION", 20)
    inside, asked = asyncio.Event(), []

    async def slow(scope, receive, send):
        await Request(scope, receive).body()
        inside.set()
        await asyncio.Event().wait()

    guarded = bounds.Bounds(slow, keeper=lambda: keeper)

    def request(size):
        scope = {
            "type": "http", "method": "PUT", "headers": [(b"content-length", str(size).encode())],
            "path": f"/_stcore/upload_file/a/{uuid.uuid4()}", "query_string": b"",
        }  # fmt: skip

        async def receive():
            return {"type": "http.request", "body": bytes(size), "more_body": False}

        async def send(message):
            asked.append(message.get("status"))

        return guarded(scope, receive, send)

    async def both():
        first = asyncio.create_task(request(15))
        await inside.wait()
        await request(15)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert guarded._coming == {}

    in_a_thread(both())
    assert asked[0] == 413


def pausing(app, pieces, *, path="/x"):
    """Send some of a body and then nothing; return what is answered."""
    left, sent = list(pieces), []

    async def receive():
        if not left:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": left.pop(0), "more_body": True}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(),
        "query_string": b"", "headers": [], "root_path": "", "http_version": "1.1",
        "scheme": "http", "asgi": {"version": "3.0"},
    }  # fmt: skip
    in_a_thread(app(scope, receive, send))
    return sent


def test_a_body_that_does_not_come_ends_its_request(app, monkeypatch):
    monkeypatch.setattr(bounds, "STALL", 0.05)
    sent = pausing(app, [b"x" * 10])
    assert [message.get("status") for message in sent] == [408, None]
    assert b"Send it again" in sent[1]["body"]
    assert (b"connection", b"close") in sent[0]["headers"]


def test_a_body_that_drips_ends_its_request(monkeypatch):
    now = types.SimpleNamespace(value=0.0)
    taken = []

    async def other(scope, receive, send):
        while (await receive())["type"] == "http.request":
            taken.append(now.value)
            now.value += bounds.STALL - 1

    guarded = bounds.Bounds(other, keeper=lambda: None, clock=lambda: now.value)
    sent = pausing(guarded, [b"x"] * 100)
    assert sent[0]["status"] == 408
    assert len(taken) == 2


def test_a_request_that_is_cancelled_is_cancelled():
    waits = asyncio.Event()

    async def receive():
        waits.set()
        await asyncio.Event().wait()

    async def waiting(scope, receive, send):
        await receive()

    async def cut():
        scope = {"type": "http", "method": "POST", "path": "/"}
        request = bounds.Bounds(waiting, keeper=lambda: None)(scope, receive, None)
        task = asyncio.ensure_future(request)
        await waits.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    in_a_thread(cut())


def test_a_fault_of_the_app_is_its_own(keeper):
    async def broken(scope, receive, send):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        pausing(bounds.Bounds(broken, keeper=lambda: keeper), [])


def test_what_a_page_sent_goes_some_time_after_it(keeper):
    now, here = types.SimpleNamespace(value=0.0), {"a", "b"}
    release = bounds.Release(here.__contains__, lambda: keeper, lambda: now.value)
    for name in "ab":
        keeper.add_file(name, record("1", b"x" * 100))
    release()
    here.remove("a")
    release()
    now.value += bounds.GRACE - 1
    release()
    assert set(keeper.file_storage) == {"a", "b"}
    here.add("a")  # it came back
    release()
    here.remove("a")
    release()
    now.value += bounds.GRACE + 1
    release()
    assert set(keeper.file_storage) == {"b"}
    bounds.Release(here.__contains__, lambda: None)()


def test_the_server_s_own_keeper_is_found(monkeypatch, keeper):
    monkeypatch.setattr(bounds.runtime, "exists", lambda: False)
    assert bounds.keeper() is None
    monkeypatch.setattr(bounds.runtime, "exists", lambda: True)
    running = types.SimpleNamespace(uploaded_file_mgr=keeper)
    monkeypatch.setattr(bounds.runtime, "get_instance", lambda: running)
    assert bounds.keeper() is keeper
