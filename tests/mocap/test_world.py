# SPDX-License-Identifier: GPL-3.0-or-later
"""Up, contacts and planted feet, against a walking body whose truth is known by construction."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.body.model import BodyModel
from smplit.mocap.fit.body_fit import BodyFit, BodyFitter
from smplit.mocap.fit.points import BLAZEPOSE_NAMES
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.mocap.world import placement
from smplit.mocap.world.contacts import foot_contacts, rest_feet, still_in_picture
from smplit.mocap.world.foot_lock import lock_feet
from smplit.mocap.world.gravity import Balance, balance, estimate_up, footholds, world_rotation
from smplit.mocap.world.supplied import doubts
from smplit.motion import JOINT_NAMES, PARENTS, joint_transforms
from smplit.video.verticals import Verticals

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


def scene_says(up, as_edges):
    """Evidence that the scene stands along `up` (3,), sure to a degree: upright edges, or a ground's normal."""
    across = np.linalg.svd(up[None])[2][1:]
    return {"verticals": Verticals(up, across / np.radians(1))} if as_edges else {"ground": Balance(up, np.radians(1))}


@pytest.mark.parametrize("as_edges", [True, False])
@pytest.mark.parametrize("roll, pitch", [(0, 0), (6, -8)])
def test_a_body_that_leans_25_degrees_is_not_believed_where_the_scene_tells_up(body, as_edges, roll, pitch):
    _, _, joints = marching(body)
    tilt = Rotation.from_euler("zx", [roll, pitch], degrees=True).as_matrix()
    true_up = tilt @ [0, -1, 0]
    lean = Rotation.from_euler("x", 25, degrees=True).as_matrix() @ tilt @ np.diag([1.0, -1.0, -1.0])
    leaning = balance(joints @ lean.T, np.ones(FRAMES), 4.0)
    assert np.degrees(np.arccos(leaning.direction @ true_up)) > 20
    assert np.degrees(np.arccos(estimate_up([leaning]) @ true_up)) > 8
    up = estimate_up([leaning], **scene_says(true_up, as_edges))
    assert np.degrees(np.arccos(up @ true_up)) < 1.5


def test_edges_that_stand_far_from_two_balanced_people_do_not_tilt_the_world(body):
    _, _, joints = marching(body)
    upside = np.diag([1.0, -1.0, -1.0])
    people = [balance(joints @ upside, np.ones(FRAMES), 4.0)] * 2
    slanted = Rotation.from_euler("z", 14, degrees=True).as_matrix() @ [0, -1, 0]
    up = estimate_up(people, **scene_says(slanted, True))
    assert np.degrees(np.arccos(up @ [0, -1, 0])) < 4


def track_of(body, lean, legs=1.0, turns=None):
    """A marching person turned by `lean` (3,3) in the first camera's axes, who stands 4 m ahead of a level camera."""
    times, rotations, _ = marching(body)
    turns = np.tile(np.eye(3), (FRAMES, 1, 1)) if turns is None else turns
    parents = np.array([max(p, 0) for p in PARENTS[:22]])
    local = np.transpose(rotations[:, parents], (0, 1, 3, 2)) @ rotations
    local[:, 0] = turns @ lean @ np.diag([1.0, -1.0, -1.0]) @ rotations[:, 0]
    camera = CameraMotion(turns, "rotating", np.array([[800.0, 0, 480], [0, 800, 270], [0, 0, 1]]), "given", np.zeros(FRAMES))
    fit = BodyFit(local, turns @ [0.0, 0.0, 4.0], np.zeros(10, np.float32))
    return placement.PersonTrack(fit, 0, times, camera, np.full(FRAMES, legs))


LEVEL = np.array([0.0, -1.0, 0.0])
PAN = Rotation.from_euler("yx", np.linspace([0, 0], [40, 8], FRAMES), degrees=True).as_matrix()


@pytest.mark.parametrize("degrees", [-4, 0, 4])
def test_a_balanced_body_is_not_turned(body, degrees):
    lean = Rotation.from_euler("x", degrees, degrees=True).as_matrix()
    assert placement.balancing_turn(body, track_of(body, lean), LEVEL) is None  # less than 0.1 rad


