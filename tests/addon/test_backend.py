# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's side of a backend, against the real `smplit serve`."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from addon.bridge import backend as states
from addon.bridge import client as client_module
from addon.bridge.client import Client, new_keys
from addon.bridge.process import Launch
from addon.shared import protocol

PYTHON = Path(sys.executable)


@pytest.fixture
def ready(running, pump, wait_until, tmp_path):
    backend = running(Launch(PYTHON, tmp_path, "cpu"))
    wait_until(lambda: backend.state == states.READY, tick=lambda: pump(backend))
    return backend


def test_a_started_backend_greets_and_is_gone_after_stop(ready, tmp_path):
    assert ready.welcome["protocol"] == protocol.PROTOCOL_VERSION and "capture" in ready.welcome["kinds"]
    family = [psutil.Process(ready.pid), *psutil.Process(ready.pid).children(recursive=True)]
    ready.stop()
    _, alive = psutil.wait_procs(family, 60)
    assert not alive and ready.state == states.OFF
    assert not list(tmp_path.glob("connection-*.json"))


def test_a_job_asked_for_before_the_backend_listens_is_sent_when_it_does(running, pump, wait_until, tmp_path):
    backend = running(Launch(PYTHON, tmp_path, "cpu"))
    lost = tmp_path / "lost.mp4"
    job = backend.jobs.add(protocol.submit("capture", {}, [lost], roots=[tmp_path]), "lost.mp4")
    backend.submit(job)
    assert job.summary() == "waits for the backend"
    wait_until(lambda: not job.open, tick=lambda: pump(backend))
    assert job.state == "failed" and "lost.mp4" in job.message and job.remedy


def test_a_video_that_is_no_video_fails_its_job_and_the_next_job_is_taken(ready, pump, wait_until, tmp_path):
    picture = tmp_path / "picture.mp4"
    picture.write_bytes(b"\x89PNG no video at all")
    for _ in range(2):
        job = ready.jobs.add(protocol.submit("capture", {}, [picture], roots=[tmp_path]), picture.name)
        ready.submit(job)
        wait_until(lambda job=job: not job.open, tick=lambda: pump(ready))
        assert job.state == "failed" and "picture.mp4" in job.message and job.remedy


def test_a_killed_backend_fails_its_jobs_with_a_remedy_and_comes_back(ready, pump, wait_until, tmp_path):
    job = ready.jobs.add(protocol.submit("capture", {}, [tmp_path / "a.mp4"], roots=[tmp_path]), "a.mp4")
    job.state = "running"
    first = ready.pid
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: ready.state == states.RESTARTING, tick=lambda: pump(ready))
    assert job.state == "failed" and job.code == "interrupted" and "killed" in job.message and "Retry" in job.remedy
    wait_until(lambda: ready.state == states.READY, tick=lambda: pump(ready))
    assert ready.pid != first and not ready.problem


def test_a_python_without_smplit_is_given_up_with_its_log_named(running, pump, wait_until, tmp_path):
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    backend = running(Launch(tmp_path / "bare" / "bin" / "python", tmp_path / "user"))
    job = backend.jobs.add(protocol.submit("capture", {}, [tmp_path / "a.mp4"], roots=[tmp_path]), "a.mp4")
    backend.submit(job)
    wait_until(lambda: backend.state == states.FAILED, tick=lambda: pump(backend))
    assert "smplit" in backend.problem and str(backend.log) in backend.remedy
    assert job.state == "failed" and job.remedy


def test_an_interpreter_that_is_not_there_fails_at_once(running, tmp_path):
    backend = running(Launch(tmp_path / "no-python", tmp_path))
    assert backend.state == states.FAILED and "no-python" in backend.problem and backend.remedy


@pytest.fixture
def by_hand(tmp_path, wait_until):
    """A backend that somebody started in a terminal: its connection file."""
    connection = tmp_path / "hand" / "connection.json"
    connection.parent.mkdir()
    command = [PYTHON, "-m", "smplit.cli", "serve", "--connection-file", connection, "--jobs-dir", tmp_path / "jobs", "--device", "cpu"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        wait_until(connection.exists)
        yield connection
        process.stdin.close()
        process.wait(120)


def test_a_backend_started_by_hand_is_used_by_its_connection_file(by_hand, running, pump, wait_until):
    backend = running(by_hand)
    wait_until(lambda: backend.state == states.READY, tick=lambda: pump(backend))
    backend.stop()
    assert by_hand.exists()  # it is not ours to end


def test_a_client_with_another_key_is_not_greeted_and_told_so(by_hand, wait_until, monkeypatch):
    monkeypatch.setattr(client_module, "GREETING", 2.0)
    client = Client(protocol.read_connection(by_hand), new_keys())
    try:
        problem = wait_until(lambda: client.problem)
        assert problem.code == "refused" and problem.remedy
        assert client.receive() is None
    finally:
        client.close()


def test_a_lost_connection_file_is_named(running, tmp_path):
    backend = running(tmp_path / "gone.json")
    assert backend.state == states.FAILED and "gone.json" in backend.problem and backend.remedy
