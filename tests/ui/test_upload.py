"""The door for files, asked as a browser asks it, and as others might."""

import json
import re

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.fakes.asgi import ask
from tests.fakes.wall import Wall
from ui import bounds, identity, route
from ui.visitors import Visitors
from workers.incoming import Incoming, Limits

ORIGIN = "http://vitrine.test"
LIMITS = Limits(file=1000, session=1500, files=4, reserve=100)


class Browser:
    """A browser whose page is open: it has a cookie, a token and a desk."""

    def __init__(self, app, visitors):
        self.app = app
        given = ask(app, "GET", route.GREETING).headers["set-cookie"]
        self.cookie = given.partition(";")[0]
        self.key = identity.key_of(self.cookie.partition("=")[2])
        self.desk = visitors.enter(self.key, "tab").desk
        self.headers = {
            "Host": "vitrine.test",
            "Origin": ORIGIN,
            "Cookie": self.cookie,
            route.TOKEN: identity.token(self.key),
        }

    def ask(self, method, id="", *, headers=None, **more):
        path = route.PATH + (f"/{id}" if id else "")
        given = self.headers | (headers or {})
        shown = {name: value for name, value in given.items() if value is not None}
        return ask(self.app, method, path, headers=shown, **more)

    def announce(self, size, name="m.pt", headers=None, **more):
        body = json.dumps({"name": name, "size": size} | more).encode()
        return self.ask("POST", pieces=[body], headers=headers)

    def put(self, id, start, data, size, *, arrived=None, headers=None):
        """Send a part; with `arrived` the connection drops after so many bytes."""
        given = {
            "Content-Range": f"bytes {start}-{start + len(data) - 1}/{size}",
            "Content-Length": str(len(data)),
        }
        came = data if arrived is None else data[:arrived]
        pieces = [came[at : at + 7] for at in range(0, len(came), 7)] or [b""]
        return self.ask(
            "PUT", id, headers=given | (headers or {}), pieces=pieces, cut=arrived is not None
        )


@pytest.fixture
def disk():
    return {"free": 10**6}


@pytest.fixture
def visitors(tmp_path, monkeypatch, disk):
    monkeypatch.setattr(Wall, "folder", tmp_path / "spool")
    (tmp_path / "spool").mkdir()
    wall = Wall()
    incoming = Incoming(LIMITS, free=lambda folder: disk["free"])
    yield Visitors(wall, here=lambda tab: True, incoming=incoming)
    wall.close()


@pytest.fixture
def app(visitors):
    async def greeting(request):
        return JSONResponse({})

    return Starlette(
        routes=[*route.routes(lambda: visitors), Route(route.GREETING, greeting)],
        middleware=[Middleware(bounds.Bounds, keeper=lambda: None), Middleware(route.Cookies)],
    )


@pytest.fixture
def browser(app, visitors):
    return Browser(app, visitors)


def files(tmp_path):
    return [path for path in (tmp_path / "spool").rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [10**400, -(10**400), -1, 0, 2**63, 10**20], ids=range(6))
def test_a_size_that_no_file_has_is_refused_in_a_sentence(browser, size):
    answer = browser.announce(size)
    assert 400 <= answer.status < 500 or answer.status == 507
    assert answer.json["error"].endswith(".")