@pytest.mark.parametrize("turns", [None, PAN], ids=["still camera", "turning camera"])
@pytest.mark.parametrize("axis, degrees", [("x", 20), ("x", -12), ("z", 15)])
def test_a_leaning_body_is_set_upright(body, axis, degrees, turns):
    lean = Rotation.from_euler(axis, degrees, degrees=True).as_matrix()
    turn = placement.balancing_turn(body, track_of(body, lean, turns=turns), LEVEL)
    assert np.degrees(Rotation.from_matrix(turn @ lean).magnitude()) < 3


def test_a_leaning_body_whose_legs_are_unseen_stays_as_it_is(body):
    lean = Rotation.from_euler("x", 25, degrees=True).as_matrix()
    assert placement.balancing_turn(body, track_of(body, lean, legs=0.1), LEVEL) is None


def standing_landmarks(body, turns):
    """A body at rest 4 m ahead, seen in the middle of the picture by a camera that turns a little; 3D in each camera's axes."""
    rest = body.rest_joints().numpy() @ np.diag([1.0, -1.0, -1.0])
    head = rest[J["head"]]
    places = {"nose": head + [0, 0, -0.12], "left_ear": head + [0.08, 0, 0], "right_ear": head + [-0.08, 0, 0]}
    for side in ("left", "right"):
        places[f"{side}_heel"] = rest[J[f"{side}_ankle"]] + [0, 0.05, 0.04]
        places[f"{side}_foot_index"] = rest[J[f"{side}_foot"]]
    points = np.array([places.get(name, rest[J[name]] if name in J else head) for name in BLAZEPOSE_NAMES])
    world = np.einsum("tij,pj->tpi", turns, points - rest[0])
    frames = len(turns)
    middle = np.tile([480.0, 270.0], (frames, 33, 1))
    return PersonLandmarks(
        1, 0, np.ones(frames, bool), np.tile([380.0, 70.0, 580.0, 470.0], (frames, 1)), middle + 200 * world[..., :2], np.ones((frames, 33)),
        world, np.zeros((frames, 2, 21, 2)), np.zeros((frames, 2)), np.zeros((frames, 2, 21, 3)), np.zeros((frames, 468, 3)), np.zeros(frames),
    )


@pytest.mark.parametrize("turns", [np.tile(np.eye(3), (FRAMES, 1, 1)), PAN], ids=["still camera", "turning camera"])
def test_turning_the_detected_3d_turns_the_body_in_the_first_cameras_axes(body, turns):
    camera = CameraMotion(turns, "rotating", np.array([[800.0, 0, 480], [0, 800, 270], [0, 0, 1]]), "given", np.zeros(FRAMES))
    fitter = BodyFitter(standing_landmarks(body, turns), camera, np.arange(FRAMES) / FPS, body)
    before = fitter.first_guess()
    turn = Rotation.from_euler("xz", [17, -6], degrees=True).as_matrix()
    fitter.turn_detected(turn)
    after = fitter.first_guess()
    in_first = lambda fit: np.transpose(turns, (0, 2, 1)) @ fit.rotations[:, 0]
    off = in_first(after) @ np.transpose(turn @ in_first(before), (0, 2, 1))
    assert np.degrees(Rotation.from_matrix(off).magnitude()).max() < 0.5
    assert np.abs(after.rotations[:, 1:] - before.rotations[:, 1:]).max() < 0.01  # the pose itself stays


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


