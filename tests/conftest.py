# SPDX-License-Identifier: GPL-3.0-or-later
"""One thread for torch, as the product's fit uses: a second one only waits on two shared cores, and results stay the same everywhere."""

import importlib.util

import pytest


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    if importlib.util.find_spec("torch") is None:  # in Blender's environment
        return
    import torch

    torch.set_num_threads(1)
