# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip whose truth is made up here: somebody bobs and waves before a standing camera."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.body.model import SURFACE_POINTS, BodyModel
from smplit.mocap.fit.points import BLAZEPOSE_NAMES
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.mocap.observe import ShotObservations
from smplit.motion import BODY_JOINTS, JOINT_NAMES, Motion, joint_transforms

BODY = Path(__file__).resolve().parents[2] / "model_files" / "body" / "OPEN_NEUTRAL.npz"
FRAMES, FPS, FOCAL, SIZE = 40, 30.0, 700.0, (640, 480)
SOLES = ("left_heel", "left_big_toe", "right_heel", "right_big_toe")


@pytest.fixture(scope="session")
def body():
    return BodyModel.load(BODY)


@pytest.fixture(scope="session")
def scene():
    """The functions and constants below, for tests."""
    return sys.modules[__name__]


def performer(body, x: float) -> Motion:
    """Stands at (x, 0), sways forward, waves an arm; seen from 4 m in front at 1 m height, 10 degrees rolled."""
    times = np.arange(FRAMES) / FPS
    poses = np.zeros((FRAMES, 55, 3))
    poses[:, 0] = Rotation.from_euler("x", 90, degrees=True).as_rotvec()
    poses[:, BODY_JOINTS.index("left_elbow"), 1] = -0.8 + 0.5 * np.sin(5 * times)
    poses[:, BODY_JOINTS.index("spine1"), 0] = 0.2 * np.sin(3 * times)
    betas = np.array([0.5, -0.3, *[0] * 8], np.float32)
    rest = body.rest_joints(betas).numpy()
    shaped = body.v_template + body.shapedirs[..., :10] @ betas
    # The root turns about its rest position: upright, the soles are at y = lowest of the rest body.
    trans = np.tile(np.array([x, 0.0, rest[0, 1] - float(shaped[:, 1].min())]) - rest[0], (FRAMES, 1))
    roll = Rotation.from_euler("z", 10, degrees=True).as_matrix() @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0.0]])
    return Motion(
        poses.reshape(FRAMES, -1).astype(np.float32), trans.astype(np.float32), FPS, betas,
        contacts=np.ones((FRAMES, 4), np.float32), valid=np.ones(FRAMES, bool), frame_times=times,
        camera_R=np.tile(roll, (FRAMES, 1, 1)), camera_t=np.tile(-roll @ [0, -4.0, 1.0], (FRAMES, 1)),
        camera_K=np.array([[FOCAL, 0, SIZE[0] / 2], [0, FOCAL, SIZE[1] / 2], [0, 0, 1]]),
    )


def world_joints(motion, body):
    rest = body.rest_joints(motion.betas).numpy()
    return joint_transforms(motion.poses, rest)[1] + motion.trans[:, None]


def write_truth(folder: Path, motions: list[Motion], body, name: str = "clip") -> Path:
    """`clip_truth.npz` and an empty `clip.mp4`; soles from the smplx package's own skinning."""
    joints = np.stack([world_joints(m, body) for m in motions], 1)
    ids = [SURFACE_POINTS[name][0] for name in SOLES]
    soles = np.stack([body.vertices(m.poses, m.trans, m.betas)[:, ids] for m in motions], 1)
    first = motions[0]
    seen = np.einsum("tij,tpkj->tpki", first.camera_R, joints) + first.camera_t[:, None, None]
    pixels = seen[..., :2] / seen[..., 2:] * FOCAL + np.array(SIZE) / 2
    (folder / f"{name}.mp4").touch()
    np.savez(
        folder / f"{name}_truth.npz", joints=joints, foot_points=soles, boxes=np.concatenate([pixels.min(2), pixels.max(2)], -1),
        camera_R=first.camera_R, camera_t=first.camera_t, camera_K=first.camera_K, frame_times=first.frame_times, fps=np.array(FPS),
        camera_kind=np.array("static"),
    )
    return folder / f"{name}_truth.npz"


def perfect_landmarks(motion: Motion, body, person: int) -> PersonLandmarks:
    """What a detector without any error would say of the joints it shares with SMPL-X."""
    joints = world_joints(motion, body)[:, :22]
    seen = np.einsum("tij,tkj->tki", motion.camera_R, joints) + motion.camera_t[:, None]
    pixels = seen[..., :2] / seen[..., 2:] * FOCAL + np.array(SIZE) / 2
    rows = [(i, BODY_JOINTS.index(n)) for i, n in enumerate(BLAZEPOSE_NAMES) if n in JOINT_NAMES[:22]]
    points, flat = np.zeros((FRAMES, 33, 3), np.float32), np.zeros((FRAMES, 33, 2), np.float32)
    hips = seen[:, [1, 2]].mean(1)
    for i, j in rows:
        points[:, i], flat[:, i] = seen[:, j] - hips, pixels[:, j]
    return PersonLandmarks(
        person, 0, np.ones(FRAMES, bool), np.concatenate([pixels.min(1), pixels.max(1)], -1), flat, np.ones((FRAMES, 33), np.float32), points,
        np.zeros((FRAMES, 2, 21, 2)), np.zeros((FRAMES, 2)), np.zeros((FRAMES, 2, 21, 3)), np.zeros((FRAMES, 468, 3)), np.zeros(FRAMES),
    )


def perfect_shot(motions: list[Motion], body, K) -> ShotObservations:
    camera = CameraMotion(np.tile(np.eye(3), (FRAMES, 1, 1)), "static", K, "guess", np.zeros(FRAMES))
    return ShotObservations(0, motions[0].frame_times, camera, [perfect_landmarks(m, body, i + 1) for i, m in enumerate(motions)])
