# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """As the pipeline does: the fit's small tensors gain nothing from more threads."""
    torch.set_num_threads(1)
