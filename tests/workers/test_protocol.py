"""The wire refuses all that is not one of our messages, whoever sends it."""

import contextlib
import json
import socket
import struct
import threading

import numpy as np
import pytest

from workers import protocol
from workers.protocol import Channel, ProtocolError


@pytest.fixture
def wire():
    ours, theirs = socket.socketpair()
    yield Channel(ours), theirs
    ours.close()
    theirs.close()


def envelope(arrays=(), body=None):
    text = json.dumps({"body": {} if body is None else body, "arrays": list(arrays)}).encode()
    return struct.pack(">I", len(text)) + text


def npy(header, data=b"", magic=b"\x93NUMPY\x01\x00"):
    text = header.encode()
    return magic + struct.pack("<H", len(text)) + text + data


def header(descr="<f4", shape="(2,)", fortran="False"):
    return f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n"


def receive(wire, data, *, hang_up=True):
    channel, theirs = wire
    theirs.sendall(data)
    if hang_up:
        theirs.shutdown(socket.SHUT_WR)
    return channel.receive()


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
    ],
)
def test_arrays_come_through(wire, array):
    channel, theirs = wire
    Channel(theirs).send({"a": [1, None, "ü"]}, {"x": array})
    body, arrays = channel.receive()
    assert body == {"a": [1, None, "ü"]}
    assert arrays["x"].dtype == array.dtype
    np.testing.assert_array_equal(arrays["x"], array)


def test_numpy_reads_the_same(wire, tmp_path):
    """An array on the wire is an .npy file, byte for byte one that numpy reads."""
    channel, theirs = wire
    array = np.arange(12, dtype=np.float64).reshape(3, 4)
    channel.send({}, {"x": array})
    data = theirs.recv(1 << 16)
    (tmp_path / "x.npy").write_bytes(data[data.index(b"\x93NUMPY") :])
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy", allow_pickle=False), array)


def test_what_numpy_writes_is_read(wire, tmp_path):
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.save(tmp_path / "x.npy", array)
    data = (tmp_path / "x.npy").read_bytes()
    _, arrays = receive(wire, envelope([["x", len(data)]]) + data)
    np.testing.assert_array_equal(arrays["x"], array)


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">I", 0),
        struct.pack(">I", 1) + b"1",
        struct.pack(">I", protocol.JSON_CAP + 1),
        struct.pack(">I", 0xFFFFFFFF),
        struct.pack(">I", 4) + b"\xff\xfe\x00\x01",
        struct.pack(">I", 2) + b"[]",
        struct.pack(">I", 2) + b"{}",
        struct.pack(">I", 200_000) + b"[" * 200_000,
        envelope(body=[1]),
        envelope(arrays=[["x"]]),
        envelope(arrays=[["x", "80"]]),
        envelope(arrays=[["x", True]]),
        envelope(arrays=[["x", -1]]),
        envelope(arrays=[["x", 10]]),
        envelope(arrays=[["../x", 80]]),
        envelope(arrays=[["x", 80], ["x", 80]]),
        envelope(arrays=[["x", protocol.ARRAYS_CAP + 1]]),
        envelope(arrays=[[f"x{n}", protocol.ARRAYS_CAP // 4] for n in range(5)]),
        envelope(arrays=[[f"x{n}", 80] for n in range(protocol.COUNT_CAP + 1)]),
    ],
)
def test_a_wrong_envelope_is_refused(wire, data):
    sender = threading.Thread(target=_send_quietly, args=(wire[1], data))
    sender.start()
    with pytest.raises(ProtocolError):
        wire[0].receive()
    wire[0].close()
    sender.join()


def _send_quietly(sock, data):
    with contextlib.suppress(OSError):
        sock.sendall(data)


@pytest.mark.parametrize(
    "array",
    [
        npy(header("|O"), b"\x80\x04K\x01." + b"\0" * 11),
        npy(header("<f2"), b"\0" * 4),
        npy(header(">f4"), b"\0" * 8),
        npy(header("<U4"), b"\0" * 32),
        npy(header("<c8"), b"\0" * 16),
        npy(header("<V8"), b"\0" * 16),
        npy(header("<M8"), b"\0" * 16),
        npy(header("<f4", fortran="True"), b"\0" * 8),
        npy(header("<f4", "(3,)"), b"\0" * 8),
        npy(header("<f4", "(1,)"), b"\0" * 8),
        npy(header("<f4", "(-2,)"), b"\0" * 8),
        npy(header("<f4", "(2.0,)"), b"\0" * 8),
        npy(header("<f4", "(1 << 1,)"), b"\0" * 8),
        npy(header("<f4", "(99999999999, 99999999999)"), b"\0" * 8),
        npy(header("<f4", "(0, 999999999999, 999999999999)"), b""),
        npy(header("<f4", "(" + "1, " * 9 + ")"), b"\0" * 4),
        npy(header("|b1"), b"\1\2"),
        npy("__import__('os').system('true')\n", b"\0" * 8),
        npy(header() + " " * 600 + "\n", b"\0" * 8),
        npy("", b"\0" * 8),
        npy(header(), b"\0" * 8, magic=b"\x93NUMPY\x02\x00"),
        npy(header(), b"\0" * 8, magic=b"PK\x03\x04abcd"),
        b"\x80\x04\x95" + b"\0" * 64,
    ],
)
def test_a_wrong_array_is_refused(wire, array):
    with pytest.raises(ProtocolError):
        receive(wire, envelope([["x", len(array)]]) + array)


@pytest.mark.parametrize("cut", [0, 3, 4, 20, -1])
def test_a_cut_message_is_an_end(wire, cut):
    array = npy(header(), b"\0" * 8)
    data = envelope([["x", len(array)]]) + array
    with pytest.raises(EOFError):
        receive(wire, data[:cut])


def test_a_lie_about_size_takes_no_memory(wire):
    """A gigabyte that never comes is not held: only what has come is."""
    size = protocol.ARRAYS_CAP - 1000
    text = header("|u1", f"({size - 10 - 100},)")
    padded = text[:-1].ljust(99) + "\n"
    before = _resident()
    with pytest.raises(EOFError):
        receive(wire, envelope([["x", size]]) + npy(padded, b"\0" * 100))
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
        ("../x", np.zeros(2)),
        ("", np.zeros(2)),
    ],
)
def test_what_cannot_be_read_is_not_sent(wire, name, array):
    with pytest.raises(ProtocolError):
        wire[0].send({}, {name: array})


def test_a_tick_interrupts_a_wait(wire):
    calls = []

    def tick():
        calls.append(1)
        if len(calls) > 3:
            raise KeyError

    with pytest.raises(KeyError):
        wire[0].receive(tick=tick)


def test_a_tick_interrupts_a_wait_to_send(wire):
    """A reader that never reads cannot hold the sender."""
    calls = []

    def tick():
        calls.append(1)
        if len(calls) > 20:
            raise KeyError

    with pytest.raises(KeyError):
        wire[0].send({}, {"x": np.zeros(50_000_000, np.uint8)}, tick=tick)
