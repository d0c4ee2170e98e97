# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody signs before the chest, posed by the smplx package; body and fingers are known a little wrongly before they are refined."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import smplx
import torch
from scipy.spatial.transform import Rotation

from smplit.axes import axis_angle_from_matrix, matrix_from_axis_angle
from smplit.body.kinematics import joint_transforms
from smplit.body.model import SURFACE_POINTS, BodyModel
from smplit.mocap.fit import hand_refine
from smplit.mocap.fit.arm_chain import ArmChain, arms_of
from smplit.mocap.fit.body_fit import BodyFit
from smplit.mocap.fit.hand_contact import Trunk, _sunk, overlap
from smplit.mocap.fit.hand_refine import RefineSigmas, refine_hands
from smplit.mocap.hands.landmark_fit import HandFit
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.motion import JOINT_NAMES

BODY = Path(__file__).resolve().parents[3] / "model_files" / "body" / "OPEN_NEUTRAL.npz"
FRAMES, FPS, FOCAL, DISTANCE = 45, 30.0, 900.0, 1.8
K = np.array([[FOCAL, 0, 480], [0, FOCAL, 360], [0, 0, 1]])
J = {name: i for i, name in enumerate(JOINT_NAMES)}
ARM = [J[f"{side}_{name}"] for name in ("collar", "shoulder", "elbow", "wrist") for side in ("left", "right")]
_FINGERS = ("index", "middle", "pinky", "ring", "thumb")  # SMPL-X


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(BODY)


class Signer:
    """`poses` (T,55,3) rad, `trans` (T,3) m and, from the smplx package, `joints` (T,55,3) and `hands` (T,2,21,3) m, camera axes."""

    def __init__(self):
        self.times = np.arange(FRAMES) / FPS
        swing = np.sin(2 * np.pi * 0.8 * self.times)
        self.poses = np.zeros((FRAMES, 55, 3))
        self.poses[:, 0] = [np.pi, 0, 0]
        for side, sign in (("left", 1.0), ("right", -1.0)):
            self.poses[:, J[f"{side}_shoulder"], 2] = -sign * 1.15
            self.poses[:, J[f"{side}_shoulder"], 1] = -sign * (0.35 + 0.1 * swing)
            self.poses[:, J[f"{side}_elbow"], 1] = -sign * (1.7 + 0.2 * swing)
            self.poses[:, J[f"{side}_wrist"], 2] = sign * 0.3 * swing
        for first, sign in ((25, -1.0), (40, 1.0)):
            self.poses[:, first : first + 12, 2] = sign * (0.3 + 0.2 * swing[:, None])
        self.trans = np.tile([0.0, 0.0, DISTANCE], (FRAMES, 1))
        self.joints, self.hands = self.placed(self.poses)

    def placed(self, poses):
        model = smplx.SMPLX(BODY, use_pca=False, flat_hand_mean=True, batch_size=FRAMES, num_betas=10, num_expression_coeffs=10)
        flat = torch.as_tensor(poses.reshape(FRAMES, -1), dtype=torch.float32)
        with torch.no_grad():
            out = model(global_orient=flat[:, :3], body_pose=flat[:, 3:66], left_hand_pose=flat[:, 75:120], right_hand_pose=flat[:, 120:],
                        transl=torch.as_tensor(self.trans, dtype=torch.float32))
        joints, vertices = out.joints.numpy().astype(np.float64), out.vertices.numpy().astype(np.float64)
        points = np.zeros((FRAMES, 2, 21, 3))
        for side, name in enumerate(("left", "right")):
            points[:, side, 0] = joints[:, 20 + side]
            for row, finger in enumerate(("thumb", "index", "middle", "ring", "pinky")):
                first = 25 + 15 * side + 3 * _FINGERS.index(finger)
                points[:, side, 1 + 4 * row : 4 + 4 * row] = joints[:, first : first + 3]
                points[:, side, 4 + 4 * row] = vertices[:, SURFACE_POINTS[f"{name}_{finger}"][0]]
        return joints[:, :55], points

    def pixels(self, points, noise=0.0, seed=0):
        flat = points[..., :2] / points[..., 2:] * FOCAL + K[:2, 2]
        return flat + np.random.default_rng(seed).normal(0, noise, flat.shape)

    def seen(self, noise=1.0):
        marks = np.zeros((FRAMES, 33, 2))
        marks[:, [11, 12, 13, 14, 15, 16, 23, 24]] = self.pixels(self.joints[:, [16, 17, 18, 19, 20, 21, 1, 2]], noise, 1)
        for side, slots in enumerate(([15, 17, 19], [16, 18, 20])):
            marks[:, slots] = self.pixels(self.hands[:, side][:, [0, 17, 5]], noise, 2 + side)
        trust = (marks != 0).any(-1).astype(np.float32)
        return PersonLandmarks(
            1, 0, np.ones(FRAMES, bool), np.tile([100.0, 50, 800, 700], (FRAMES, 1)), marks, trust, np.zeros((FRAMES, 33, 3)),
            self.pixels(self.hands, noise), np.ones((FRAMES, 2)), np.zeros((FRAMES, 2, 21, 3)), np.zeros((FRAMES, 468, 3)), np.zeros(FRAMES),
        )

    def known(self, off=0.2, seed=3):
        """The truth, every joint of arms and fingers turned by an error of about `off` rad that changes slowly."""
        random = np.random.default_rng(seed)
        poses = self.poses.copy()
        for joint in [*ARM[2:], *range(25, 55)]:
            size = off if joint < 25 else 0.7 * off
            error = random.normal(0, size / np.sqrt(3), 3) + random.normal(0, 0.2 * size, 3) * np.sin(3 * self.times)[:, None]
            if joint >= 25:
                error = error * [0.1, 0.1, 1.0]  # fingers are hinges
            poses[:, joint] = (Rotation.from_rotvec(poses[:, joint]) * Rotation.from_rotvec(error)).as_rotvec()
        return self.as_fits(poses)

    def as_fits(self, poses):
        rotations = matrix_from_axis_angle(poses).astype(np.float32)
        body = BodyModel.load(BODY)
        turns, _ = joint_transforms(torch.as_tensor(rotations[:, :22]), body.rest_joints()[:22])
        fit = BodyFit(rotations[:, :22], self.trans.astype(np.float32), np.zeros(10, np.float32), np.ones((FRAMES, 22), np.float32))
        hands = HandFit(
            poses[:, 25:].reshape(FRAMES, 2, 15, 3).astype(np.float32), turns[:, 20:22].numpy(), np.ones((FRAMES, 2), np.float32)
        )
        return fit, hands

    def points_of(self, fit, hands):
        poses = np.zeros((FRAMES, 55, 3))
        poses[:, :22] = axis_angle_from_matrix(fit.rotations.astype(np.float64))
        poses[:, 25:] = hands.poses.reshape(FRAMES, 30, 3)
        return self.placed(poses)


