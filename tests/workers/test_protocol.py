"""The wire refuses all that is not one of our messages, whoever sends it."""

import contextlib
import json
import select
import socket
import struct
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.workers.extension.tasks.hostile import frame
from workers import protocol
from workers.protocol import Channel, ProtocolError

CAPS = {"result": 1 << 20, "progress": 4 << 10}
HEAD = 5


@pytest.fixture
def wire():
    ours, theirs = socket.socketpair()
    yield Channel(ours), theirs
    ours.close()
    theirs.close()


def result(arrays=(), body=None):
    return frame(b"R", {} if body is None else body, arrays)


def head(letter, length):
    return letter + struct.pack(">I", length)


def receive(wire, data, **more):
    channel, theirs = wire
    sender = threading.Thread(target=_send_quietly, args=(theirs, data))
    sender.start()
    try:
        return channel.receive(CAPS, **more)
    finally:
        channel.close()
        sender.join()


def _send_quietly(sock, data):
    with contextlib.suppress(OSError):
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.arange(6, dtype=np.float32).reshape(2, 3).T,
        np.array(3.5),
        np.zeros((0, 4), np.uint8),
        np.array([True, False]),
        np.array([-1, 1 << 40]),
        np.array([[1, 2]], np.int32),
        np.array([np.nan, np.inf], np.float32),
    ],
)
@pytest.mark.parametrize("inside", [False, True])  # the calls are others in the sandbox
def test_arrays_come_through(array, inside):
    ours, theirs = socket.socketpair()
    channel, other = Channel(ours, inside=inside), Channel(theirs, inside=inside)
    other.send("result", {"a": [1, None, "ü"]}, {"x": array, "y": np.zeros(1)})
    kind, body, arrays = channel.receive(CAPS)
    assert (kind, body, list(arrays)) == ("result", {"a": [1, None, "ü"]}, ["x", "y"])
    assert arrays["x"].dtype == array.dtype
    np.testing.assert_array_equal(arrays["x"], array)
    ours.close()
    theirs.close()


@pytest.mark.parametrize("inside", [False, True])
def test_many_large_arrays_come_piece_by_piece(inside):
    ours, theirs = socket.socketpair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    given = {f"a{at}": np.arange(at * 997, dtype=np.int32) for at in range(40)}
    writer, ticks = Channel(theirs, inside=inside), []
    sender = threading.Thread(target=writer.send, args=("result", {}, given))
    sender.start()
    _, _, arrays = Channel(ours, inside=inside).receive(CAPS, tick=lambda: ticks.append(1))
    sender.join()
    assert list(arrays) == list(given)
    for name, array in given.items():
        np.testing.assert_array_equal(arrays[name], array)
    assert len(ticks) > 40
    ours.close()
    theirs.close()


def test_a_descriptor_that_comes_along_is_nobodys(wire):
    channel, theirs = wire
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("nobody counts descriptors here")
    data, before = result(), len(list(folder.iterdir()))
    for at in range(0, len(data), 7):
        socket.send_fds(theirs, [data[at : at + 7]], [theirs.fileno()])
    assert channel.receive(CAPS)[0] == "result"
    assert len(list(folder.iterdir())) == before


