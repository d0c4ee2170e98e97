# SPDX-License-Identifier: GPL-3.0-or-later
"""Up, contacts and planted feet, against a walking body whose truth is known by construction."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.body.model import BodyModel
from smplit.mocap.fit.body_fit import BodyFit
from smplit.mocap.observations import CameraMotion
from smplit.mocap.world import placement
from smplit.mocap.world.contacts import foot_contacts
from smplit.mocap.world.foot_lock import lock_feet
from smplit.mocap.world.gravity import balance, estimate_up, footholds, world_rotation
from smplit.motion import JOINT_NAMES, PARENTS, joint_transforms

BODY = Path(__file__).resolve().parents[2] / "model_files" / "body" / "OPEN_NEUTRAL.npz"
FPS, FRAMES = 30.0, 120
J = {name: i for i, name in enumerate(JOINT_NAMES)}


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(BODY)


def marching(body, step_sign=1.0):
    """Local poses of marching on the spot, Y up: knees lift in turn, the other foot stands."""
    times = np.arange(FRAMES) / FPS
    lift = np.sin(2 * np.pi * times)
    poses = np.zeros((FRAMES, 55, 3))
    for side, phase in (("left", np.maximum(lift, 0)), ("right", np.maximum(-lift, 0))):
        poses[:, J[f"{side}_hip"], 0] = -0.7 * phase
        poses[:, J[f"{side}_knee"], 0] = 1.4 * phase
        poses[:, J[f"{side}_ankle"], 0] = -0.7 * phase
    poses[:, J["left_shoulder"], 2], poses[:, J["right_shoulder"], 2] = -1.2, 1.2
    rotations, joints = joint_transforms(poses, body.rest_joints().numpy())
    return times, rotations[:, :22], joints[:, :22]


@pytest.mark.parametrize("roll, pitch", [(0, 0), (15, 0), (-15, 0), (0, 12), (10, -10)])
def test_up_is_found_from_a_balanced_body_seen_by_a_tilted_camera(body, roll, pitch):
    _, _, joints = marching(body)
    tilt = Rotation.from_euler("zx", [roll, pitch], degrees=True).as_matrix()
    in_camera = joints @ (tilt @ np.diag([1.0, -1.0, -1.0])).T  # Y up -> OpenCV, then tilted
    true_up = tilt @ np.array([0.0, -1.0, 0.0])
    up = estimate_up([balance(in_camera, np.ones(FRAMES), FRAMES / FPS)])
    assert np.degrees(np.arccos(up @ true_up)) < 2.5


def test_footholds_of_a_walk_level_the_world_where_balance_alone_is_wrong(body):
    times, _, joints = marching(body)
    soles = joints[:, [J["left_foot"], J["right_foot"]]]
    soles[..., 1] -= soles[..., 1].min()
    lift = np.sin(2 * np.pi * times)
    contacts = np.stack([lift < 0, lift > 0], 1).astype(float)
    # The walk goes 1 m a second away from the camera, which looks 10 degrees down.
    path = np.where(contacts > 0.5, np.round(times)[:, None], times[:, None])
    tilt = Rotation.from_euler("x", 10, degrees=True).as_matrix() @ np.diag([1.0, -1.0, -1.0])
    walked = (soles + np.stack([0 * path, 0 * path, -path], -1)) @ tilt.T
    true_up = tilt @ np.array([0.0, 1.0, 0.0])
    leaning = Rotation.from_euler("x", 16, degrees=True).as_matrix() @ np.array([0.0, -1.0, 0.0])
    wrong = balance(joints @ tilt.T, np.ones(FRAMES), 4.0)
    wrong.direction = leaning
    places = footholds(walked, contacts, times)
    assert len(places) >= 6
    alone, together = estimate_up([wrong]), estimate_up([wrong], [places])
    assert np.degrees(np.arccos(alone @ true_up)) > 4
    assert np.degrees(np.arccos(together @ true_up)) < 2


def test_a_foothold_on_a_step_does_not_tilt_the_world():
    places = np.array([[0.0, 1.0, z] for z in np.linspace(3, 6, 8)])
    places[3, 1] -= 0.4
    up = estimate_up([], [places])
    assert np.degrees(np.arccos(up @ [0, -1, 0])) < 1.5


def test_the_world_frame_is_right_handed_with_up_on_z():
    up = np.array([0.2, -0.9, 0.3])
    up /= np.linalg.norm(up)
    rotation = world_rotation(up)
    assert np.allclose(rotation @ rotation.T, np.eye(3)) and np.linalg.det(rotation) == pytest.approx(1)
    assert np.allclose(rotation @ up, [0, 0, 1])
    assert (rotation @ [0, 0, 1])[1] > 0  # the view's depth points along +Y


def test_the_standing_foot_is_in_contact_and_the_lifted_one_is_not(body):
    times, _, joints = marching(body)
    world = np.stack([joints[..., 0], -joints[..., 2], joints[..., 1]], -1)
    feet = world[:, [J["left_ankle"], J["left_foot"], J["right_ankle"], J["right_foot"]]]
    contacts = foot_contacts(feet, np.array([0, 0, 1.0]), times, translating=False)
    left_up = np.sin(2 * np.pi * times) > 0.5
    assert contacts[left_up, :2].max() < 0.3 and contacts[left_up, 2:].mean() > 0.8
    right_up = np.sin(2 * np.pi * times) < -0.5
    assert contacts[right_up, 2:].max() < 0.3 and contacts[right_up, :2].mean() > 0.8


def test_locked_feet_stand_still_and_bones_keep_their_length(body):
    times, rotations, joints = marching(body)
    up_z = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
    rotations, joints = up_z @ rotations, joints @ up_z.T
    joints[..., 2] -= joints[:, [J["left_foot"], J["right_foot"]], 2].min()
    wobble = 0.02 * np.stack([np.sin(9 * times), np.cos(7 * times), 0 * times], -1)
    joints = joints + wobble[:, None]  # the whole body slides about, as a bad depth estimate makes it
    points = joints[:, [J["left_ankle"], J["left_foot"], J["right_ankle"], J["right_foot"]]].copy()
    contacts = np.zeros((FRAMES, 4))
    lift = np.sin(2 * np.pi * times)
    contacts[lift < 0.02, :2], contacts[lift > -0.02, 2:] = 1, 1
    heights = points[..., 2].copy()
    points[..., 2] -= np.median(heights, axis=0)
    locked, root = lock_feet(rotations, joints, points, contacts, times)
    rest = body.rest_joints().numpy()
    parents = np.array([max(p, 0) for p in PARENTS[:22]])
    positions = np.empty_like(joints)
    positions[:, 0] = joints[:, 0] + root
    for joint in range(1, 22):
        offset = rest[joint] - rest[parents[joint]]
        positions[:, joint] = positions[:, parents[joint]] + locked[:, parents[joint]] @ offset
    for side, flags in (("left", contacts[:, 0]), ("right", contacts[:, 2])):
        planted = (flags[1:] > 0.5) & (flags[:-1] > 0.5)
        before = np.linalg.norm(np.diff(joints[:, J[f"{side}_ankle"]], axis=0), axis=-1)[planted].mean()
        after = np.linalg.norm(np.diff(positions[:, J[f"{side}_ankle"]], axis=0), axis=-1)[planted].mean()
        assert after < 0.2 * before
    third = np.linalg.norm(np.diff(positions, 3, axis=0), axis=-1).max()
    assert third < 1.5 * np.linalg.norm(np.diff(joints, 3, axis=0), axis=-1).max() + 0.01  # no popping


def test_two_people_keep_their_distance_and_the_first_stands_at_the_origin(body):
    times, _, _ = marching(body)
    upside = np.diag([1.0, -1.0, -1.0])
    people = []
    for x, depth in ((0.5, 4.0), (-1.0, 6.0)):
        rotations = np.tile(np.eye(3), (FRAMES, 22, 1, 1))
        rotations[:, 0] = upside
        fit = BodyFit(rotations, np.tile([x, 0.3, depth], (FRAMES, 1)), np.zeros(10, np.float32))
        camera = CameraMotion(np.tile(np.eye(3), (FRAMES, 1, 1)), "static", np.diag([800.0, 800, 1]), "given", np.zeros(FRAMES))
        people.append(placement.PersonTrack(fit, 0, times, camera, np.ones(FRAMES)))
    placed = placement.place_people(body, people, np.array([0, -1.0, 0]))
    assert np.allclose(placed[0].root[0, :2], 0, atol=1e-6)
    assert np.allclose(placed[1].root[0] - placed[0].root[0], [-1.5, 2.0, 0.0], atol=0.02)
    rest = body.rest_joints()[0].numpy()
    for person, place in zip(people, placed, strict=True):  # the written camera sees the root where the fit did
        seen = np.einsum("tij,tj->ti", place.camera_R, place.root) + place.camera_t
        assert np.abs(seen - (person.fit.trans + rest)).max() < 0.02
