# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to `wham_goldens`."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "mocap" / "wham"))


@pytest.fixture(scope="session")
def body():
    """SMPL's joints on the open body."""
    from smplit.mocap.wham.body import SmplBody
    from smplit.mocap.wham.smpl_files import stand_in

    return SmplBody(stand_in())
