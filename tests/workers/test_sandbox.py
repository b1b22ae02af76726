"""The probe: all that a hostile model would try, inside the sandbox and outside."""

import importlib
import json
import os
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.workers.conftest import held, new_wall
from workers import kinds, mothers, sandbox
from xai_core.device import VARIABLE

pytestmark = pytest.mark.skipif(
    not sandbox.floor(sandbox.available()), reason="this system has no Landlock or no seccomp"
)


@pytest.fixture
def given(tmp_path):
    """What to try, and listeners that would be reached if anything got out."""
    (tmp_path / "secret").write_text("secret")
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        unix.bind(str(tmp_path / "socket"))
        unix.listen()
        name = f"vitrine-test-{os.getpid()}"
        with socket.socket(socket.AF_UNIX) as abstract:
            abstract.bind("\0" + name)
            abstract.listen()
            yield {
                "read": ["/etc/passwd", str(tmp_path / "secret"), str(ROOT / "pyproject.toml")],
                "list": ["/", "/etc", "/tmp", "/proc", str(Path.home()), str(ROOT)],  # noqa: S108
                "write": [str(tmp_path)],
                "chmod": [str(tmp_path / "secret")],
                "tcp": tcp.getsockname()[1],
                "unix": str(tmp_path / "socket"),
                "abstract": name,
                "client": os.getpid(),
                "dangerous": False,
            }


