# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole captures of feet that step and kick: they end where the pictures show them, and still stand still."""

from pathlib import Path

import numpy as np
import pytest
import smplx
import torch

from smplit.body.model import SURFACE_POINTS, BodyModel
from smplit.mocap.fit.points import BLAZEPOSE_NAMES
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.mocap.observe import ShotObservations
from smplit.mocap.options import CaptureOptions
from smplit.mocap.pipeline import capture_observed
from smplit.motion import JOINT_NAMES, joint_transforms

BODY = Path(__file__).resolve().parents[2] / "model_files" / "body" / "OPEN_NEUTRAL.npz"
FPS, FRAMES, FOCAL = 30.0, 96, 900.0
MIDDLE = np.array([480.0, 270.0])
J = {name: i for i, name in enumerate(JOINT_NAMES)}
ANKLES = [J["left_ankle"], J["right_ankle"]]
FROM_JOINTS = {f"{side}_{name}": f"{side}_{name}" for side in ("left", "right") for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")}
FROM_SURFACE = {"nose": "nose", "left_eye": "left_eye", "right_eye": "right_eye", "left_ear": "left_ear", "right_ear": "right_ear",
                "left_heel": "left_heel", "right_heel": "right_heel", "left_foot_index": "left_big_toe", "right_foot_index": "right_big_toe"}


def eased(times, start, seconds):
    part = np.clip((times - start) / seconds, 0, 1)
    return part * part * (3 - 2 * part)


def shuffling(times):
    """Local poses (T,55,3): every 0.8 s one foot is set down 10 cm further in or out, hardly lifted, within 0.3 s."""
    poses = np.zeros((len(times), 55, 3))
    poses[:, 0] = [np.pi, 0, 0]  # upright in a camera whose y points down, facing it
    for side, sign, first in (("left", 1.0, 0.4), ("right", -1.0, 0.8)):
        out = eased(times, first, 0.3) - eased(times, first + 0.8, 0.3) + eased(times, first + 1.6, 0.3)
        lift = sum(np.exp(-(((times - first - 0.15 - 0.8 * k) / 0.1) ** 2)) for k in range(3))
        poses[:, J[f"{side}_hip"], 2] = sign * 0.13 * out
        poses[:, J[f"{side}_ankle"], 2] = -sign * 0.13 * out
        poses[:, J[f"{side}_hip"], 0] = -0.2 * lift
        poses[:, J[f"{side}_knee"], 0] = 0.4 * lift
        poses[:, J[f"{side}_ankle"], 0] = -0.2 * lift
        poses[:, J[f"{side}_shoulder"], 2] = -sign * 1.1
    return poses


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(BODY)


@pytest.fixture(scope="module")
def truth(body):
    """Joints (T,22,3) and landmarks (T,33,3) m in camera axes, by the smplx package; the camera looks level, 1.2 m above the floor."""
    times = np.arange(FRAMES) / FPS
    poses = torch.as_tensor(shuffling(times).reshape(FRAMES, -1), dtype=torch.float32)
    model = smplx.SMPLX(BODY, use_pca=False, flat_hand_mean=True, batch_size=FRAMES, num_betas=10, num_expression_coeffs=10)
    out = model(global_orient=poses[:, :3], body_pose=poses[:, 3:66], transl=torch.tensor([[0.0, 0.0, 3.6]]).expand(FRAMES, 3))
    joints, vertices = out.joints[:, :55].detach().numpy(), out.vertices.detach().numpy()
    down = np.array([0.0, 1.2, 0.0]) - vertices[..., 1].max(1)[:, None] * [0.0, 1.0, 0.0]  # the lowest point stands
    joints, vertices = joints + down[:, None], vertices + down[:, None]
    marks = np.zeros((FRAMES, 33, 3))
    for name, joint in FROM_JOINTS.items():
        marks[:, BLAZEPOSE_NAMES.index(name)] = joints[:, J[joint]]
    for name, point in FROM_SURFACE.items():
        marks[:, BLAZEPOSE_NAMES.index(name)] = vertices[:, SURFACE_POINTS[point][0]]
    return times, joints[:, :22], marks


def shown(points):
    return points[..., :2] / points[..., 2:] * FOCAL + MIDDLE


def observations(times, marks):
    """What a detector that errs by 1.5 px, and by 3 cm in its own 3D, sees of `marks`."""
    random = np.random.default_rng(3)
    there = np.abs(marks).sum(-1) > 0
    pixels = shown(np.where(there[..., None], marks, [0.0, 0.0, 1.0])) + random.normal(0, 1.5, (FRAMES, 33, 2))
    world = np.where(there[..., None], marks - marks[:, 23:25].mean(1, keepdims=True) + random.normal(0, 0.03, marks.shape), 0.0)
    boxes = np.concatenate([pixels[:, 11:].min(1), pixels[:, 11:].max(1)], 1)
    person = PersonLandmarks(
        1, 0, np.ones(FRAMES, bool), boxes, pixels, there.astype(np.float32), world, np.zeros((FRAMES, 2, 21, 2)), np.zeros((FRAMES, 2)),
        np.zeros((FRAMES, 2, 21, 3)), np.zeros((FRAMES, 468, 3)), np.zeros(FRAMES),
    )
    K = np.array([[FOCAL, 0, MIDDLE[0]], [0, FOCAL, MIDDLE[1]], [0, 0, 1]])
    camera = CameraMotion(np.tile(np.eye(3), (FRAMES, 1, 1)), "static", K, "given", np.zeros(FRAMES))
    return ShotObservations(0, times, camera, [person])


@pytest.fixture(scope="module")
def captured(body, truth, tmp_path_factory):
    """World joints (T,22,3) m of the finished motion, where its own camera shows them, (T,22,2) px, and its contacts (T,4)."""
    times, _, marks = truth
    options = CaptureOptions(hands="none", face="none")
    (result,) = capture_observed("shuffle.mp4", [observations(times, marks)], tmp_path_factory.mktemp("feet"), options, body=body)
    motion = result.motion
    _, joints = joint_transforms(motion.poses, body.rest_joints(motion.betas).numpy())
    joints = joints[:, :22] + motion.trans[:, None]
    return joints, shown(np.einsum("tij,tkj->tki", motion.camera_R, joints) + motion.camera_t[:, None]), motion.contacts


def true_steps(joints):
    """(T-1,2) m: how far both ankles go from frame to frame."""
    return np.linalg.norm(np.diff(joints[:, ANKLES], axis=0), axis=-1)


def test_a_foot_on_its_way_is_not_planted_however_short_the_way(truth, captured):
    planted = captured[2][1:].reshape(-1, 2, 2).max(-1)  # heel or toe of either foot
    fast = true_steps(truth[1]) > 0.4 / FPS
    assert fast.sum() > 20
    assert (planted[fast] > 0.5).mean() < 0.5
    assert (planted[true_steps(truth[1]) < 0.001] > 0.5).mean() > 0.8


def test_feet_that_are_set_down_anew_end_where_the_pictures_show_them(truth, captured):
    off = (captured[1] - shown(truth[1]))[:, ANKLES] * 3.6 / FOCAL  # m at the person's depth
    off = np.linalg.norm(off - off.mean(0), axis=-1)
    assert off.mean() < 0.034  # half a step of 10 cm, 0.05, where all of it is held for one long stand


def test_feet_that_stand_stand_still(truth, captured):
    still = true_steps(truth[1]) < 0.001
    assert still.mean() > 0.5
    assert true_steps(captured[0])[still].mean() < 0.001
