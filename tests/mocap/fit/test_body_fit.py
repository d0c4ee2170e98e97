# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole-clip fit against a known motion whose landmarks come from the smplx package, with noise."""

from pathlib import Path

import numpy as np
import pytest
import roma
import smplx
import torch

from smplit.axes import matrix_from_axis_angle
from smplit.body.kinematics import joint_transforms
from smplit.body.model import SURFACE_POINTS, BodyModel
from smplit.mocap.fit import body_fit
from smplit.mocap.fit.body_fit import BodyFitter
from smplit.mocap.fit.points import BLAZEPOSE_NAMES, sole_points
from smplit.mocap.fit.pose_prior import PosePrior
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.motion import JOINT_NAMES

BODY = Path(__file__).resolve().parents[3] / "model_files" / "body" / "OPEN_NEUTRAL.npz"
FPS, FRAMES = 30.0, 60
J = {name: i for i, name in enumerate(JOINT_NAMES)}
K = np.array([[900.0, 0, 480], [0, 900.0, 270], [0, 0, 1]])
FROM_JOINTS = {"left_shoulder": 16, "right_shoulder": 17, "left_elbow": 18, "right_elbow": 19, "left_wrist": 20, "right_wrist": 21,
               "left_hip": 1, "right_hip": 2, "left_knee": 4, "right_knee": 5, "left_ankle": 7, "right_ankle": 8}
FROM_SURFACE = {"nose": "nose", "left_ear": "left_ear", "right_ear": "right_ear", "left_heel": "left_heel", "right_heel": "right_heel",
                "left_foot_index": "left_big_toe", "right_foot_index": "right_big_toe"}


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(BODY)


def performance(raised=0.0, kicked=0.0):
    """Somebody steps and swings the arms, 4 m ahead of the camera: joints (T,22,3) and landmarks (T,33,3) m, camera axes.
    `raised` (T,) rad is added to the left arm's height, `kicked` to the left leg's, outwards."""
    times = np.arange(FRAMES) / FPS
    swing = np.sin(2 * np.pi * times)
    poses = np.zeros((FRAMES, 165), np.float32).reshape(FRAMES, 55, 3)
    poses[:, 0] = [np.pi, 0, 0]  # upright in a camera whose y points down, facing it
    for side, sign in (("left", 1.0), ("right", -1.0)):
        poses[:, J[f"{side}_hip"], 0] = -0.5 * np.maximum(sign * swing, 0)
        poses[:, J[f"{side}_knee"], 0] = 0.9 * np.maximum(sign * swing, 0)
        poses[:, J[f"{side}_shoulder"], 2] = -sign * 1.1
        poses[:, J[f"{side}_shoulder"], 1] = -sign * 0.4 * swing
        poses[:, J[f"{side}_elbow"], 1] = -sign * 0.7
    poses[:, J["left_shoulder"], 2] += raised
    poses[:, J["left_hip"], 2] += kicked
    trans = np.stack([0.3 * swing, 0.1 * np.cos(4 * np.pi * times), 4.0 + 0 * times], -1).astype(np.float32)
    model = smplx.SMPLX(BODY, use_pca=False, flat_hand_mean=True, batch_size=FRAMES, num_betas=10, num_expression_coeffs=10)
    flat = torch.as_tensor(poses.reshape(FRAMES, -1))
    out = model(global_orient=flat[:, :3], body_pose=flat[:, 3:66], transl=torch.as_tensor(trans))
    joints, vertices = out.joints[:, :22].detach().numpy(), out.vertices.detach().numpy()
    marks = np.zeros((FRAMES, 33, 3))
    for name, joint in FROM_JOINTS.items():
        marks[:, BLAZEPOSE_NAMES.index(name)] = joints[:, joint]
    for name, point in FROM_SURFACE.items():
        marks[:, BLAZEPOSE_NAMES.index(name)] = vertices[:, SURFACE_POINTS[point][0]]
    return times, joints, marks


@pytest.fixture(scope="module")
def truth():
    return performance()


