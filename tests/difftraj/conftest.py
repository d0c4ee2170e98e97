# SPDX-License-Identifier: GPL-3.0-or-later
"""The body that all trajectory tests use, and the way to `synthetic_walk`, their oracle."""

import sys
from pathlib import Path

import pytest

from smplit.body.model import BodyModel

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def body():
    return BodyModel.load()
