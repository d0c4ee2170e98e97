# SPDX-License-Identifier: GPL-3.0-or-later
"""Small motion stores made by hand."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from smplit.datasets.store import Clip, ClipInfo, MotionStore, write_store

sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("loco", "difftraj")]  # styled_store and its synthetic_walk


@pytest.fixture(scope="session")
def styled(tmp_path_factory):
    """Walkers in two styles; see `styled_store`."""
    from styled_store import styled_store

    from smplit.body.model import BodyModel

    return styled_store(tmp_path_factory.mktemp("styled") / "store.safetensors", BodyModel.load())


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """Six clips of 90 frames: upright bodies that drift and swing their limbs."""
    random = np.random.default_rng(0)

    def clips():
        for number in range(6):
            phase = np.linspace(0, 12, 90)[:, None, None] + random.uniform(0, 6, (1, 22, 3))
            poses = 0.3 * np.sin(phase) * random.normal(0, 1, (1, 22, 3))
            poses[:, 0] = [np.pi / 2, 0, 0]
            trans = np.stack([np.linspace(0, 2, 90), np.zeros(90), np.full(90, 1.3)], 1)
            contacts = (np.sin(phase[:, 0, :1] + np.array([[0, 0, 3, 3]])) > 0).astype(np.uint8)
            yield Clip(ClipInfo(f"set/clip{number}", "set", "set", str(number), "", "", "CC0", 30.0, 3.0, 1.0), poses, trans, contacts, 30.0)

    path = tmp_path_factory.mktemp("store") / "store.safetensors"
    write_store(path, clips(), 30.0, "0" * 64)
    return MotionStore.open(path)


@pytest.fixture(scope="session")
def split(tmp_path_factory):
    """Of the six clips of `store`: one held out, one for tuning."""
    path = tmp_path_factory.mktemp("split") / "split.json"
    path.write_text(json.dumps({"parts": {"held_out": [{"subject": "5"}], "tuning": [{"subject": "4"}]}}))
    return path
