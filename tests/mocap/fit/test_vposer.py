# SPDX-License-Identifier: GPL-3.0-or-later
"""VPoser as a prior. No published file is to be had: names and shapes are those that `smplit models add` asks for, numbers are made up."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from smplit.axes import matrix_from_axis_angle
from smplit.errors import BadInput, MissingModel
from smplit.mocap.fit.pose_prior import PosePrior, load_pose_prior
from smplit.mocap.fit.smplifyx.fitter import load_prior
from smplit.mocap.fit.vposer import VPoserPrior, load_vposer
from smplit.models.networks import _VPOSER


def _weights():
    shapes = dict(_VPOSER) | {
        "encoder_net.1.bias": (63,), "encoder_net.1.running_mean": (63,), "encoder_net.1.running_var": (63,), "encoder_net.2.bias": (512,),
        **{f"encoder_net.4.{leaf}": (512,) for leaf in ("weight", "bias", "running_mean", "running_var")},
        **{f"encoder_net.{layer}.weight": (512, 512) for layer in (6, 7)}, **{f"encoder_net.{layer}.bias": (512,) for layer in (6, 7)},
        **{f"encoder_net.8.{part}.weight": (32, 512) for part in ("mu", "logvar")},
        **{f"encoder_net.8.{part}.bias": (32,) for part in ("mu", "logvar")},
    }
    draw = torch.Generator().manual_seed(1)
    made = {name: torch.randn(shape, generator=draw) * (2.0 / shape[-1]) ** 0.5 for name, shape in shapes.items()}
    return {name: 0.5 + value.abs() if name.endswith("running_var") else value for name, value in made.items()}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SMPLIT_MODEL_FILES", str(tmp_path))
    (tmp_path / "pose_prior").mkdir()
    return tmp_path


@pytest.fixture
def added(folder):
    save_file(_weights(), folder / "pose_prior" / "vposer.safetensors")
    return folder


def _coded(weights, pose):
    """By hand, in float64: normalise, linear, leak, normalise, two linear layers, mean."""
    w = {name: value.double().numpy() for name, value in weights.items()}
    normed = lambda x, n: (x - w[f"{n}.running_mean"]) / np.sqrt(w[f"{n}.running_var"] + 1e-5) * w[f"{n}.weight"] + w[f"{n}.bias"]
    linear = lambda x, n: x @ w[f"{n}.weight"].T + w[f"{n}.bias"]
    x = linear(normed(pose, "encoder_net.1"), "encoder_net.2")
    x = normed(np.where(x > 0, x, 0.01 * x), "encoder_net.4")
    return linear(linear(linear(x, "encoder_net.6"), "encoder_net.7"), "encoder_net.8.mu")


def test_a_poses_distance_is_the_square_of_its_code(added):
    pose = np.random.default_rng(2).normal(0.0, 0.4, (5, 63))
    wanted = (_coded(_weights(), pose) ** 2).sum(-1)
    prior = load_pose_prior()
    assert isinstance(prior, VPoserPrior) and isinstance(load_prior(), VPoserPrior)
    np.testing.assert_allclose(prior(torch.as_tensor(pose)).numpy(), wanted, rtol=1e-3)
    local = np.broadcast_to(np.eye(3), (5, 22, 3, 3)).copy()
    local[:, 1:] = matrix_from_axis_angle(pose.reshape(5, 21, 3))
    local[:, 0] = matrix_from_axis_angle(np.array([0.3, 2.0, -1.0]))  # where a body faces is no matter
    found = prior.choose(torch.as_tensor(local)).distance(torch.as_tensor(local, dtype=torch.float32))
    assert float(found) == pytest.approx(wanted.sum() / 32, rel=1e-3)


def test_the_middle_code_is_a_pose_and_its_gradient_at_rest_is_finite(added):
    prior = VPoserPrior.load()
    assert prior.mean.shape == (63,) and torch.isfinite(prior.mean).all()
    local = torch.eye(3).repeat(2, 22, 1, 1).requires_grad_()
    prior.choose(local).distance(local).backward()
    assert torch.isfinite(local.grad).all()


def test_a_name_wins_over_what_was_added_and_a_missing_file_is_named(added, folder):
    assert isinstance(load_pose_prior("open"), PosePrior)
    (folder / "pose_prior" / "vposer.safetensors").unlink()
    assert isinstance(load_pose_prior(), PosePrior)
    with pytest.raises(MissingModel, match="vposer"):
        load_pose_prior("vposer")


def test_another_networks_file_is_refused(folder):
    weights = _weights()
    del weights["encoder_net.7.weight"]
    save_file(weights, folder / "pose_prior" / "vposer.safetensors")
    with pytest.raises(BadInput, match=r"encoder_net\.7\.weight"):
        load_vposer(folder / "pose_prior" / "vposer.safetensors")
