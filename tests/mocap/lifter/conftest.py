# SPDX-License-Identifier: GPL-3.0-or-later
"""An untrained lifter, and a walker made by hand."""

import sys
from pathlib import Path

import pytest
import torch

from smplit.body.model import BodyModel
from smplit.mocap.lifter.network import Lifter

sys.path.insert(0, str(Path(__file__).parent))
from hand_made_walker import walk


@pytest.fixture(scope="session")
def body():
    return BodyModel.load()


@pytest.fixture(scope="session")
def network():
    """An untrained lifter that answers more than rest."""
    torch.manual_seed(1)
    lifter = Lifter(32).eval()
    with torch.no_grad():
        lifter.leave.weight *= 5.0
    return lifter


@pytest.fixture(scope="session")
def walker(body):
    """`walker(frames, fps)` -> landmarks, camera, times."""
    return lambda frames, fps: walk(body, frames, fps)
