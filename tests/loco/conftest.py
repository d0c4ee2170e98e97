# SPDX-License-Identifier: GPL-3.0-or-later
"""People made by hand who walk, in memory, in a store and as a tiny network's recordings."""

import sys
from pathlib import Path

import pytest

from smplit.body.model import BodyModel

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "difftraj")]


@pytest.fixture(scope="session")
def body():
    return BodyModel.load()


@pytest.fixture(scope="session")
def store(body, tmp_path_factory):
    """See `styled_store`."""
    from styled_store import styled_store

    return styled_store(tmp_path_factory.mktemp("styled") / "store.safetensors", body)


@pytest.fixture(scope="session")
def recorded(store, body):
    """The store's locomotion, unbent."""
    from smplit.loco.corpus import corpus
    from smplit.loco.recordings import pieces

    return corpus(store, pieces(store), body, bends=False)


@pytest.fixture(scope="session")
def weights_file(recorded, tmp_path_factory):
    """A file of `styled_store.random_network`."""
    from styled_store import random_network

    from smplit.loco.weights import save_weights

    path = tmp_path_factory.mktemp("weights") / "loco.safetensors"
    save_weights(random_network(recorded), path, {"data": "made by hand"}, recorded)
    return path