def test_a_file_arrives_whole_under_a_name_of_ours(browser, visitors, tmp_path):
    data = bytes(range(256)) * 3
    begun = browser.announce(len(data), name="../../résumé <b>.pt")
    assert begun.status == 201
    id = begun.json["id"]
    assert browser.put(id, 0, data[:500], len(data)).json == {"received": 500, "size": 768}
    with pytest.raises(Exception, match="on its way"):
        visitors.incoming.take(browser.key, id)
    assert browser.put(id, 500, data[500:], len(data)).json["received"] == 768
    upload = visitors.incoming.take(browser.key, id)
    assert upload.name == "résumé <b>.pt"
    assert upload.path.read_bytes() == data
    assert upload.path.name == "upload"
    assert upload.path.stat().st_mode & 0o777 == 0o600
    assert upload.path.is_relative_to(browser.desk.session.folder)
    assert files(tmp_path) == [upload.path]
    assert browser.ask("GET", id).status == 404  # it is handed over once


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "..\\..\\x", "a\0b", "..", "", "x" * 5000, "\u202etp.m"],
)
def test_names_are_never_paths(browser, visitors, tmp_path, name):
    begun = browser.announce(4, name=name)
    assert begun.status == 201
    upload = visitors.incoming.find(browser.key, begun.json["id"])
    assert upload.path.name == "upload"
    assert upload.path.parent.parent == browser.desk.session.folder
    assert upload.name
    assert "/" not in upload.name
    assert upload.name.isprintable()
    assert len(upload.name) <= route.NAME
    outside = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert outside == [upload.path]


def test_a_cut_connection_keeps_what_came_and_goes_on_there(browser, visitors):
    data = bytes(range(200))
    id = browser.announce(200).json["id"]
    browser.put(id, 0, data, 200, arrived=90)
    assert browser.ask("GET", id).json == {"received": 90, "size": 200}
    again = browser.put(id, 0, data, 200)  # who did not ask first is told where
    assert (again.status, again.json["received"]) == (409, 90)
    assert browser.put(id, 90, data[90:], 200).json["received"] == 200
    assert visitors.incoming.take(browser.key, id).path.read_bytes() == data


def test_the_same_file_announced_again_goes_on_after_f5(browser):
    first = browser.announce(200, mark="m:200:17").json
    browser.put(first["id"], 0, bytes(200), 200, arrived=50)
    again = browser.announce(200, mark="m:200:17").json
    assert again == {"id": first["id"], "received": 50, "size": 200}
    assert browser.announce(200, mark="m:200:18").json["received"] == 0
    assert browser.announce(201, mark="m:200:17").json["received"] == 0


def test_a_dead_connection_that_wakes_up_cannot_write(browser, visitors):
    id = browser.announce(100).json["id"]
    upload = visitors.incoming.find(browser.key, id)
    old = upload.turn(0)
    upload.write(old, b"a" * 10)
    assert browser.put(id, 10, b"b" * 90, 100).status == 200
    with pytest.raises(Exception, match="Another request"):
        upload.write(old, b"c")
    assert upload.path.read_bytes() == b"a" * 10 + b"b" * 90


def test_nobody_goes_on_with_an_upload_forever(browser, visitors, tmp_path):
    id = browser.announce(100).json["id"]
    browser.put(id, 0, bytes(100), 100, arrived=40)
    visitors.sweep()
    assert len(files(tmp_path)) == 1
    visitors.incoming.find(browser.key, id).touched -= LIMITS.patience + 1
    visitors.sweep()
    assert files(tmp_path) == []
    assert "Send it again" in browser.ask("GET", id).json["error"]


def test_an_announcement_is_not_renewed_by_words(browser, visitors):
    id = browser.announce(100, mark="m").json["id"]
    upload = visitors.incoming.find(browser.key, id)
    for came in (0, 40):
        upload.touched = old = upload.touched - 5
        browser.put(id, 0, bytes(100), 100, arrived=came)
        assert (upload.touched > old) == bool(came)
        upload.touched = before = upload.touched - LIMITS.patience + 1
        assert browser.announce(100, mark="m").json["id"] == id
        assert (upload.touched > before) == bool(came)
        upload.touched = before
        assert browser.announce(100, mark="m").json["id"] == id
        assert upload.touched == before


def test_a_small_file_waits_for_the_large_one_that_follows(browser, visitors):
    small, large = (browser.announce(size).json["id"] for size in (10, 100))
    browser.put(small, 0, bytes(10), 10)
    visitors.incoming.find(browser.key, small).touched -= LIMITS.patience + 1
    browser.put(large, 0, bytes(50), 100, arrived=40)
    visitors.sweep()
    assert browser.ask("GET", small).json["received"] == 10
    visitors.incoming.find(browser.key, large).touched -= LIMITS.patience + 1
    visitors.sweep()
    assert browser.ask("GET", small).status == 404