def test_outside_the_probe_gets_everywhere(given):
    """The control: every attempt that is safe to make does succeed without a sandbox."""
    run = subprocess.run(  # noqa: S603 - our own words
        [
            sys.executable,
            "-c",
            "import json, sys; from tests.workers.probe import attempt;"
            "print(json.dumps(attempt(json.loads(sys.argv[1]))))",
            json.dumps(given),
        ],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    results = json.loads(run.stdout)
    assert set(results.values()) == {"done"}, results


def test_inside_the_probe_gets_nowhere(given, wall, hold):
    handle = hold()
    other = wall.session("another").add_file("secret.pt", b"theirs")
    handle.loading.result(60)
    mother = wall.state()["mothers"]["plain"]["pid"]
    given["read"] += [
        str(other),
        f"/proc/{mother}/environ",
        f"/proc/{mother}/mem",
        f"/proc/{os.getpid()}/environ",
        f"/proc/{os.getpid()}/mem",
        "/proc/self/environ",
        "/proc/self/maps",
    ]
    given["list"] += [str(wall.folder), str(other.parent)]
    given["write"] += ["/dev/shm", str(handle._read[0].parent), str(ROOT / "workers"), "/proc"]  # noqa: S108
    given["chmod"] += [str(handle._read[0])]
    given["dangerous"] = True
    results = handle.run("probe", given=json.dumps(given)).result(60).outcomes
    assert not [outcome for outcome in results if outcome.endswith(": done")]
    assert len(results) > 50


def test_of_pythonpath_only_what_was_imported_is_readable(tmp_path, monkeypatch, given):
    """It may name somebody's whole home."""
    home, used = tmp_path / "home", "mothers_own"
    (home / used).mkdir(parents=True)
    (home / used / "__init__.py").write_text("")
    (home / used / "late.py").write_text("")
    (home / "diary.txt").write_text("hush")
    (home / "other").mkdir()
    (home / "other" / "__init__.py").write_text("")
    monkeypatch.setattr(sys, "path", [*sys.path, str(home)])
    importlib.import_module(used)
    assert sandbox._of_entry(home) == [home / used]
    assert sandbox._of_entry(Path(sysconfig.get_path("purelib")))
    assert sandbox._of_entry(ROOT) == []
    listed = sandbox._system_paths()
    assert home / used in listed
    assert not [path for path in listed if home.is_relative_to(path)]
    monkeypatch.setenv("PYTHONPATH", str(home))
    wall = new_wall(tmp_path / "spool")
    try:
        given["read"] = [str(home / "diary.txt"), str(home / "other" / "__init__.py")]
        given["list"] = [str(home)]
        handle = held(wall.session("s"))
        results = handle.run("probe", given=json.dumps(given)).result(60).outcomes
        assert not [outcome for outcome in results if outcome.endswith(": done")]
    finally:
        wall.close()


LAYER = """
import json, pathlib, sys
from tests.workers.probe import attempt
from workers import sandbox
given = json.loads(sys.argv[1])
write = pathlib.Path(given["scratch"])
layers = {
    "landlock": lambda: sandbox._landlock(sandbox._system_paths(), write),
    "seccomp": sandbox._seccomp,
}
assert sandbox._no_new_privileges()
assert layers[sys.argv[2]]()
print(json.dumps(attempt(given)))
"""
BY_SECCOMP = (
    "chmod", "tcp", "udp", "unix", "abstract", "fork", "signal", "limit", "affinity", "exec",
    "trace", "read the parent", "untie", "new namespace", "memfd", "io_uring", "bpf",
    "userfaultfd", "clone3", "hand over", "high bits", "own", "choose", "share memory", "watch",
    "hold", "go first", "keep others", "widen", "copy a pipe", "reserve", "open files", "hide",
    "lead", "asynchronous",
)  # fmt: skip
BY_LANDLOCK = ("read", "list", "write", "tcp", "abstract", "signal")


@pytest.mark.parametrize(("layer", "refused"), [("landlock", BY_LANDLOCK), ("seccomp", BY_SECCOMP)])
def test_each_layer_holds_without_the_other(given, tmp_path, layer, refused):
    """Where two layers refuse the same thing, a hole in one of them must not hide."""
    if layer == "landlock" and sandbox.landlock_abi() < 6:
        refused = BY_LANDLOCK[:3]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    given |= {"dangerous": layer == "seccomp", "scratch": str(scratch)}
    run = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", LAYER, json.dumps(given), layer],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    results = json.loads(run.stdout)
    for start in refused:
        tried = {name: result for name, result in results.items() if name.startswith(start)}
        assert tried, start
        assert all(result.startswith("refused") for result in tried.values()), tried


OLDER = """
import json, pathlib, sys
from tests.workers.probe import attempt
from workers import sandbox
given = json.loads(sys.argv[1])
sandbox.landlock_abi = lambda: int(sys.argv[2])
state = sandbox.enter(read=[], write=pathlib.Path(given["scratch"]), address_space=16 << 30)
print(json.dumps([sandbox.floor(state), attempt(given)]))
"""


@pytest.mark.parametrize("abi", [1, 3, 5])
def test_an_older_kernel_refuses_as_much(given, tmp_path, abi):
    """Its Landlock knows no signals and no sockets; what the state says must hold without it."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    given |= {"dangerous": True, "scratch": str(scratch)}
    run = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", OLDER, json.dumps(given), str(abi)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        env=os.environ | {"TMPDIR": str(scratch)},
    )
    floor, results = json.loads(run.stdout)
    assert floor
    assert not [name for name, result in results.items() if result == "done"]


DEVICE = """
import pathlib, resource, sys
from workers import sandbox
given = [pathlib.Path(path) for path in sys.argv[2:]]
space = None if given else 16 << 30
sandbox.enter(read=[], write=pathlib.Path(sys.argv[1]), address_space=space, devices=given)
for path in ("/dev/zero", "/dev/full"):
    try:
        with open(path, "r+b", buffering=0):
            print("open")
    except OSError:
        print("refused")
print(resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY)
"""


@pytest.mark.parametrize("given", [[], ["/dev/zero"]])
def test_a_worker_is_let_at_the_devices_that_are_named_and_no_other(tmp_path, given):
    run = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", DEVICE, str(tmp_path), *given],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    named = "open" if given else "refused"
    assert run.stdout.split() == [named, "refused", str(bool(given))]


@pytest.mark.parametrize(("device", "cards"), [("cpu", ""), ("auto", "1"), ("cuda", "1")])
def test_a_gpu_is_shown_to_the_workers_that_may_use_it(monkeypatch, tmp_path, device, cards):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    made = mothers._environment(tmp_path, 1, device)
    assert (made[VARIABLE], made["CUDA_VISIBLE_DEVICES"]) == (device, cards)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert ("CUDA_VISIBLE_DEVICES" in mothers._environment(tmp_path, 1, device)) == (not cards)
    assert [kind.name for kind in kinds.KINDS.values() if kind.gpu] == ["torch"]


def test_inside_what_is_needed_works(hold):
    words = hold().run("spend").result(60).words
    assert words[:2] == ("True", "mine")
    assert words[2].startswith('"""A model that is a dictionary')


def test_no_secret_of_the_client_reaches_a_worker(tmp_path, monkeypatch):
    monkeypatch.setenv("VITRINE_TEST_SECRET", "hush")
    wall = new_wall(tmp_path)
    try:
        environ = held(wall.session("s")).run("environment").result(60).words
        mother = wall.state()["mothers"]["plain"]["pid"]
        assert not any("hush" in word for word in environ)
        assert b"hush" not in Path(f"/proc/{mother}/environ").read_bytes()
        assert "VITRINE_SANDBOX=holds" in environ
    finally:
        wall.close()


def test_the_state_says_what_holds(wall, hold):
    hold().loading.result(60)
    state = wall.state()["sandbox"]
    assert sandbox.floor(state)
    assert {"landlock", "seccomp", "limits", "no new privileges"} <= set(state["layers"])


@pytest.mark.parametrize("missing", ["files", "network", "processes"])
def test_below_the_floor(missing):
    state = sandbox.State(files=True, network=True, processes=True, layers=[], missing=[])
    assert sandbox.floor(state)
    assert not sandbox.floor(state | {missing: False})


def test_a_missing_layer_is_not_claimed(monkeypatch):
    """Where the kernel has no Landlock and there is no libseccomp, nothing is promised."""
    monkeypatch.setattr(sandbox, "landlock_abi", lambda: 0)
    monkeypatch.setattr(sandbox, "pyseccomp", None)
    state = sandbox.available()
    assert not sandbox.floor(state)
    assert state["missing"] == ["landlock", "seccomp"]
