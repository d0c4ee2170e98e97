# SPDX-License-Identifier: GPL-3.0-or-later
"""Published checkpoints are read safely and strictly; what is not one is named with the remedy. Bodies come from the user's file or the open one."""

import re
import zipfile

import numpy as np
import pytest
import torch
from wham_goldens import golden, published_weights

from smplit import models
from smplit.axes import matrix_from_axis_angle
from smplit.body.model import BodyModel
from smplit.errors import BadInput
from smplit.mocap.wham.body import SmplBody
from smplit.mocap.wham.estimate import WhamEstimator
from smplit.mocap.wham.load import FEATURES, LIFTING, load_network, load_regressors, save_network, stage_of
from smplit.mocap.wham.network import Wham
from smplit.mocap.wham.smpl_files import find_body, load_smpl, stand_in

SMALL = 32  # width of a network that is quick to write


@pytest.fixture
def small():
    torch.manual_seed(0)
    return Wham(SMALL)


def published_like(weights):
    """As the original's trainer writes it: SMPL's arrays among the weights, a score of numpy's beside them."""
    smpl = {"smpl.betas": torch.zeros(8, 10), "smpl.faces_tensor": torch.zeros(5, 3, dtype=torch.int64)}
    smpl |= {"smpl.J_regressor_wham": torch.rand(31, 6890), "smpl.J_regressor_feet": torch.rand(4, 6890)}
    return {"epoch": 20, "model": weights | smpl, "performance": np.float64(35.7), "optimizer": {"state": {}, "param_groups": [{"lr": 1e-5}]}}


def test_a_published_checkpoint_loads_and_its_body_is_left_out(tmp_path):
    torch.save(published_like(published_weights()), tmp_path / "wham_vit_w_3dpw.pth.tar")
    network = load_network(tmp_path / "wham_vit_w_3dpw.pth.tar", FEATURES)
    assert not network.training
    assert all(torch.equal(value, published_weights()[name]) for name, value in network.state_dict().items())
    keypoints, feet = load_regressors(tmp_path / "wham_vit_w_3dpw.pth.tar")
    assert keypoints.shape == (31, 6890) and feet.shape == (4, 6890)


def test_what_training_writes_is_read_again(tmp_path, small):
    save_network(small, tmp_path / "own.safetensors", LIFTING, {"data": "2 clips"})
    again = load_network(tmp_path / "own.safetensors", LIFTING)
    assert all(torch.equal(value, small.state_dict()[name]) for name, value in again.state_dict().items())
    with pytest.raises(BadInput, match=r"own\.safetensors.*J_regressor_wham"):
        load_regressors(tmp_path / "own.safetensors")


def test_an_integrator_that_never_learned_tells_stage_1_from_stage_2(tmp_path, small):
    assert stage_of(Wham().state_dict()) == LIFTING and stage_of(small.state_dict()) == LIFTING
    torch.save(published_like(small.state_dict()), tmp_path / "stage1.pth.tar")
    with pytest.raises(BadInput, match=r"stage1\.pth\.tar.*stage 1, not 2.*wham-stage2") as error:
        load_network(tmp_path / "stage1.pth.tar", FEATURES)
    assert error.value.code == "wrong_stage" and error.value.exit_code == 2
    optimiser = torch.optim.Adam(small.integrator.parameters(), lr=1e-4)
    for _ in range(3):  # any gradient will do
        optimiser.zero_grad()
        small.integrator(torch.rand(2, 3, SMALL + 51), torch.rand(2, 3, 1024), torch.tensor([True, False])).square().sum().backward()
        optimiser.step()
    torch.save(published_like(small.state_dict()), tmp_path / "stage2.pth.tar")
    assert load_network(tmp_path / "stage2.pth.tar", FEATURES)
    with pytest.raises(BadInput, match=r"stage 2, not 1.*wham-stage1"):
        load_network(tmp_path / "stage2.pth.tar", LIFTING)