@pytest.fixture(scope="module")
def signer():
    return Signer()


def camera():
    return CameraMotion(np.tile(np.eye(3), (FRAMES, 1, 1)), "static", K, "given", np.zeros(FRAMES))


def distance(one, other):
    return np.linalg.norm(one - other, axis=-1)


@pytest.fixture(scope="module")
def refined(body, signer):
    known = signer.known()
    return known, refine_hands(signer.seen(), camera(), signer.times, body, *known)


def test_hands_come_onto_their_landmarks_and_nearer_to_the_truth_in_depth_too(signer, refined):
    (before, after), truth = refined, signer.hands
    (_, hands0), (joints1, hands1) = signer.points_of(*before), signer.points_of(*after)
    pixels0, pixels1 = (distance(signer.pixels(points), signer.pixels(truth)) for points in (hands0, hands1))
    assert np.median(pixels0) > 15.0 and np.median(pixels1) < 4.0
    assert distance(hands1, truth).mean() < 0.7 * distance(hands0, truth).mean()
    elbows = [J["left_elbow"], J["right_elbow"]]
    assert distance(joints1[:, elbows], signer.joints[:, elbows]).mean() < 0.03


def test_only_arms_and_fingers_move_and_wrists_say_where_they_point(body, refined):
    (fit0, _), (fit1, hands1) = refined
    others = [joint for joint in range(22) if joint not in ARM]
    np.testing.assert_array_equal(fit0.rotations[:, others], fit1.rotations[:, others])
    np.testing.assert_array_equal(fit0.trans, fit1.trans)
    turns, _ = joint_transforms(torch.as_tensor(fit1.rotations), body.rest_joints()[:22])
    np.testing.assert_allclose(hands1.wrist_rotations, turns[:, 20:22].numpy(), atol=1e-5)


def test_nothing_trembles_more_than_before(signer, refined):
    def jerk(points):
        return np.linalg.norm(np.diff(points, n=3, axis=0), axis=-1).mean()

    (_, hands0), (_, hands1) = (signer.points_of(*fits) for fits in refined)
    assert jerk(hands1) < 1.3 * jerk(hands0)


def test_hands_that_nobody_sees_stay_as_they_are(body, signer):
    known, seen = signer.known(), signer.seen()
    seen.hand_confidence[:] = 0.05
    fit, hands = refine_hands(seen, camera(), signer.times, body, *known)
    assert fit is known[0] and hands is known[1]


def test_hands_of_a_few_pixels_are_left_alone(body, signer):
    known, seen = signer.known(), signer.seen()
    seen.hands = seen.hands.mean(2, keepdims=True) + (seen.hands - seen.hands.mean(2, keepdims=True)) * 0.15
    assert refine_hands(seen, camera(), signer.times, body, *known)[0] is known[0]


