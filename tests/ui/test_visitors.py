import threading

import pytest

from tests.fakes.wall import Wall
from ui import visitors
from ui.visitors import GRACE, Visitors
from workers.incoming import Incoming


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def wall(tmp_path, monkeypatch):
    monkeypatch.setattr(Wall, "folder", tmp_path)
    made = Wall()
    yield made
    made.close()


@pytest.fixture
def connected():
    return set()


@pytest.fixture
def here(wall, clock, connected):
    return Visitors(wall, here=connected.__contains__, clock=clock)


def test_the_tabs_of_a_browser_share_a_desk_and_browsers_do_not(here):
    first = here.enter("a", "tab 1").desk
    assert here.enter("a", "tab 2").desk is first
    assert here.enter("b", "tab 3").desk is not first
    assert here.enter("b", "tab 3").desk.session is not first.session


def test_f5_finds_the_same_desk(here, connected, clock):
    connected.add("tab 1")
    desk = here.enter("a", "tab 1").desk
    connected.clear()
    clock.now += 5
    here.sweep()
    connected.add("tab 2")
    assert here.enter("a", "tab 2").desk is desk


def test_models_and_files_end_with_the_visitor_and_not_before(here, connected, clock):
    connected.add("tab 1")
    desk = here.enter("a", "tab 1").desk
    path = desk.session.add_file("m.pt", b"m")
    clock.now += 10 * GRACE
    here.sweep()  # still connected
    connected.clear()
    clock.now += GRACE - 1
    here.sweep()
    assert not desk.session.closed
    assert path.exists()
    clock.now += 2
    here.sweep()
    assert desk.session.closed
    assert not path.exists()
    assert here.find("a") is None
    assert here.enter("a", "tab 2").desk is not desk


def test_a_tab_that_reconnects_without_a_word_keeps_everything(here, connected, clock):
    desk = here.enter("a", "tab 1").desk
    clock.now += GRACE - 1
    connected.add("tab 1")  # Streamlit runs no script at a reconnect
    here.sweep()
    clock.now += GRACE - 1
    here.sweep()
    assert not desk.session.closed


def test_one_tab_that_closes_takes_no_other_along(here, connected, clock):
    connected.add("tab 2")
    desk = here.enter("a", "tab 1").desk
    here.enter("a", "tab 2")
    other = here.enter("b", "tab 3").desk
    clock.now += GRACE + 1
    here.sweep()
    assert not desk.session.closed
    assert other.session.closed


def test_who_sends_a_file_is_here(here, clock):
    desk = here.enter("a", "tab 1").desk
    for _ in range(5):
        clock.now += GRACE - 1
        here.find("a")
        here.sweep()
    assert not desk.session.closed


def test_uploads_end_with_their_visitor(here, clock):
    desk = here.enter("a", "tab 1").desk
    upload = here.incoming.begin("a", desk.session, name="m.pt", size=10)
    clock.now += GRACE + 1
    here.sweep()
    assert not upload.path.exists()
    with pytest.raises(Exception, match="no longer has"):
        here.incoming.find("a", upload.id)


def test_the_sweep_goes_on_by_itself(wall, monkeypatch, clock):
    monkeypatch.setattr(visitors, "TICK", 0.01)
    here = Visitors(wall, here=lambda tab: False, incoming=Incoming(), clock=clock)
    desk = here.enter("a", "tab 1").desk
    clock.now += GRACE + 1
    here.watch()
    for _ in range(500):
        if desk.session.closed:
            break
        here._stop.wait(0.01)
    here.close()
    assert desk.session.closed


class Stuck(Exception):
    """What no visitor's end may keep from another's."""


def raising(*_):
    raise Stuck


@pytest.mark.parametrize("first", ["a", "b"])
def test_a_visitor_whose_end_fails_keeps_no_other(here, clock, monkeypatch, caplog, first):
    desks = {key: here.enter(key, f"tab of {key}").desk for key in ("a", "b")}
    uploads = {
        key: here.incoming.begin(key, desk.session, name="m.pt", size=10)
        for key, desk in desks.items()
    }
    monkeypatch.setattr(desks[first], "close", raising)
    clock.now += GRACE + 1
    here.sweep()
    other = {"a": "b", "b": "a"}[first]
    assert desks[other].session.closed
    assert not any(upload.path.exists() for upload in uploads.values())
    assert "Stuck" in caplog.text
    assert here.find("a") is here.find("b") is None


def test_uploads_that_cannot_be_forgotten_keep_no_desk_open(here, clock, monkeypatch):
    desk = here.enter("a", "tab 1").desk
    monkeypatch.setattr(here.incoming, "forget", raising)
    monkeypatch.setattr(here.incoming, "sweep", raising)
    clock.now += GRACE + 1
    here.sweep()
    assert desk.session.closed


def test_a_tab_that_nobody_can_be_asked_about_is_still_here(wall, clock):
    gone = {"tab of b"}
    here = Visitors(wall, here=lambda tab: tab not in gone and raising(), clock=clock)
    desks = {key: here.enter(key, f"tab of {key}").desk for key in ("a", "b")}
    clock.now += GRACE + 1
    here.sweep()
    assert not desks["a"].session.closed
    assert desks["b"].session.closed


def test_the_thread_sweeps_on_after_whatever_happens(wall, monkeypatch, clock):
    monkeypatch.setattr(visitors, "TICK", 0.01)
    here = Visitors(wall, here=lambda tab: False, incoming=Incoming(), clock=clock)
    swept, honest = threading.Semaphore(0), here.sweep

    def sweep():
        swept.release()
        honest()
        raising()

    monkeypatch.setattr(here, "sweep", sweep)
    here.watch()
    assert all(swept.acquire(timeout=60) for _ in range(3))
    here.close()


def test_a_visitor_has_a_desk_of_each_kind_and_one_session(here, connected):
    from ui.desk import Desk
    from ui.detect_desk import DetectDesk

    visitor = here.enter("ada", "tab")
    other = visitor.bench(DetectDesk)
    assert type(other) is DetectDesk
    assert other.session is visitor.desk.session
    assert visitor.bench(DetectDesk) is other
    assert visitor.bench(Desk) is visitor.desk
    visitor.leave()
    assert visitor.desk.session.closed