def landmarks(marks, noise, seed=0):
    """What a detector with `noise` m in 3D and 2 px in the picture would say of `marks`."""
    random = np.random.default_rng(seed)
    confidence = (np.abs(marks).sum(-1) > 0).astype(np.float32)
    depth = np.where(marks[..., 2:] > 0, marks[..., 2:], 1.0)
    pixels = marks[..., :2] / depth * 900 + [480, 270] + random.normal(0, 2.0, marks.shape[:2] + (2,))
    world = marks - marks[:, 23:25].mean(1, keepdims=True) + random.normal(0, noise, marks.shape)
    boxes = np.stack([pixels[:, 11:].min((1, 2))] * 2 + [pixels[:, 11:].max((1, 2))] * 2, -1)
    count = len(marks)
    return PersonLandmarks(
        1, 0, np.ones(count, bool), boxes, pixels, confidence, world, np.zeros((count, 2, 21, 2)), np.zeros((count, 2)),
        np.zeros((count, 2, 21, 3)), np.zeros((count, 468, 3)), np.zeros(count),
    )


def camera(count=FRAMES):
    return CameraMotion(np.tile(np.eye(3), (count, 1, 1)), "static", K, "given", np.zeros(count))


def from_pelvis(joints):
    return joints - joints[:, :1]


def fitted_joints(body, fit):
    _, joints = joint_transforms(torch.as_tensor(fit.rotations), body.rest_joints(torch.as_tensor(fit.betas))[:22])
    return joints.numpy()


def error(body, fit, joints):
    return np.linalg.norm(from_pelvis(fitted_joints(body, fit)) - from_pelvis(joints), axis=-1).mean()


def test_the_fit_is_nearer_to_the_truth_than_the_noisy_landmarks_it_saw(body, truth):
    times, joints, marks = truth
    seen = landmarks(marks, noise=0.05)
    fit = BodyFitter(seen, camera(), times, body).fit_view()
    detector = np.linalg.norm((seen.body_world - seen.body_world[:, 23:25].mean(1, keepdims=True))[:, list(range(11, 17)) + list(range(23, 29))]
                              - (marks - marks[:, 23:25].mean(1, keepdims=True))[:, list(range(11, 17)) + list(range(23, 29))], axis=-1).mean()
    assert error(body, fit, joints) < 0.5 * detector


def test_a_half_second_without_the_person_is_bridged_without_a_jump(body, truth):
    times, joints, marks = truth
    seen = landmarks(marks, noise=0.02)
    gap = slice(20, 35)
    for values in (seen.body, seen.body_world, seen.body_confidence, seen.boxes):
        values[gap] = 0
    seen.seen[gap] = False
    fit = BodyFitter(seen, camera(), times, body).fit_view()
    step = np.linalg.norm(np.diff(fitted_joints(body, fit) + fit.trans[:, None], axis=0), axis=-1)
    true_step = np.linalg.norm(np.diff(joints, axis=0), axis=-1)
    assert step.max() < 1.5 * true_step.max()
    assert np.linalg.norm(from_pelvis(fitted_joints(body, fit))[:20] - from_pelvis(joints)[:20], axis=-1).mean() < 0.05


def test_an_arm_thrown_up_and_down_is_where_the_pictures_show_it(body):
    times, joints, marks = performance(raised=1.2 * np.exp(-(((np.arange(FRAMES) / FPS - 1.0) / 0.12) ** 2)))
    speed = np.linalg.norm(np.diff(joints[:, J["left_wrist"]], axis=0), axis=-1).max() * FPS
    assert 3.5 < speed < 4.5  # m/s, a quick wave
    fit = BodyFitter(landmarks(marks, 0.03), camera(), times, body).fit_view()
    assert off_in_the_picture(body, fit, joints, "left_wrist").max() < 0.05  # m


def off_in_the_picture(body, fit, joints, name):
    """(T,) m across the line of sight."""
    found, true = fitted_joints(body, fit)[:, J[name]] + fit.trans, joints[:, J[name]]
    return 4.0 * np.linalg.norm(found[:, :2] / found[:, 2:] - true[:, :2] / true[:, 2:], axis=-1)


def test_a_kick_is_where_the_pictures_show_it(body):
    times, joints, marks = performance(kicked=1.5 * np.exp(-(((np.arange(FRAMES) / FPS - 1.0) / 0.1) ** 2)))
    speed = np.linalg.norm(np.diff(joints[:, J["left_ankle"]], axis=0), axis=-1).max() * FPS
    assert 10.0 < speed < 11.0  # m/s
    fit = BodyFitter(landmarks(marks, 0.03), camera(), times, body).fit_view()
    assert off_in_the_picture(body, fit, joints, "left_ankle").max() < 0.06  # m