@pytest.mark.parametrize("above, on_the_floor", [(0.08, True), (0.45, False)])
def test_knees_stay_straight_where_two_peoples_floors_differ(body, above, on_the_floor):
    """Somebody taken for too large seems to stand higher or lower than others; who stands on a box really does."""
    times, _, _ = marching(body)
    people = []
    for x, y, seconds in ((0.0, 0.3, FRAMES), (-1.0, 0.3 - above, FRAMES)):
        rotations = np.tile(np.eye(3), (seconds, 22, 1, 1))
        rotations[:, 0] = np.diag([1.0, -1.0, -1.0])
        fit = BodyFit(rotations, np.tile([x, y, 4.0], (seconds, 1)), np.zeros(10, np.float32))
        camera = CameraMotion(np.tile(np.eye(3), (seconds, 1, 1)), "static", np.diag([800.0, 800, 1]), "given", np.zeros(seconds))
        people.append(placement.PersonTrack(fit, 0, times, camera, np.ones(seconds)))
    people[0].legs = people[0].legs * 0.5  # the second one is seen better: the floor is hers
    placed = placement.place_people(body, people, np.array([0, -1.0, 0]))
    heights = []
    for place in placed:
        knees = Rotation.from_matrix(place.rotations[:, [J["left_knee"], J["right_knee"]]].reshape(-1, 3, 3)).magnitude()
        assert np.degrees(knees).max() < 2
        heights.append(place.root[:, 2].mean())
    assert abs(heights[1] - heights[0] - (0.0 if on_the_floor else above)) < 0.02


def test_a_supplied_cameras_world_is_kept_whatever_people_and_habits_say(body):
    """Its camera looks down by 50 degrees and to the world's -x: the heading stays the file's, the first person stands at x = y = 0."""
    to_world = Rotation.from_euler("z", 90, degrees=True).as_matrix() @ Rotation.from_euler("x", -140, degrees=True).as_matrix()
    person = track_of(body, np.eye(3), turns=PAN)
    person.camera = replace(person.camera, to_world=to_world).part(slice(None))
    up = placement.shot_up(body, [person], person.camera)
    np.testing.assert_allclose(up, to_world[2])
    (placed,) = placement.place_people(body, [person], up)
    np.testing.assert_allclose(placed.camera_R, PAN @ to_world.T, atol=1e-9)
    assert np.allclose(placed.root[0, :2], 0, atol=1e-6)


def test_a_supplied_world_that_lays_people_down_is_told_and_one_that_does_not_is_not(body):
    person = track_of(body, np.eye(3))
    upright = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # a level camera, z up
    told = lambda camera: doubts(body, [person], camera)
    assert told(replace(person.camera, to_world=upright)) == []
    y_up = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])[[0, 2, 1]] * [[1], [1], [-1]]
    (sentence,) = told(replace(person.camera, to_world=y_up))
    assert "lean by 9" in sentence or "lean by 8" in sentence  # about 90 degrees
    assert told(person.camera) == []
    (sentence,) = told(replace(person.camera, kind="travelling"))
    assert "unit" in sentence
    assert told(replace(person.camera, kind="travelling", centre=np.zeros((FRAMES, 3)))) == []


def test_a_foot_that_rests_in_the_picture_is_planted_whatever_its_depth_does():
    times = np.arange(60) / FPS
    seen = np.tile(np.array([[0.1, 1.5, 4.0], [0.1, 1.5, 3.8], [-0.1, 1.5, 4.0], [-0.1, 1.5, 3.8]]), (60, 1, 1))
    depth = 1.0 + 0.2 * np.clip(times - 0.5, 0, 1)  # slides away along its rays, as a bending person's estimate does
    soles = seen * depth[:, None, None]
    soles[40:, 2:] += np.array([0, -0.4, 0])  # then the right foot is lifted, and held still
    centre, up = np.zeros((1, 3)), np.array([0, -1.0, 0])
    planted = still_in_picture(soles, up, times, centre)
    assert planted[5:36].min() > 0.8
    assert planted[44:, 2:].max() < 0.2 and planted[44:, :2].min() > 0.8
    shift = rest_feet(soles, planted, times)
    moved = (soles + shift[:, None])[5:36, :2]
    assert np.ptp(moved, axis=0).max() < 0.05  # 0.4 m before
    assert np.linalg.norm(np.median(moved, axis=0) - seen[0, :2], axis=-1).max() < 0.1


def test_a_foot_that_swings_across_the_picture_is_not_at_rest():
    times = np.arange(60) / FPS
    soles = np.tile(np.array([[0.1, 1.5, 4.0]] * 4), (60, 1, 1))
    soles[:, :2, 0] += times[:, None]  # 1 m/s sideways
    planted = still_in_picture(soles, np.array([0, -1.0, 0]), times, np.zeros((1, 3)))
    assert planted[:, :2].max() < 0.1 and planted[:, 2:].min() > 0.8