def test_garbage_in_frames_without_trust_is_never_read(body, signer):
    known, clean, dirty = signer.known(), signer.seen(), signer.seen()
    for seen in (clean, dirty):
        seen.hand_confidence[10:20, 1] = 0.0
    dirty.hands[10:20, 1] = np.nan
    one, other = (refine_hands(seen, camera(), signer.times, body, *known)[1].poses for seen in (clean, dirty))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_pieces_of_a_long_clip_join_without_a_step(body, signer, monkeypatch):
    known = signer.known()
    whole = refine_hands(signer.seen(), camera(), signer.times, body, *known)
    monkeypatch.setattr(hand_refine, "_CHUNK", 25)
    monkeypatch.setattr(hand_refine, "_OVERLAP", 8)
    pieces = refine_hands(signer.seen(), camera(), signer.times, body, *known)
    step = lambda fits: distance(*(signer.points_of(*fits)[1][rows] for rows in (slice(1, None), slice(None, -1)))).max()
    assert step(pieces) < 1.5 * step(whole)
    assert distance(signer.points_of(*pieces)[1], signer.points_of(*whole)[1]).mean() < 0.01


@pytest.mark.parametrize("frames", [1, 2])
def test_pictures_too_few_to_be_smooth_are_refined_all_the_same(body, signer, frames):
    rows = slice(frames)
    fit, hands = signer.known()
    fit = replace(fit, rotations=fit.rotations[rows], trans=fit.trans[rows], confidence=fit.confidence[rows])
    hands = HandFit(hands.poses[rows], hands.wrist_rotations[rows], hands.confidence[rows])
    found, fingers = refine_hands(signer.seen().part(rows), camera().part(rows), signer.times[rows], body, fit, hands)
    assert np.isfinite(found.rotations).all() and np.isfinite(fingers.poses).all() and (found.rotations != fit.rotations).any()


def test_the_chain_of_arm_and_fingers_is_the_bodys(body, signer):
    rotations = torch.as_tensor(matrix_from_axis_angle(signer.poses), dtype=torch.float32)
    turns, joints = joint_transforms(rotations, body.rest_joints())
    joints = joints + torch.as_tensor(signer.trans, dtype=torch.float32)[:, None]
    chain = ArmChain.of(body, torch.zeros(10))
    arms, points, wrists = chain.pose(turns[:, 9], joints[:, 9], arms_of(rotations[:, :22]), rotations[:, 25:].view(FRAMES, 2, 5, 3, 3, 3))
    assert distance(points.numpy(), signer.hands).max() < 0.006  # tips are points of a skin that bends
    assert distance(points[:, :, :4].numpy(), signer.hands[:, :, :4]).max() < 1e-4
    assert distance(arms.numpy()[:, 1, 2], signer.joints[:, J["right_elbow"]]).max() < 1e-4
    torch.testing.assert_close(wrists, turns[:, 20:22], rtol=0, atol=1e-5)


def test_capsules_sink_as_deep_as_their_nearest_places_say():
    random = torch.Generator().manual_seed(0)
    ends = torch.randn(40, 2, 2, 3, generator=random)
    along = torch.linspace(0, 1, 201)[:, None]
    places = [one[:, None, 0] + along * (one[:, None, 1] - one[:, None, 0]) for one in (ends[:, 0], ends[:, 1])]  # (40,201,3)
    nearest = torch.cdist(*places).flatten(1).min(1).values
    found = _sunk(ends[:, 0], ends[:, 1], torch.full((40,), 1.5))
    torch.testing.assert_close(found, torch.relu(1.5 - nearest) ** 2, rtol=0, atol=0.02)


def test_a_forearm_inside_the_chest_comes_out_of_it(body, signer):
    """The landmarks agree with any depth of the arms: only their place inside the body says that they are too deep."""
    poses = signer.poses.copy()
    for side, sign in (("left", 1.0), ("right", -1.0)):
        poses[:, J[f"{side}_shoulder"], 1] -= sign * 0.3
        poses[:, J[f"{side}_elbow"], 1] -= sign * 0.8
    deep = Signer()
    deep.poses, (deep.joints, deep.hands) = poses, signer.placed(poses)
    fits = deep.as_fits(poses)

    def depth(points):
        joints, hands = points
        turns, rest = joint_transforms(torch.as_tensor(fits[0].rotations), body.rest_joints()[:22])
        trunk = Trunk.of(body, body.rest_joints()).places(turns, rest + torch.as_tensor(deep.trans, dtype=torch.float32)[:, None])
        arms = np.stack([joints[:, [13 + side, 16 + side, 18 + side, 20 + side]] for side in (0, 1)], 1)
        return float(overlap(trunk, torch.as_tensor(arms).float(), torch.as_tensor(hands).float()).mean())

    before = depth(deep.placed(poses))
    after, without = (
        depth(deep.points_of(*refine_hands(deep.seen(), camera(), deep.times, body, *fits, sigmas=sigmas)))
        for sigmas in (RefineSigmas(), RefineSigmas(overlap=1e3))
    )
    assert before > 0.03**2
    assert after < 0.5 * min(before, without)