def test_a_leg_of_somebody_near_by_is_not_kicked_after(body):
    """The landmarks of a standing leg fly off, smoothly, for a third of a second: with another person there, that is theirs."""
    times, joints, marks = performance()
    seen, flown = landmarks(marks, 0.03), performance(kicked=1.5 * np.exp(-(((np.arange(FRAMES) / FPS - 1.0) / 0.1) ** 2)))[2]
    leg = [i for i, name in enumerate(BLAZEPOSE_NAMES) if name in ("left_knee", "left_ankle", "left_heel", "left_foot_index")]
    seen.body[:, leg] = flown[:, leg, :2] / flown[:, leg, 2:] * 900 + [480, 270]
    fit = BodyFitter(seen, camera(), times, body, alone=np.abs(times - 1.0) > 0.6).fit_view()
    assert off_in_the_picture(body, fit, joints, "left_ankle").max() < 0.15  # m; the landmarks go a metre


def test_a_wrist_misplaced_in_a_single_frame_moves_nothing(body, truth):
    times, _, marks = truth
    seen = landmarks(marks, 0.03)
    calm = fitted_joints(body, BodyFitter(seen, camera(), times, body).fit_view())
    seen.body[30, BLAZEPOSE_NAMES.index("left_wrist")] += [90.0, 0.0]  # px, 40 cm
    shaken = fitted_joints(body, BodyFitter(seen, camera(), times, body).fit_view())
    assert np.linalg.norm(calm - shaken, axis=-1).max() < 0.03


def test_legs_that_no_frame_shows_hang_still_at_rest(body, truth):
    times, _, marks = truth
    seen = landmarks(marks, 0.05)
    seen.body_confidence[:, 25:] = 0.0
    found = BodyFitter(seen, camera(), times, body).fit_view()
    legs = [J[f"{side}_{name}"] for side in ("left", "right") for name in ("hip", "knee", "ankle", "foot")]
    turned = np.degrees(np.linalg.norm(roma.rotmat_to_rotvec(torch.as_tensor(found.rotations[:, legs])).numpy(), axis=-1))
    assert turned.max() < 8.0
    assert np.abs(np.diff(turned, axis=0)).max() < 1.0


def test_windows_join_without_a_step(body, truth, monkeypatch):
    times, _, marks = truth
    monkeypatch.setattr(body_fit, "WINDOW", 30)
    monkeypatch.setattr(body_fit, "OVERLAP", 8)
    fit = BodyFitter(landmarks(marks, noise=0.03), camera(), times, body).fit_view()
    jerk = np.linalg.norm(np.diff(fitted_joints(body, fit) + fit.trans[:, None], 3, axis=0), axis=-1).mean(1)
    assert jerk[19:29].max() < 3 * np.median(jerk) + 0.01


def test_without_optimisation_the_first_guess_still_points_the_limbs_right(body, truth):
    times, joints, marks = truth
    guess = BodyFitter(landmarks(marks, noise=0.0), camera(), times, body).first_guess()
    assert error(body, guess, joints) < 0.06


def test_the_pose_prior_prefers_what_people_do():
    prior = PosePrior.load()

    def posed(*changes):
        poses = np.zeros((1, 22, 3))
        poses[:, J["left_shoulder"], 2], poses[:, J["right_shoulder"], 2] = -1.2, 1.2
        for name, axis, angle in changes:
            poses[0, J[name], axis] = angle
        return torch.as_tensor(matrix_from_axis_angle(poses), dtype=torch.float32)

    near_standing = prior.choose(posed())
    standing = float(near_standing.distance(posed()))
    assert float(near_standing.distance(posed(("left_knee", 0, -1.2)))) > 1.5 * standing  # a knee bent forwards
    assert float(near_standing.distance(posed(("head", 1, 2.8)))) > 3 * standing  # a head turned backwards
    step = posed(("left_hip", 0, -0.5), ("left_knee", 0, 0.8))
    assert float(prior.choose(step).distance(step)) < 2 * standing


@pytest.mark.parametrize("beta", [-2.0, 0.0, 2.0])
def test_sole_points_lie_on_the_ground_that_the_body_of_any_shape_stands_on(body, beta):
    betas = torch.zeros(10)
    betas[0] = beta
    rest = body.rest_joints(betas)
    soles = sole_points(body, betas).positions(torch.eye(3).expand(1, 22, 3, 3), rest[None, :22])
    standing = body.vertices(np.zeros((1, 165), np.float32), np.zeros((1, 3), np.float32), betas.numpy())[0, :, 1].min()
    assert np.abs(soles[0, :, 1].numpy() - standing).max() < 0.003
