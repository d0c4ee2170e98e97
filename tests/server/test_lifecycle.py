# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend ends when it should, with its workers, and what it had is there after a restart."""

import json
import os
import signal
import stat
import subprocess
import sys

import numpy as np
import psutil
import pytest
from fake_kinds import motion
from peer import HERE, PATIENCE, alive, family, until

from smplit import protocol
from smplit.protocol import Connection, read_connection, write_connection

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")


def busy(server):
    """A client, a running job with one finished result, and the processes that must not survive."""
    client = server.greeted()
    done = client.submit("write")
    client.end_of(done)
    job = client.submit("sleep", clips=1, seconds=600)
    client.wait("progress", job=job)
    return client, done, job, family(server.pid)


def test_a_killed_backend_leaves_no_worker_and_after_a_restart_says_what_became_of_its_jobs(start):
    server = start().ready()
    _, done, job, workers = busy(server)
    waiting = server.clients[0].submit("write")
    server.process.kill()
    server.process.wait()
    until(lambda: not any(map(alive, workers)))
    assert workers and server.file.exists(), "a killed backend cannot clean up"

    again = start().ready()
    client = again.client()
    rows = {row["job"]: row for row in client.ask(protocol.hello("test"))["jobs"]}
    assert {name: row["state"] for name, row in rows.items()} == {done: "done", job: "failed", waiting: "failed"}
    assert rows[job]["code"] == rows[waiting]["code"] == "interrupted" and "again" in rows[job]["remedy"]
    for name in (done, job):  # the interrupted job had finished one input
        client.heard.clear()
        client.send(protocol.fetch(name))
        assert client.end_of(name).type == ("done" if name == done else "failed")
        poses = np.concatenate([m.arrays["poses"] for m in client.heard if m.type == "chunk"])
        np.testing.assert_array_equal(poses, motion()["poses"])
    left = sorted(str(p.relative_to(again.jobs / job)) for p in (again.jobs / job).rglob("*") if p.is_file())
    assert left == ["job.json", "log.txt", "results/0/p1.npz"]
    assert client.works()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(start, number):
    server = start().ready()
    client, _, job, workers = busy(server)
    server.process.send_signal(number)
    end = client.end_of(job)
    assert end["code"] == "interrupted" and end["remedy"]
    assert server.process.wait(PATIENCE) == 0 and not server.file.exists()
    until(lambda: not any(map(alive, workers)))
    assert json.loads((server.jobs / job / "job.json").read_text())["error"]["code"] == "interrupted"
    assert signal.Signals(number).name in server.log.read_text() and "Traceback" not in server.log.read_text()


def test_shutdown_is_answered_and_ends_it(start):
    server = start().ready()
    client, _, _, workers = busy(server)
    assert client.ask(protocol.shutdown()).type == "pong"
    assert server.process.wait(PATIENCE) == 0 and not server.file.exists()
    until(lambda: not any(map(alive, workers)))


def test_it_ends_when_its_standard_input_does(start):
    server = start().ready()
    *_, workers = busy(server)
    server.process.stdin.close()
    assert server.process.wait(PATIENCE) == 0 and not server.file.exists()
    until(lambda: not any(map(alive, workers)))


def test_it_does_not_end_with_a_standard_input_that_is_no_pipe(start):
    assert start(stdin=subprocess.DEVNULL).ready().greeted().works()


def test_it_ends_when_the_process_it_belongs_to_is_killed(start):
    parent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    server = start(f"parent_pid={parent.pid}", stdin=subprocess.DEVNULL).ready()
    *_, workers = busy(server)
    parent.kill()  # not reaped yet: a zombie counts as gone
    assert server.process.wait(PATIENCE) == 0 and not server.file.exists()
    until(lambda: not any(map(alive, workers)))
    parent.wait()