def test_cancel_leaves_nothing(browser, tmp_path):
    id = browser.announce(100).json["id"]
    browser.put(id, 0, bytes(50), 100)
    assert browser.ask("DELETE", id).status == 204
    assert files(tmp_path) == []
    assert browser.put(id, 50, bytes(50), 100).status == 404


REFUSED = {
    "no cookie": ({"Cookie": None}, 401),
    "another server's cookie": ({"Cookie": "vitrine=" + "a" * 32 + "." + "0" * 64}, 401),
    "a cookie that is no cookie": ({"Cookie": "vitrine=../../x"}, 401),
    "no token": ({route.TOKEN: None}, 403),
    "a wrong token": ({route.TOKEN: "0" * 64}, 403),
    "a token that is no text": ({route.TOKEN: "\u00e9"}, 403),
    "another site": ({"Origin": "http://evil.test"}, 403),
    "another port": ({"Origin": "http://vitrine.test:81"}, 403),
    "a name that begins alike": ({"Origin": "http://vitrine.test.evil.test"}, 403),
    "a hidden origin": ({"Origin": "null"}, 403),
    "no origin": ({"Origin": None}, 403),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_only_the_visitors_own_page_may_send(browser, visitors, tmp_path, case, method):
    headers, status = REFUSED[case]
    upload = visitors.incoming.begin(browser.key, browser.desk.session, name="m", size=10)
    if method == "POST":
        answer = browser.announce(10, headers=headers)
    elif method == "PUT":
        answer = browser.put(upload.id, 0, bytes(10), 10, headers=headers)
    else:
        answer = browser.ask("DELETE", upload.id, headers=headers)
    assert answer.status == status
    assert re.fullmatch(r"[A-Z][^<>]+\.", answer.json["error"])
    assert files(tmp_path) == [upload.path]
    assert upload.received == 0


def test_two_browsers_cannot_reach_each_others_files(app, visitors, browser):
    other = Browser(app, visitors)
    assert other.key != browser.key
    id = browser.announce(10).json["id"]
    for answer in (
        other.ask("GET", id),
        other.put(id, 0, bytes(10), 10),
        other.ask("DELETE", id),
    ):
        assert answer.status == 404
    with pytest.raises(Exception, match="no longer has"):
        visitors.incoming.take(other.key, id)
    swapped = {"Cookie": other.cookie}
    assert browser.put(id, 0, bytes(10), 10, headers=swapped).status == 403
    assert browser.put(id, 0, bytes(10), 10).status == 200


def test_a_cookie_alone_opens_no_session(app, visitors, browser):
    given = ask(app, "GET", route.GREETING).headers["set-cookie"].partition(";")[0]
    key = identity.key_of(given.partition("=")[2])
    headers = {"Cookie": given, route.TOKEN: identity.token(key)}
    assert browser.announce(10, headers=headers).status == 403
    assert len(visitors.wall.sessions) == 1


def test_too_large_is_said_before_a_byte_is_sent(browser, tmp_path):
    answer = browser.announce(1001)
    assert answer.status == 413
    assert "up to" in answer.json["error"]
    assert files(tmp_path) == []


def test_a_session_has_a_quota_that_counts_what_is_announced(browser, visitors):
    first = browser.announce(900).json["id"]
    assert browser.announce(700).status == 413
    browser.put(first, 0, bytes(900), 900)
    upload = visitors.incoming.take(browser.key, first)
    answer = browser.announce(700)
    assert (answer.status, "Open a built-in model" in answer.json["error"]) == (413, True)
    browser.desk.session.remove_file(upload.path)
    assert browser.announce(700).status == 201


def test_a_session_has_so_many_files(browser):
    assert [browser.announce(1).status for _ in range(5)] == [201] * 4 + [413]


def test_the_disk_keeps_a_reserve_that_all_share(app, visitors, browser, disk):
    other = Browser(app, visitors)
    disk["free"] = 1100
    id = browser.announce(800).json["id"]
    idle = other.announce(300).json["id"]  # a word alone takes no place
    assert browser.put(id, 0, bytes(100), 800, headers={"Content-Range": "bytes 0-99/800"})
    disk["free"] = 1000
    assert "no room" in other.put(idle, 0, bytes(300), 300).json["error"]
    answer = other.announce(300)
    assert (answer.status, "no room" in answer.json["error"]) == (507, True)
    assert other.announce(200).status == 201


def test_a_disk_that_fills_up_ends_the_upload(browser, visitors, tmp_path, monkeypatch):
    id = browser.announce(10).json["id"]
    upload = visitors.incoming.find(browser.key, id)

    def full(turn, data):
        raise route.UploadError("No room.", 507)

    monkeypatch.setattr(upload, "write", full)
    assert browser.put(id, 0, bytes(10), 10).status == 507
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Range": None}, 400),
        ({"Content-Range": "bytes 0-9"}, 400),
        ({"Content-Range": "bytes -1-9/100"}, 400),
        ({"Content-Range": "bytes 9-0/100"}, 416),
        ({"Content-Range": "bytes 0-9/99"}, 416),
        ({"Content-Range": "bytes 95-104/100"}, 416),
        ({"Content-Length": None}, 411),
        ({"Content-Length": "11"}, 411),
        ({"Content-Length": "ten"}, 411),
    ],
)
def test_a_part_must_say_what_it_is(browser, headers, status):
    id = browser.announce(100).json["id"]
    assert browser.put(id, 0, bytes(10), 100, headers=headers).status == status
    assert browser.ask("GET", id).json["received"] == 0


