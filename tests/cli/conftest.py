# SPDX-License-Identifier: GPL-3.0-or-later
"""A locomotion network that has learnt nothing, for the command that walks."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("loco", "difftraj")]  # styled_store and its synthetic_walk


@pytest.fixture(scope="session")
def body():
    from smplit.body.model import BodyModel

    return BodyModel.load()


@pytest.fixture(scope="session")
def loco_weights(body, tmp_path_factory):
    """Weights of the styles happy and sad."""
    from styled_store import random_network, styled_store

    from smplit.loco.corpus import corpus
    from smplit.loco.recordings import pieces
    from smplit.loco.weights import save_weights

    folder = tmp_path_factory.mktemp("loco")
    store = styled_store(folder / "store.safetensors", body)
    recorded = corpus(store, pieces(store), body, bends=False)
    save_weights(random_network(recorded), folder / "loco.safetensors", {}, recorded)
    return folder / "loco.safetensors"
