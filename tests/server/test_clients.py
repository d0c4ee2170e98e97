# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages on their way: a slow client costs bounded memory and delays nobody; the pipe; the time left."""

import io
import struct
import time

import numpy as np
import pytest
import zmq

from smplit.protocol import FROM_BACKEND, Message, ProtocolError, decode
from smplit.server import pipe
from smplit.server.clients import Clients
from smplit.server.eta import Eta, StagePlan

CHUNK = {"job": "j", "clip": 0, "source": "a.mp4", "person": 1, "first": 0, "frames": 1}
PROGRESS = {"job": "j", "clip": 0, "clips": 1, "stage": "fit", "done": 1, "total": 2, "fraction": 0.5, "eta": None}


@pytest.fixture
def pair():
    """(clients, the one client's identity, its socket, which holds few messages)."""
    context = zmq.Context()
    router, dealer = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    router.sndhwm = router.rcvhwm = dealer.sndhwm = dealer.rcvhwm = 2
    router.router_mandatory = True
    router.linger = dealer.linger = 0
    router.bind("inproc://test-clients")
    dealer.connect("inproc://test-clients")
    dealer.send(b"")
    identity, _ = router.recv_multipart()
    clients = Clients(router)
    clients.seen(identity)
    yield clients, identity, dealer
    context.destroy(linger=0)


def drain(clients, dealer):
    got, end = [], time.monotonic() + 90
    while dealer.poll(50) or clients.busy:
        assert time.monotonic() < end, "the rest never comes"
        if dealer.poll(0):
            got.append(decode(dealer.recv_multipart(), FROM_BACKEND))
        clients.flush()
    return got


def test_a_slow_client_gets_everything_small_the_latest_progress_and_learns_of_left_out_chunks(pair):
    clients, identity, dealer = pair
    megabytes = np.zeros(10 << 20, np.uint8)
    for n in range(10):
        clients.send(identity, Message("chunk", {**CHUNK, "first": n}, {"poses": megabytes}))
        clients.send(identity, Message("progress", {**PROGRESS, "done": n}))
        clients.send(identity, Message("log", {"job": "j", "level": "warning", "text": str(n)}))
    assert clients.busy and clients.left_out(identity, "j") and not clients.left_out(identity, "j"), "told once"
    got = drain(clients, dealer)
    chunks = [m["first"] for m in got if m.type == "chunk"]
    assert chunks == list(range(len(chunks))) and 3 <= len(chunks) <= 8, "none after the first that was left out"
    assert [m["text"] for m in got if m.type == "log"] == [str(n) for n in range(10)]
    assert [m["done"] for m in got if m.type == "progress"][-1] == 9 and sum(m.type == "progress" for m in got) < 10
    assert not clients.busy


def test_a_client_that_takes_nothing_is_forgotten_at_last(pair):
    clients, identity, _ = pair
    for n in range(2100):
        clients.send(identity, Message("log", {"job": "j", "level": "info", "text": str(n)}))
    assert identity not in clients and not clients.busy


def test_a_client_that_has_gone_is_forgotten(pair):
    clients, _, _ = pair
    clients.seen(b"never connected")
    clients.send(b"never connected", Message("log", {"job": "", "level": "info", "text": ""}))
    assert b"never connected" not in clients


@pytest.mark.parametrize("raw", [struct.pack("<I", 0), struct.pack("<I", 1 << 31), struct.pack("<IQ", 1, 1 << 40), struct.pack("<IQ", 1, 2) + b"no"])
def test_nonsense_in_a_pipe_is_refused_before_memory_is_taken_for_it(raw):
    with pytest.raises(ProtocolError):
        pipe.read(io.BytesIO(raw), pipe.FROM_WORKER)


def test_a_message_cut_off_anywhere_is_the_end_of_the_pipe():
    whole = io.BytesIO()
    pipe.write(whole, Message("log", {"level": "info", "text": "ü"}))
    assert pipe.read(io.BytesIO(whole.getvalue()), pipe.FROM_WORKER)["text"] == "ü"
    for length in range(len(whole.getvalue())):
        assert pipe.read(io.BytesIO(whole.getvalue()[:length]), pipe.FROM_WORKER) is None


def test_shares_of_stages_and_clips_add_up_to_the_job_and_never_fall():
    plan = StagePlan({"look": 3.0, "fit": 1.0}, clips=2)
    steps = [(0, "look", 50, 100), (0, "look", 10, 100), (0, "unknown", 1, 2), (0, "fit", 1, 2), (1, "look", 0, None), (1, "fit", 2, 2)]
    assert [plan.update(*step) for step in steps] == pytest.approx([0.1875, 0.1875, 0.1875, 0.4375, 0.5, 1.0])


def test_the_time_left_of_a_steady_job_is_its_remaining_work_over_its_speed():
    eta = Eta(0.0)
    assert eta.update(0.01, 0.5) is None, "too early to tell"
    for second in range(1, 31):
        left = eta.update(second / 100, float(second))
    assert left == pytest.approx(70.0, rel=0.05)
    for second in range(31, 91):  # three times as slow from here
        left = eta.update(0.30 + (second - 30) / 300, float(second))
    assert left == pytest.approx(0.5 * 300, rel=0.05)