def test_a_part_that_goes_on_past_its_end_is_refused(browser, visitors):
    id = browser.announce(100).json["id"]
    headers = {"Content-Range": "bytes 0-9/100", "Content-Length": "10"}
    assert browser.ask("PUT", id, headers=headers, pieces=[bytes(8), bytes(8)]).status == 400
    assert visitors.incoming.find(browser.key, id).received == 0


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"name": 1, "size": 2}', b'{"name": "m", "size": "2"}',
     b'{"name": "m", "size": true}', b'{"name": "m", "size": 1.5}', b"\xff", b"[" * 4000],
)  # fmt: skip
def test_an_announcement_that_says_nothing_is_refused(browser, body):
    assert browser.ask("POST", pieces=[body]).status == 400


@pytest.mark.parametrize("size", [0, -1])
def test_an_empty_file_is_refused(browser, size):
    assert "empty" in browser.announce(size).json["error"]


def test_a_long_announcement_is_not_read(browser):
    assert browser.ask("POST", pieces=[bytes(5000), bytes(5000)]).status == 413


def test_the_cookie_is_for_us_alone(app):
    given = ask(app, "GET", route.GREETING).headers["set-cookie"]
    assert re.fullmatch(r"vitrine=\S{97}; Path=/; HttpOnly; SameSite=Strict", given)
    secure = ask(app, "GET", route.GREETING, scheme="https").headers["set-cookie"]
    assert secure.endswith("; Secure")


def test_who_has_a_cookie_keeps_it_and_a_forged_one_is_replaced(app, browser):
    kept = ask(app, "GET", route.GREETING, headers={"Cookie": browser.cookie})
    assert "set-cookie" not in kept.headers
    for forged in ("vitrine=x", f"{browser.cookie}0", browser.cookie.replace(".", "A.", 1)):
        given = ask(app, "GET", route.GREETING, headers={"Cookie": forged})
        assert "set-cookie" in given.headers


def test_the_door_stands_under_the_servers_base_path(visitors):
    paths = {each.path for each in route.routes(lambda: visitors, "/lab/")}
    assert paths == {"/lab/vitrine/upload", "/lab/vitrine/upload/{id}"}
