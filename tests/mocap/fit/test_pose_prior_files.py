# SPDX-License-Identifier: GPL-3.0-or-later
"""The pose prior is the user's own file where there is one, and scipy's Gaussians say the same as it does."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from scipy.stats import multivariate_normal

from smplit.errors import BadInput, MissingModel
from smplit.mocap.fit.pose_prior import PosePrior, load_pose_prior
from smplit.mocap.fit.smplifyx.energy import MixturePrior
from smplit.mocap.fit.smplifyx.fitter import OpenPrior, load_prior


def mixture(count=3, numbers=69):
    """Well-conditioned Gaussians over SMPL's 23 joints."""
    random = np.random.default_rng(5)
    spread = random.normal(0, 0.3, (count, numbers, numbers))
    weights = np.array([0.5, 0.3, 0.2])[:count]
    return {"means": random.normal(0, 0.3, (count, numbers)), "covars": spread @ spread.transpose(0, 2, 1) / numbers + 0.05 * np.eye(numbers),
            "weights": weights}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the user's files are looked for first."""
    monkeypatch.setenv("SMPLIT_MODEL_FILES", str(tmp_path))
    (tmp_path / "pose_prior").mkdir()
    return tmp_path


def put(folder, arrays):
    np.savez(folder / "pose_prior" / "gmm_08.npz", **arrays)


def poses(count=6):
    return np.random.default_rng(7).normal(0, 0.4, (count, 21, 3))


def as_rotations(pose):
    """(T,21,3) rad -> local rotations (T,22,3,3), the root at rest."""
    turns = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(len(pose), 21, 3, 3)
    return torch.as_tensor(np.concatenate([np.tile(np.eye(3), (len(pose), 1, 1, 1)), turns], 1), dtype=torch.float32)


def marginals(arrays, pose):
    """(T,K) log densities of the first 63 numbers and the squared distances."""
    flat = pose.reshape(len(pose), 63)
    normals = [multivariate_normal(mean[:63], cov[:63, :63]) for mean, cov in zip(arrays["means"], arrays["covars"], strict=True)]
    off = [flat - mean[:63] for mean in arrays["means"]]
    distances = [(o @ np.linalg.inv(cov[:63, :63]) * o).sum(1) for o, cov in zip(off, arrays["covars"], strict=True)]
    return np.stack([n.logpdf(flat) for n in normals], 1), np.stack(distances, 1)


def test_the_users_mixture_is_taken_and_counts_as_its_marginal_does(folder):
    arrays, pose = mixture(), poses()
    put(folder, arrays)
    prior, density = load_pose_prior(), marginals(arrays, pose)
    local = as_rotations(pose)
    best = (density[0] + np.log(arrays["weights"])).argmax(1)
    assert prior.components(local).tolist() == best.tolist()
    wanted = density[1][np.arange(len(pose)), best].sum() / 63
    assert float(prior.choose(local).distance(local)) == pytest.approx(wanted, rel=1e-3)
    np.testing.assert_allclose(prior.weights.numpy(), arrays["weights"], atol=1e-5)


def test_in_the_published_fit_it_is_smplifys_own_with_its_own_constant(folder):
    arrays, pose = mixture(), poses()
    put(folder, arrays)
    prior = load_prior()
    assert isinstance(prior, MixturePrior)
    _, distances = marginals(arrays, pose)
    roots = np.array([np.sqrt(np.linalg.det(cov[:63, :63])) for cov in arrays["covars"]])
    rarity = -np.log(arrays["weights"] / ((2 * np.pi) ** 34.5 * roots / roots.min()))
    np.testing.assert_allclose(prior(torch.as_tensor(pose.reshape(-1, 63))).numpy(), (0.5 * distances + rarity).min(1), rtol=1e-9)
    np.testing.assert_allclose(prior.mean.numpy(), arrays["weights"] @ arrays["means"][:, :63], atol=1e-12)
    assert isinstance(load_prior("open"), OpenPrior)


def test_without_the_users_file_ours_is_taken_and_asking_for_theirs_says_where_to_get_it(folder):
    assert isinstance(load_prior(), OpenPrior)
    assert torch.equal(load_pose_prior().mean, PosePrior.load("open").mean)
    for load in (load_pose_prior, load_prior):
        with pytest.raises(MissingModel, match="gmm_08"):
            load("gmm")
        with pytest.raises(BadInput, match="vposer2"):
            load("vposer2")


@pytest.mark.parametrize("change", [
    {"means": np.zeros((3, 40))}, {"covars": np.zeros((3, 69, 69))}, {"covars": np.full((3, 69, 69), np.nan)}, {"weights": np.array([0.5, 0.5, 0.0])},
    {"weights": np.array([object()] * 3)}, {"means": np.array(["a"] * 3)},
], ids=["numbers", "singular", "nan", "weights", "objects", "words"])
def test_a_file_that_is_no_such_mixture_is_refused(folder, change):
    put(folder, {**mixture(), **change})
    with pytest.raises(BadInput, match="gmm_08"):
        PosePrior.load("gmm")


def test_a_file_that_is_no_npz_is_refused(folder):
    (folder / "pose_prior" / "gmm_08.npz").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(BadInput, match="gmm_08"):
        PosePrior.load("gmm")


@pytest.mark.parametrize("name", ["gmm", "open"])
def test_gradients_are_finite_at_rest_where_axis_angles_have_no_direction(folder, name):
    put(folder, mixture())
    local = torch.eye(3).repeat(2, 22, 1, 1).requires_grad_()
    prior = PosePrior.load(name)
    prior.choose(local).distance(local).backward()
    assert torch.isfinite(local.grad).all() and (local.grad[:, 1] != 0).any()
    pose = torch.zeros(2, 63, dtype=torch.float64, requires_grad=True)
    load_prior(name)(pose).sum().backward()
    assert torch.isfinite(pose.grad).all() and (pose.grad != 0).any()


def test_ours_finds_hanging_arms_likelier_than_a_head_turned_backwards():
    prior = load_prior("open")
    pose = torch.zeros(2, 21, 3, dtype=torch.float64)
    pose[:, 15, 2], pose[:, 16, 2] = -1.2, 1.2
    pose[1, 14, 1] = 2.8
    hanging, twisted = prior(pose.view(2, 63)).tolist()
    assert twisted > hanging + 30.0
    assert prior.mean.shape == (63,) and prior(prior.mean[None]).item() < hanging + 60.0
