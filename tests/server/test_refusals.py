# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may not talk to a backend, what may not be said to it, and that nothing is lost or left behind by trying."""

import json
import os
import time

import numpy as np
import pytest
import zmq
from peer import alive

from smplit import protocol


@pytest.fixture
def fenced(start, tmp_path):
    """A backend that may read below `videos` alone, and its client."""
    (tmp_path / "videos" / "inner").mkdir(parents=True)
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    (tmp_path / "videos" / "a.mp4").write_bytes(b"video")
    (tmp_path / "videos" / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    server = start(f"root={tmp_path / 'videos'}").ready()
    return server.greeted()


def well(server):
    assert server.process.poll() is None and alive(server.pid)
    assert server.greeted().works()


def silent(stranger, seconds=1.5):
    """It is told nothing at all, whatever it says."""
    stranger.socket.sndtimeo = 500
    for message in (protocol.hello("stranger"), protocol.status(), protocol.submit("write", {}), protocol.shutdown()):
        try:
            stranger.send(message)
        except zmq.Again:  # never connected, so nothing can leave
            break
    assert stranger.next(seconds) is None


def test_a_client_without_a_key_hears_nothing_and_the_backend_goes_on(server):
    silent(server.client(encrypted=False))
    assert not list(server.jobs.glob("2*"))
    well(server)


def test_a_client_with_another_key_hears_nothing_and_the_backend_goes_on(server):
    public, secret = (key.decode() for key in zmq.curve_keypair())
    silent(server.client(keys=(public, secret)))
    assert not list(server.jobs.glob("2*"))
    well(server)


def test_a_client_that_claims_the_right_public_key_without_its_secret_hears_nothing(server):
    right = protocol.read_connection(server.file).client_key
    silent(server.client(keys=(right, zmq.curve_keypair()[1].decode())))
    well(server)


def test_noise_on_the_port_changes_nothing(server):
    import socket

    host, port = protocol.read_connection(server.file).endpoint.removeprefix("tcp://").split(":")
    for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 1000, os.urandom(5000)):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(noise)
    well(server)


def header(**more):
    return json.dumps({"v": 1, "type": "submit", "id": "7", "kind": "echo", "params": {}, "paths": [], **more}).encode()


def array(dtype="float32", shape=(2, 165)):
    return {"arrays": [{"name": "poses", "dtype": dtype, "shape": list(shape)}]}


@pytest.mark.parametrize(("frames", "says"), [
    ([header(**array()), b"\0" * 1000], "needs 1320 bytes; its frame has 1000"),
    ([header(**array(shape=[1 << 39, 165])), b"\0" * 8], "its frame has 8"),
    ([header(**array(dtype="object")), b"\0" * 1320], "'object'"),
    ([header(**array(dtype="O8")), b"\0" * 1320], "'O8'"),
    ([header(**array())], "no frame"),
    ([header()] + [b"x"] * 65, "65 array frames"),
    ([header(params={"a": "x" * (1 << 20)})], "header has"),
    ([header() [:-1] + b',"x":' + b"[" * 40 + b"]" * 40 + b"}"], "nests deeper"),
    ([b"[" * 200_000], "nests deeper"),
    ([b"\x80\x04\x95pickle"], "not JSON"),
    ([header(type="__import__")], "not known"),
    ([header(kind=["echo"])], "'kind' must be str"),
    ([header(v=2)], "protocol version 2"),
])
def test_a_message_that_lies_or_goes_too_far_is_answered_with_the_reason_and_nothing_is_queued(server, client, frames, says):
    client.send_raw(*frames)
    answer = client.wait("failed")
    assert says in answer["message"] and answer["remedy"] and answer["code"] in ("bad_message", "bad_version")
    assert not list(server.jobs.glob("2*"))
    assert client.works()


def test_a_frame_beyond_the_limit_never_reaches_the_backend_which_goes_on(server, client):
    assert client.works()
    client.send_raw(header(**array("uint8", [65 << 20])), bytes(65 << 20))
    client.heard.clear()
    end = time.monotonic() + 2.0
    while (left := end - time.monotonic()) > 0:
        client.next(left)
    assert {message.type for message in client.heard} <= {"pong"}, "it is not even answered; backends say on their own that they live"
    assert len(list(server.jobs.glob("2*"))) == 1
    well(server)


def test_a_refusal_names_the_request_as_far_as_it_can_be_read(client):
    client.send_raw(header(**array()), b"\0" * 1000)
    assert client.wait("failed").re == "7"
    client.send_raw(b"no header at all")
    assert client.wait("failed").re == ""


def test_an_empty_message_is_answered(server, client):
    client.send_raw(b"")
    assert client.wait("failed")["code"] == "bad_message"
    assert client.works()


def test_an_unknown_kind_names_the_known_ones(client):
    answer = client.ask(protocol.submit("os.system", {}))
    assert (answer["code"], "'os.system'" in answer["message"]) == ("unknown_kind", True) and "write" in answer["remedy"]


@pytest.mark.parametrize("ask", [protocol.cancel, protocol.fetch, protocol.status])
def test_an_unknown_job_is_no_path(client, ask):
    for name in ("../../etc", "", "20200101-000000-abcdef"):
        answer = client.ask(ask(name))
        assert answer["code"] == "unknown_job" and answer["remedy"]
    assert client.works()


def test_everything_wrong_with_a_submit_is_told_at_once_and_leaves_nothing(server, client, tmp_path):
    (tmp_path / "folder.mp4").mkdir()
    paths = [tmp_path / "lost.mp4", tmp_path / "folder.mp4", "relative.mp4"]
    answer = client.ask(protocol.submit("write", {"colour": 1}, paths, [tmp_path]))
    assert answer["code"] == "bad_params" and answer["remedy"] and answer["job"] == ""
    for part, problem in zip(("lost.mp4' does not exist", "is not a file", "not an absolute path", "'colour'"), answer["problems"], strict=True):
        assert part in problem and part in answer["message"]
    assert sorted(p.name for p in server.jobs.iterdir()) == ["worker.log"]


@pytest.mark.parametrize(("path", "roots"), [
    ("secret.mp4", []), ("videos/link.mp4", []), ("videos/../secret.mp4", []), ("nothing-there.mp4", []), ("videos/a.mp4", ["videos/inner"]),
])
def test_a_path_outside_the_approved_folders_is_refused_and_says_nothing_about_what_is_there(fenced, tmp_path, path, roots):
    answer = fenced.ask(protocol.submit("echo", {}, [f"{tmp_path}/{path}"], [tmp_path / root for root in roots]))
    assert answer["code"] == "outside_roots" and "approve" in answer["remedy"] and "exist" not in answer["message"]


@pytest.mark.parametrize("root", ["", "nothing-there"])
def test_a_client_cannot_approve_folders_beyond_the_fence(fenced, tmp_path, root):
    answer = fenced.ask(protocol.submit("echo", {}, [tmp_path / "secret.mp4"], [tmp_path / root]))
    assert answer.type == "failed" and answer["problems"]


def test_a_path_below_the_fence_is_taken(fenced, tmp_path):
    job = fenced.submit("echo", [tmp_path / "videos" / "a.mp4"], [tmp_path / "videos"], {"poses": np.zeros(3)})
    assert fenced.end_of(job).type == "done"


def test_a_hundred_requests_at_once_are_all_answered(client):
    ids = [client.send(protocol.status()) for _ in range(100)]
    assert [client.wait("pong", re=name).re for name in ids] == ids
