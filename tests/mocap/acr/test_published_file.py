# SPDX-License-Identifier: GPL-3.0-or-later
"""ACR's checkpoint is read in every form it may come in, whole or not at all."""

import numpy as np
import pytest
import torch
from acr_goldens import UNUSED
from formula_weights import formula_weights
from safetensors.torch import save_file

from smplit.errors import BadInput
from smplit.mocap.acr.load import load_network

_PREFIX = "module."
_COUNTS = "num_batches_tracked"


def as_published():
    """With what it holds beside the network: layers nobody asks, a hand model's arrays."""
    weights = {_PREFIX + name: value for name, value in formula_weights("acr").items()}
    beside = {"params_map_parser.mano.th_betas": torch.zeros(1, 10), "mano_faces": torch.zeros(1538, 3, dtype=torch.int64)}
    return weights | {_PREFIX + name: value for name, value in beside.items()}


def is_filled(network):
    own = network.state_dict()
    return not network.training and all(torch.equal(value, formula_weights("acr")[name]) for name, value in own.items() if not name.endswith(_COUNTS))


@pytest.mark.parametrize("nest", ["model_state_dict", "state_dict", None])
def test_a_published_checkpoint_loads_in_each_nesting(tmp_path, nest):
    weights = as_published()
    torch.save({nest: weights, "epoch": 3, "loss": np.float64(0.1)} if nest else weights, tmp_path / "wild.pkl")
    assert is_filled(load_network(tmp_path / "wild.pkl"))


def test_a_converted_one_loads_without_prefix_counts_or_layers_of_the_training(tmp_path):
    converted = {name: value for name, value in formula_weights("acr").items() if not name.startswith(UNUSED) and not name.endswith(_COUNTS)}
    save_file(converted, tmp_path / "wild.safetensors")
    assert is_filled(load_network(tmp_path / "wild.safetensors"))


def test_a_name_that_is_missing_is_named(tmp_path):
    weights = as_published()
    del weights["module.contact_layers.3.weight"], weights["module.backbone.stage3.2.branches.1.0.bn2.running_var"]
    torch.save(weights, tmp_path / "wild.pkl")
    with pytest.raises(BadInput, match=r"wild\.pkl.*missing:.*contact_layers\.3\.weight") as error:
        load_network(tmp_path / "wild.pkl")
    assert "stage3.2.branches.1.0.bn2.running_var" in str(error.value)


def test_another_shape_is_refused(tmp_path):
    weights = as_published()
    weights["module.contact_layers.2.weight"] = weights["module.contact_layers.2.weight"][:, :3]
    torch.save(weights, tmp_path / "wild.pkl")
    with pytest.raises(BadInput, match=r"contact_layers\.2\.weight \(1, 3, 256, 16, 1, 1\) instead of \(1, 6, 256, 16, 1, 1\)"):
        load_network(tmp_path / "wild.pkl")


def test_another_network_is_refused(tmp_path):
    torch.save({"state_dict": {"encoder.weight": torch.zeros(3, 3)}}, tmp_path / "wild.pkl")
    with pytest.raises(BadInput, match=r"does not fit Acr.*and \d+ more"):
        load_network(tmp_path / "wild.pkl")


def test_numbers_of_half_precision_become_whole_ones(tmp_path):
    halved = {name: value.half() if value.is_floating_point() else value for name, value in formula_weights("acr").items()}
    save_file(halved, tmp_path / "wild.safetensors")
    assert {value.dtype for value in load_network(tmp_path / "wild.safetensors").parameters()} == {torch.float32}
