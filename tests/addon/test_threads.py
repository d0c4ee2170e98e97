# SPDX-License-Identifier: GPL-3.0-or-later
"""No thread of the add-on runs while an operator does, and all go on afterwards."""

import sys
import threading
import time
from pathlib import Path

import pytest
import zmq
from addon import threads
from addon.bridge import backend as states
from addon.bridge.client import Client
from addon.bridge.process import Launch
from addon.shared import protocol


def ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("smplit-")]


@pytest.fixture
def loop():
    turns, over = [], threading.Event()

    def turn():
        turns.append(time.monotonic())
        time.sleep(0.001)
        return not over.is_set()

    loop = threads.Loop(turn, "smplit-test")
    loop.turns, loop.over = turns, over
    yield loop
    over.set()
    loop.join(10)


def test_a_loop_stands_still_and_goes_on(loop, wait_until):
    wait_until(lambda: len(loop.turns) > 3)
    with threads.standing_still():
        assert "smplit-test" not in ours()
        count = len(loop.turns)
        time.sleep(0.1)
        assert len(loop.turns) == count
    wait_until(lambda: len(loop.turns) > count + 3)


def test_a_loop_that_has_ended_is_not_woken(loop, wait_until):
    loop.over.set()
    wait_until(lambda: "smplit-test" not in ours())
    count = len(loop.turns)
    with threads.standing_still():
        pass
    time.sleep(0.05)
    assert len(loop.turns) == count and "smplit-test" not in ours()


def test_a_loop_goes_on_after_an_error_within(loop, wait_until):
    with pytest.raises(RuntimeError, match="operator"), threads.standing_still():
        raise RuntimeError("operator")
    count = len(loop.turns)
    wait_until(lambda: len(loop.turns) > count)


def test_a_task_is_waited_for():
    done = []
    threads.start_task(lambda: (time.sleep(0.2), done.append(1)), "smplit-task")
    with threads.standing_still():
        assert done and "smplit-task" not in ours()


def test_a_conversation_survives_pauses(running, pump, wait_until, tmp_path):
    """The socket passes from thread to thread: what was asked before a pause is answered after it."""
    backend = running(Launch(Path(sys.executable), tmp_path, "cpu"))
    wait_until(lambda: backend.state == states.READY, tick=lambda: pump(backend))
    for number in range(5):
        job = backend.jobs.add(protocol.submit("capture", {}, [tmp_path / "lost.mp4"], roots=[tmp_path]), f"{number}")
        backend.submit(job)
        with threads.standing_still():
            assert not any(name == "smplit-client" for name in ours())
        wait_until(lambda job=job: not job.open, tick=lambda: pump(backend))
        assert job.state == "failed" and "lost.mp4" in job.message


def test_a_client_that_gave_up_stays_so(wait_until, monkeypatch):
    monkeypatch.setattr("addon.bridge.client.GREETING", 0.1)
    server = zmq.curve_keypair()[0].decode()
    client = Client(protocol.Connection("tcp://127.0.0.1:9", server, 0, "0"), zmq.curve_keypair())
    wait_until(lambda: client.problem is not None)
    with threads.standing_still():
        pass
    assert client.problem.code == "refused" and "smplit-client" not in ours()
    client.close()