def test_a_killed_parent_takes_backend_and_worker_along(tmp_path):
    """As when Blender crashes: nobody closes or terminates anything."""
    file, jobs = tmp_path / "c.json", tmp_path / "jobs"
    script = (
        "import os, subprocess, sys, time\n"
        f"command = [sys.executable, {str(HERE / 'serve_fake.py')!r}, {str(file)!r}, {str(jobs)!r}, f'parent_pid={{os.getpid()}}']\n"
        "child = subprocess.Popen(command, stdin=subprocess.PIPE)\n"
        "time.sleep(600)\n"
    )
    from peer import Client

    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    blender = subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.DEVNULL)
    try:
        until(file.exists)
        client = Client(read_connection(file))
        job = client.submit("sleep", seconds=600)
        client.wait("progress", job=job)
        processes = family(blender.pid)
        assert len(processes) >= 2
    finally:
        blender.kill()
        blender.wait()
    until(lambda: not any(map(alive, processes)))
    client.close()
    assert not file.exists()


def test_a_second_backend_does_not_take_the_first_ones_file(start):
    server = start().ready()
    before = server.file.read_text()
    second = start()
    assert second.process.wait(PATIENCE) == 2
    assert f"process {server.pid}" in server.log.read_text() and server.file.read_text() == before
    assert server.greeted().works()


def test_two_backends_share_a_jobs_folder_without_touching_each_others_running_jobs(start, tmp_path):
    server = start().ready()
    client, _, job, _ = busy(server)
    other = start(file=tmp_path / "second.json").ready().greeted()
    assert other.works()
    assert job not in {row["job"] for row in other.ask(protocol.status())["jobs"]}
    assert client.ask(protocol.status(job))["jobs"][0]["state"] == "running"


@pytest.mark.parametrize("left_by", ["a dead process", "a reused number", "rubbish"])
def test_a_stale_connection_file_is_replaced(start, tmp_path, left_by):
    file = tmp_path / "connection.json"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    if left_by == "rubbish":
        file.write_text("{")
    else:
        pid = dead.pid if left_by == "a dead process" else psutil.Process().pid
        write_connection(file, Connection("tcp://127.0.0.1:1", "k" * 40, pid, "0.1.0"))
        os.utime(file, (1e9, 1e9))  # long before any process of now
    server = start()
    until(lambda: b"endpoint" in file.read_bytes() and read_connection(file).pid == server.pid)
    assert server.greeted().works()


def test_the_connection_file_is_for_its_owner_alone_and_holds_a_pair_only_when_it_was_made_here(start, tmp_path):
    import zmq

    server = start().ready()
    assert stat.S_IMODE(server.file.stat().st_mode) == 0o600
    connection = read_connection(server.file)
    assert connection.client_key and connection.client_secret and connection.protocol == protocol.PROTOCOL_VERSION
    assert stat.S_IMODE(server.jobs.stat().st_mode) == 0o700
    public, secret = (key.decode() for key in zmq.curve_keypair())
    named = start(f"client_key={public}", file=tmp_path / "named.json", jobs=tmp_path / "jobs2").ready()
    assert "client" not in named.file.read_text()
    assert named.client(keys=(public, secret)).works()


@pytest.mark.parametrize(("option", "says"), [
    (["--client-key", "short"], "client key"), (["--parent-pid", "4194999"], "--parent-pid 4194999"), (["--root", "nowhere"], "--root"),
    (["--host", "192.0.2.1"], "--host 192.0.2.1"), (["--device", "toaster"], "'toaster'"),
    (["--jobs-dir", "/dev/null/jobs"], "--jobs-dir"), (["--connection-file", "/dev/null/c.json"], "--connection-file"),
])
def test_a_bad_option_is_named_with_a_remedy_and_exit_code_2(start, option, says):
    server = start(*option, real=True)
    assert server.process.wait(PATIENCE) == 2
    log = server.log.read_text()
    assert says in log and "Traceback" not in log and not server.file.exists()
