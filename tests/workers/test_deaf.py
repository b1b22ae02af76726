"""A worker that stops reading its wire holds nobody up: not its client, and no other visitor."""

import select

import numpy as np
import pytest

from tests.workers.conftest import begun, wait_for
from workers.protocol import OUTBOX_CAP
from xai_core.errors import JobError

LARGE = np.zeros((1024, 1024))
"""8 MiB: far more than a wire holds."""


@pytest.fixture
def deaf(hold):
    """Hold workers that answer once, and read their wire never again."""

    def made():
        handle = hold()
        handle.run("deaf").result(60)
        return handle

    return made


def full(handle, job):
    """Wait until an order stands half written on the wire."""

    def stands():
        assert not job.over, job.snapshot().error
        worker = handle._own._worker
        return job.snapshot().state == "running" and (
            not select.select([], [worker._channel._socket], [], 0)[1]
        )

    wait_for(stands)
    return job


def test_an_order_that_nobody_reads_is_cancelled(deaf):
    handle = deaf()
    job = full(handle, handle.run("parcel", x=LARGE))
    job.cancel()
    with pytest.raises(JobError, match="cancelled"):
        job.result(60)
    assert job.snapshot().state == "cancelled"
    assert handle.run("echo").result(60).calls == 1


@pytest.mark.parametrize("end", ["limits", "cancels"])
def test_two_deaf_workers_keep_a_third_visitor_waiting_no_longer_than_that(wall, deaf, hold, end):
    third = hold()
    third.loading.result(60)
    handles = [deaf() for _ in range(wall.queue.slots)]
    patience = 1.0 if end == "limits" else 600.0
    jobs = [handle.run("parcel", x=LARGE, patience=patience) for handle in handles]
    if end == "cancels":
        for handle, job in zip(handles, jobs, strict=True):
            full(handle, job)
    late = third.run("echo")
    if end == "cancels":
        assert late.snapshot().state == "queued"
        for job in jobs:
            job.cancel()
    for job in jobs:
        with pytest.raises(JobError, match="its limit of 1 s" if end == "limits" else "cancelled"):
            job.result(60)
    assert late.result(60).calls == 1


def test_closing_does_not_wait_for_one(deaf):
    handle = deaf()
    job = full(handle, handle.run("parcel", x=LARGE))
    scratch = handle._own._worker._scratch
    handle.close()
    with pytest.raises(JobError):
        job.result(60)
    assert job.snapshot().state == "cancelled"
    wait_for(lambda: not scratch.exists())


def test_commands_to_one_that_reads_none_wait_for_nobody(hold):
    """As many as the wire and the outbox hold, and then more, and then a cancel."""
    handle = hold()
    before = handle.run("echo").result(60).pid
    job = begun(handle.run("mute"))
    channel = handle._own._worker._channel

    def filled():
        for _ in range(100):
            job.command("stop")
        assert not job.over, job.snapshot().error
        return len(channel._outbox) > OUTBOX_CAP - 100

    wait_for(filled, 120)
    for _ in range(5):
        filled()
        wait_for(lambda: not job._asked)  # what does not fit is dropped
        assert len(channel._outbox) <= OUTBOX_CAP
    job.cancel()
    with pytest.raises(JobError, match="cancelled"):
        job.result(60)
    assert handle.run("echo").result(60).pid != before


def test_a_pause_that_nobody_hears_still_is_cancelled(hold):
    handle = hold()
    job = begun(handle.run("mute"))
    job.command("pause")
    wait_for(lambda: job.snapshot().paused)
    job.cancel()
    with pytest.raises(JobError, match="cancelled"):
        job.result(60)


def test_the_control_takes_it_all(hold):
    """An honest worker reads the same parcel."""
    made = hold().run("parcel", x=LARGE).result(60)
    assert made.arrays["x"].nbytes == LARGE.nbytes
