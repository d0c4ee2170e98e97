# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's parts that need no Blender, imported from the checkout as `addon`."""

import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


def until(condition, seconds=120.0, tick=lambda: None):
    """Calls `tick` until `condition()` is true, and returns what it gave; patient, because a loaded machine is slow."""
    began = time.monotonic()
    while not (found := condition()):
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        tick()
        time.sleep(0.02)
    return found


@pytest.fixture
def wait_until():
    return until


@pytest.fixture
def running(tmp_path):
    """Starts backends as Blender would, and ends them after the test; `pump` does what its timer does."""
    from addon.bridge.backend import Backend

    started = []

    def begin(target):
        backend = Backend()
        started.append(backend)
        backend.start(target)
        return backend

    yield begin
    for backend in started:
        backend.stop()


@pytest.fixture
def pump():
    """What Blender's timer does with a backend: returns the messages of one tick."""

    def tick(backend):
        backend.tick()
        messages = []
        while (message := backend.next_message()) is not None:
            messages.append(message)
        return messages

    return tick
