# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to `face_world`, and a face of it."""

import sys
from pathlib import Path

import pytest

from smplit.mocap.face import landmark_fit

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module")
def world():
    from face_world import FaceWorld

    one = pytest.MonkeyPatch()
    world = FaceWorld()
    one.setattr(landmark_fit, "kept_surface", lambda body: world.surface)  # made once, and not in the user's cache
    yield world
    one.undo()