@pytest.mark.parametrize(
    "data",
    [
        head(b"R", 0),
        head(b"R", 1) + b"1",
        head(b"R", CAPS["result"] + 1),
        head(b"R", 0xFFFFFFFF),
        head(b"P", CAPS["progress"] + 1),
        head(b"E", 2) + b"{}",  # a kind that may not come now
        head(b"X", 2) + b"{}",
        head(b"\0", 2) + b"{}",
        head(b"R", 4) + b"\xff\xfe\x00\x01",
        head(b"R", 2) + b"[]",
        head(b"R", 2) + b"{}",
        head(b"R", 200_000) + b"[" * 200_000,
        head(b"R", 26) + b'{"body":{"a":1e9999999999}',
        frame(b"R", {"a": float("nan")}),
        result(body=[1]),
        result([["x"]]),
        result([["x", "<f4"]]),
        result([["x", "<f4", 2]]),
        result([["x", "<f4", [2.0]]]),
        result([["x", "<f4", [True]]]),
        result([["x", "<f4", [-1]]]),
        result([["x", "<f4", [1] * 9]]),
        result([["x", "<f4", [1 << 40]]]),
        result([["x", "<f4", [0, 1 << 30, 1 << 30, 1 << 30]]]),
        result([["x", "<f2", [2]]]),
        result([["x", "|O", [2]]]),
        result([["x", "<U4", [2]]]),
        result([["x", ["<f4"], [2]]]),
        result([[3, "<f4", [2]]]),
        result([["../x", "<f4", [2]]]),
        result([["x", "<f4", [2]], ["x", "<f4", [2]]]),
        result([["x", "|u1", [protocol.ARRAYS_CAP + 1]]]),
        result([[f"x{n}", "|u1", [protocol.ARRAYS_CAP // 4]] for n in range(5)]),
        result([[f"x{n}", "<f4", [2]] for n in range(protocol.COUNT_CAP + 1)]),
        result([["x", "|b1", [2]]]) + b"\1\2",
    ],
)
def test_a_wrong_message_is_refused(wire, data):
    with pytest.raises(ProtocolError):
        receive(wire, data)


def test_a_cap_is_looked_at_before_anything_is_parsed(wire, monkeypatch):
    monkeypatch.setattr(protocol, "_envelope", lambda text: pytest.fail("it was parsed"))
    with pytest.raises(ProtocolError, match="progress"):
        receive(wire, frame(b"P", {"pad": "x" * 5000}))


def test_what_is_not_admitted_is_not_read(wire):
    seen = []

    def admit(kind, body, listed):
        seen.append((kind, body, [(each.name, each.dtype, each.sides) for each in listed]))
        raise ProtocolError("not that")

    data = result([["x", "<f4", [2, 3]]], {"a": 1})  # its bytes never come
    with pytest.raises(ProtocolError, match="not that"):
        receive(wire, data, admit=admit)
    assert seen == [("result", {"a": 1}, [("x", "<f4", (2, 3))])]


@pytest.mark.parametrize("cut", [0, 3, HEAD, 20, -1])
def test_a_cut_message_is_an_end(wire, cut):
    data = result([["x", "<f4", [2]]]) + b"\0" * 8
    with pytest.raises(EOFError):
        receive(wire, data[:cut])


def test_a_lie_about_size_takes_no_memory(wire):
    """A gigabyte that never comes is not held: only what has come is."""
    before = _resident()
    with pytest.raises(EOFError):
        receive(wire, result([["x", "|u1", [protocol.ARRAYS_CAP]]]) + b"\0" * 100)
    assert _resident() - before < 50 << 20


def _resident():
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("x", np.array([object()])),
        ("x", np.array(["text"])),
        ("x", np.zeros(2, np.float16)),
        ("x", np.zeros((1,) * 9, np.float32)),
        ("../x", np.zeros(2)),
        ("", np.zeros(2)),
    ],
)
def test_what_cannot_be_read_is_not_sent(wire, name, array):
    with pytest.raises(ProtocolError):
        wire[0].send("result", {}, {name: array})


class Patience(Exception):
    pass


def patience(times):
    """Return a tick that raises when it was called so often."""
    left = iter(range(times))

    def tick():
        if next(left, None) is None:
            raise Patience

    return tick


def test_a_tick_interrupts_a_wait(wire):
    with pytest.raises(Patience):
        wire[0].receive(CAPS, tick=patience(3))


def test_a_tick_interrupts_a_wait_to_send(wire):
    """A reader that never reads cannot hold the sender."""
    # of 50 MB a tick lets at most one pass, so the wire is full long before the 30th
    with pytest.raises(Patience):
        wire[0].send("order", {}, {"x": np.zeros(50_000_000, np.uint8)}, tick=patience(30))
    assert not select.select([], [wire[0]._socket], [], 0)[1]


def test_what_is_posted_waits_for_nobody(wire):
    channel, theirs = wire
    body = {"say": "cancel", "job": 1, "pad": "x" * 1000}
    posted = 0
    while channel.post("command", body):  # until the reader's side is full, and the outbox
        posted += 1
        assert posted < 100_000
    kinds = {"command": 1 << 20}
    reader = Channel(theirs)
    for _ in range(posted):
        while not reader.readable():
            channel.flush()
        assert reader.receive(kinds)[1] == body
    assert channel.post("command", body)


def test_posting_to_nobody_is_no_error(wire):
    channel, theirs = wire
    theirs.close()
    channel.post("command", {"say": "cancel"})
    channel.flush()
    with pytest.raises(EOFError):
        channel.receive(CAPS)


def test_the_text_on_the_wire_is_what_it_says(wire):
    channel, theirs = wire
    channel.send("progress", {"done": 1}, {"x": np.arange(3, dtype="<i4")})
    data = theirs.recv(1 << 16)
    letter, length = struct.unpack(">cI", data[:HEAD])
    assert letter == b"P"
    assert json.loads(data[HEAD : HEAD + length]) == {
        "body": {"done": 1},
        "arrays": [["x", "<i4", [3]]],
    }
    np.testing.assert_array_equal(np.frombuffer(data[HEAD + length :], "<i4"), [0, 1, 2])
