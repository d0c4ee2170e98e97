# SPDX-License-Identifier: GPL-3.0-or-later
"""SMIRK's encoders give what the original gave, with the same weights and pictures (goldens/smirk, net.npz), and its usual mistakes do not."""

import numpy as np
import pytest
import torch
from formula_weights import TOLERANCE, checksum, error, formula_weights, smirk_pictures
from safetensors.torch import save_file
from smirk_goldens import golden, new_network, pictures, sampled

from smplit.errors import BadInput
from smplit.mocap.smirk import mobilenet
from smplit.mocap.smirk import network as smirk_network
from smplit.mocap.smirk.load import load_network

_OUTPUTS = {
    "pose": "pose_params", "camera": "cam", "shape": "shape_params", "expression": "expression_params", "eyelids": "eyelid_params",
    "jaw": "jaw_params",
}
_HEADS = {"pose_encoder": "pose_cam_layers", "shape_encoder": "shape_layers", "expression_encoder": "expression_layers"}


@pytest.fixture(scope="module")
def network():
    """Shared: whoever changes it changes it back."""
    return new_network()


def worst(network, picture=None):
    """The largest error of all outputs."""
    told = network(pictures() if picture is None else picture)
    return max(error(getattr(told, ours), golden("net")[f"out.{theirs}"]) for ours, theirs in _OUTPUTS.items())


def test_the_pictures_are_those_of_the_golden():
    assert [checksum(picture) for picture in smirk_pictures()] == golden("net")["input_crc32"].tolist()
    assert np.array_equal(smirk_pictures()[0, :4, :4], golden("net")["input_corner"])


@pytest.mark.parametrize("output", _OUTPUTS)
def test_an_output_is_the_original_ones(network, output):
    found = getattr(network(pictures()), output)
    assert error(found, golden("net")[f"out.{_OUTPUTS[output]}"]) < TOLERANCE


@pytest.mark.parametrize("part", _HEADS)
def test_every_layer_on_the_way_is_the_original_ones(network, part):
    encoder = getattr(network, part).encoder
    seen = {}
    modules = {"stem": encoder.bn1} | {f"blocks.{number}": stage for number, stage in enumerate(encoder.blocks)}
    hooks = [
        module.register_forward_hook(lambda _, __, maps, name=name: seen.update({name: sampled(maps.relu() if name == "stem" else maps)}))
        for name, module in modules.items()
    ]
    feature = encoder(pictures())
    for hook in hooks:
        hook.remove()
    kept = {key.removeprefix(f"mid.{part}."): value for key, value in golden("net").items() if key.startswith(f"mid.{part}.")}
    assert kept.keys() == seen.keys()
    for name, value in kept.items():
        assert error(seen[name], value) < TOLERANCE, name
    assert error(feature, golden("net")[f"feat.{part}"]) < TOLERANCE
    raw = getattr(getattr(network, part), _HEADS[part])(feature)
    assert error(raw, golden("net")[f"raw.{part}"]) < TOLERANCE


# Mistakes. Each must be seen, or the comparison above proves little.


def test_a_batch_norm_with_the_usual_epsilon_is_noticed(network):
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert {norm.eps for norm in norms} == {1e-3}
    for norm in norms:
        norm.eps = 1e-5
    found = worst(network)
    for norm in norms:
        norm.eps = 1e-3
    assert found > 10 * TOLERANCE
    assert worst(network) < TOLERANCE


def test_padding_alike_on_all_sides_is_noticed(network, monkeypatch):
    monkeypatch.setattr(mobilenet, "_same", lambda side, stride: (1, 1))
    assert worst(network) > 10 * TOLERANCE


def test_blue_before_red_is_noticed(network):
    assert worst(network, pictures().flip(1)) > 10 * TOLERANCE


def test_a_mean_taken_off_is_noticed(network):
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    assert worst(network, pictures() - mean) > 10 * TOLERANCE


def test_a_jaw_without_bounds_is_noticed(network, monkeypatch):
    monkeypatch.setattr(smirk_network, "bounded_jaw", lambda jaw: jaw)
    assert worst(network) > 10 * TOLERANCE


# Files


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """As the authors give it: one flat state dict with both of its networks."""
    path = tmp_path_factory.mktemp("smirk") / "SMIRK_em1.pt"
    weights = {f"smirk_encoder.{name}": value for name, value in formula_weights("smirk").items()}
    torch.save(weights | {"smirk_generator.conv.weight": torch.zeros(2, 2)}, path)
    return path


def test_the_published_file_is_read_without_its_generator(published):
    assert worst(load_network(published)) < TOLERANCE


def test_a_converted_file_is_read_with_and_without_the_prefix_and_the_counts(tmp_path):
    weights = {name: value.clone() for name, value in formula_weights("smirk").items() if not name.endswith("num_batches_tracked")}
    save_file(weights, tmp_path / "bare.safetensors")
    save_file({f"smirk_encoder.{name}": value for name, value in weights.items()}, tmp_path / "named.safetensors")
    for name in ("bare", "named"):
        assert worst(load_network(tmp_path / f"{name}.safetensors")) < TOLERANCE


@pytest.mark.parametrize("wrong", ["missing", "another shape", "unknown"])
def test_a_file_that_does_not_fit_is_refused_by_name(tmp_path, wrong):
    weights = {f"smirk_encoder.{name}": value.clone() for name, value in formula_weights("smirk").items()}
    name = "smirk_encoder.expression_encoder.expression_layers.0.bias"
    if wrong == "missing":
        del weights[name]
    else:
        weights[name if wrong == "another shape" else name + "2"] = torch.zeros(56)
    save_file(weights, tmp_path / "wrong.safetensors")
    with pytest.raises(BadInput, match=r"expression_encoder\.expression_layers\.0\.bias"):
        load_network(tmp_path / "wrong.safetensors")