def test_missing_and_foreign_names_are_listed(tmp_path, small):
    weights = small.state_dict()
    del weights["mask_embedding"], weights["integrator.layer2.bias"]
    torch.save({"model": weights}, tmp_path / "cut.pth.tar")
    with pytest.raises(BadInput, match=r"cut\.pth\.tar.*missing: mask_embedding, integrator\.layer2\.bias"):
        load_network(tmp_path / "cut.pth.tar")
    torch.save({"model": small.state_dict() | {"backbone.weight": torch.zeros(1)}}, tmp_path / "more.pth.tar")
    with pytest.raises(BadInput, match=r"unknown: backbone\.weight"):
        load_network(tmp_path / "more.pth.tar")
    torch.save({"state_dict": {"sequence_pos_encoder.pe": torch.zeros(1, 4, 8)}}, tmp_path / "other.pt")
    with pytest.raises(BadInput, match=r"other\.pt.*does not fit Wham"):
        load_network(tmp_path / "other.pt")
    torch.save({"model": small.state_dict() | {"integrator.layer1.bias": torch.zeros(3)}}, tmp_path / "shape.pt")
    with pytest.raises(BadInput, match=r"integrator\.layer1\.bias \(3,\) instead of \(1024,\)"):
        load_network(tmp_path / "shape.pt")


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_pickled_objects_and_cut_files_are_refused(tmp_path, small):
    torch.save(published_like(small.state_dict()) | {"scheduler": Trap(tmp_path / "ran")}, tmp_path / "trap.pth.tar")
    with pytest.raises(BadInput, match=r"trap\.pth\.tar.*plain weights"):
        load_network(tmp_path / "trap.pth.tar")
    assert not (tmp_path / "ran").exists()
    torch.save(small.state_dict(), tmp_path / "whole.pth.tar")
    content = (tmp_path / "whole.pth.tar").read_bytes()
    (tmp_path / "half.pth.tar").write_bytes(content[: len(content) // 2])
    with pytest.raises(BadInput, match=r"half\.pth\.tar.*Download it again"):
        load_network(tmp_path / "half.pth.tar")


def test_the_published_files_are_found_by_name(monkeypatch, tmp_path):
    monkeypatch.setattr(models, "folders", lambda: [tmp_path])
    (tmp_path / "wham").mkdir()
    for name in ("wham_vit_w_3dpw.pth.tar", "wham_vit_bedlam_w_3dpw.pth.tar"):  # the better one is taken when both are there
        (tmp_path / "wham" / name).write_bytes(b"")
        assert models.find("wham_published").name == name


def user_smpl(path, leave_out=(), **changed):
    """An npz as a user may save SMPL_NEUTRAL, from the toy body."""
    arrays = {key: value.numpy() for key, value in golden("body").items()} | {"f": np.zeros((4, 3), np.uint32)} | changed
    np.savez(path, **{key: value for key, value in arrays.items() if key not in leave_out})
    return path


def test_a_users_smpl_is_read_with_regressors_of_its_own_or_given_ones(tmp_path):
    own = load_smpl(user_smpl(tmp_path / "SMPL_NEUTRAL.npz"))
    regressors = own.keypoint_regressor, own.feet_regressor
    bare = user_smpl(tmp_path / "bare.npz", ("J_regressor_wham", "J_regressor_feet"))
    given = load_smpl(bare, *regressors)
    assert all(np.array_equal(getattr(own, name), getattr(given, name)) for name in vars(own))
    with pytest.raises(BadInput, match=r"bare\.npz.*J_regressor_wham.*missing"):
        load_smpl(bare)


@pytest.mark.parametrize("change, told", [
    ({"weights": np.zeros((120, 55), np.float32)}, r"'weights' should be 120x24 .*\(120, 55\)"),
    ({"posedirs": np.full((120, 3, 207), np.nan, np.float32)}, "'posedirs' should be"),
    ({"J_regressor": np.zeros((24, 7), np.float32)}, r"'J_regressor' should be 24x120"),
    ({"v_template": np.float32(1)}, "'v_template' should be"),
])
def test_a_file_that_is_no_smpl_is_named_with_the_array(tmp_path, change, told):
    with pytest.raises(BadInput, match=rf"SMPL_NEUTRAL\.npz.*{told}"):
        load_smpl(user_smpl(tmp_path / "SMPL_NEUTRAL.npz", **change))


def test_a_pickled_smpl_is_refused(tmp_path):
    np.savez(tmp_path / "SMPL_NEUTRAL.npz", v_template=np.array([{"chumpy": 1}], object))
    with pytest.raises(BadInput, match="pickled"):
        load_smpl(tmp_path / "SMPL_NEUTRAL.npz")
    with zipfile.ZipFile(tmp_path / "SMPL_NEUTRAL.npz") as archive:
        assert archive.namelist() == ["v_template.npy"]


def test_the_stand_in_poses_as_smplx_does():
    """Oracle: the smplx package, fingers and face at rest."""
    random = np.random.default_rng(0)
    pose, betas = np.zeros((2, 165), np.float32), random.normal(0, 1, 10).astype(np.float32)
    pose[:, :66] = random.normal(0, 0.4, (2, 66))
    rotations = np.tile(np.eye(3), (2, 24, 1, 1))
    rotations[:, :22] = matrix_from_axis_angle(pose[:, :66].reshape(2, 22, 3))
    posed = SmplBody(stand_in())(torch.tensor(rotations, dtype=torch.float32), torch.tensor(betas).expand(2, -1), vertices=True)
    expected = BodyModel.load().vertices(pose, np.zeros((2, 3), np.float32), betas)
    assert np.abs((posed.vertices + posed.offset[:, None]).numpy() - expected).max() < 1e-5


def test_the_stand_ins_points_lie_where_their_names_say():
    """At rest the body faces +z, left is +x, y is up."""
    posed = SmplBody(stand_in())(torch.eye(3).expand(1, 24, 3, 3), torch.zeros(1, 10))
    coco, common, feet = posed.keypoints[0, :17], posed.keypoints[0, 17:], posed.feet[0]
    left, right = coco[[5, 7, 9, 11, 13, 15]], coco[[6, 8, 10, 12, 14, 16]]
    assert (left[:, 0] > 0.05).all() and torch.allclose(left * torch.tensor([-1.0, 1, 1]), right, atol=0.02)
    assert torch.equal(common[[5, 4, 3, 11, 10, 9]], coco[[15, 13, 11, 9, 7, 5]])  # ankle, knee, hip, wrist, elbow, shoulder
    assert common[13, 1] > coco[:, 1].max() + 0.05 and coco[0, 2] > coco[3, 2]
    assert (feet[:2, 0] > 0).all() and (feet[2:, 0] < 0).all() and (feet[[0, 2], 2] > feet[[1, 3], 2] + 0.15).all()


def test_without_a_smpl_of_the_users_the_open_body_stands_in(monkeypatch, tmp_path, small):
    assert re.search("OPEN_NEUTRAL|SMPLX_NEUTRAL", models.find("body").name)
    arrays, real = find_body()
    assert not real and len(arrays.v_template) == len(BodyModel.load().v_template)
    places = models.folders()
    monkeypatch.setattr(models, "folders", lambda: [tmp_path, *places])
    (tmp_path / "body").mkdir()
    user_smpl(tmp_path / "body" / "SMPL_NEUTRAL.npz")
    arrays, real = find_body()
    assert real and len(arrays.v_template) == 120


def test_an_estimator_is_made_of_the_model_files_there_are(monkeypatch, tmp_path, small):
    """The checkpoint with the open body; with the user's SMPL, whose regressors come from the checkpoint and must fit."""
    places = models.folders()
    monkeypatch.setattr(models, "folders", lambda: [tmp_path, *places])
    for name in ("wham", "body"):
        (tmp_path / name).mkdir()
    torch.nn.init.normal_(small.integrator.layer2.weight, std=0.1)
    torch.save(published_like(small.state_dict()), tmp_path / "wham" / "wham_vit_w_3dpw.pth.tar")
    estimator = WhamEstimator.load(stage=FEATURES)
    assert estimator.stage == FEATURES and not estimator.real_body
    user_smpl(tmp_path / "body" / "SMPL_NEUTRAL.npz", ("J_regressor_wham", "J_regressor_feet"))  # of 120 vertices, not 6890
    with pytest.raises(BadInput, match=r"SMPL_NEUTRAL\.npz.*J_regressor_wham.*31x120.*\(31, 6890\)"):
        WhamEstimator.load()
