# SPDX-License-Identifier: GPL-3.0-or-later
"""Backends that end with their test."""

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))  # peer.py and fake_kinds.py, which backends under test import too

from peer import HERE, Server


@contextlib.contextmanager
def starting(folder):
    """A function that starts backends with their files in `folder`; they end with the block."""
    servers = []

    def begin(*options, real=False, file=folder / "connection.json", jobs=folder / "jobs", **popen):
        command = [sys.executable, "-P", "-m", "smplit.cli", "serve", "--connection-file", str(file), "--jobs-dir", str(jobs), "--device", "cpu"]
        if not real:
            command = [sys.executable, str(HERE / "serve_fake.py"), str(file), str(jobs)]
        servers.append(Server([*command, *options], file, jobs, **popen))
        return servers[-1]

    try:
        yield begin
    finally:
        for server in servers:
            server.end()


@pytest.fixture
def start(tmp_path):
    """Starts a backend: with the kinds of `fake_kinds.py`, or the real command."""
    with starting(tmp_path) as begin:
        yield begin


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """A real backend for all tests of a file that do no more to it than jobs; its worker has torch loaded."""
    with starting(tmp_path_factory.mktemp("warm")) as begin:
        yield begin(real=True).ready()


@pytest.fixture
def server(start):
    return start().ready()


@pytest.fixture
def client(server):
    return server.greeted()


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 3 MiB of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    if not shutil.which("mount") or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
