# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames that come in pieces -> a body with standing feet. Oracle: a walk made by hand, spoilt, and numpy's forward kinematics."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from synthetic_walk import walk

from smplit.loco import frames as numbers
from smplit.loco.feet import FORESEEN, Body, Feet, standing
from smplit.loco.plan import plan
from smplit.motion import BODY_JOINTS, joint_transforms

FPS = 30
SPEED = 1.0
ANKLES = [BODY_JOINTS.index(name) for name in ("left_ankle", "right_ankle")]


def tensor(values):
    return torch.tensor(np.asarray(values), dtype=torch.float32)


def line(seconds, **more):
    """A plan along -y, where `walk` goes, of constant speed."""
    length = SPEED * (round(seconds * FPS)) / FPS
    return plan([(0, 0), (0, -length)], speed=SPEED, **{"start": "walk", "stop": "walk"} | more)


def on_plan(body, way, noise=0.0, seconds=None):
    """The walk as frames (T,CHANNELS) on the plan `way`, whose pelvis is `noise` m wrong in every frame; and its planted feet (T,2)."""
    made = walk(body, seconds=seconds or len(way) / FPS, speed=SPEED, turn_rate=1e-4)
    count = len(way)
    rotations = Rotation.from_rotvec(made.motion.poses.reshape(-1, 3)).as_matrix().reshape(-1, 55, 3, 3)[:count, :22]
    pelvis = made.pelvis[:count]
    wrong = np.random.default_rng(0).normal(0, noise, (count, 3)) * [1, 1, 0.2]
    own = np.column_stack([np.zeros(count), -SPEED * np.arange(count) / FPS])
    contacts = np.repeat(made.planted[:count], 2, axis=1)
    shape = numbers.shape_of(body)
    frames = numbers.encode(*map(tensor, (rotations, pelvis + wrong, contacts, own, np.full(count, -np.pi / 2))), shape)
    return frames, made.planted[:count]


def in_pieces(feet, frames, size=10, least=1):
    """What `feet` gives while frames come `size` at a time; and the most frames it held."""
    parts, most = [], 0
    for first in range(0, len(frames), size):
        feet.add(frames[first : first + size])
        most = max(most, len(feet._frames))
        if feet.ready >= least:
            parts.append(feet.take())
    parts.append(feet.take(last=True))
    return parts, most


def joined(parts):
    return Body(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("rotations", "pelvis", "contacts")))


def joints(found, body):
    poses = np.zeros((len(found), 55, 3))
    poses[:, :22] = Rotation.from_matrix(found.rotations.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 22, 3)
    rest = body.rest_joints().cpu().numpy().astype(np.float64)
    return joint_transforms(poses, rest - rest[0])[1][:, :22] + found.pelvis[:, None]


def slide(ankles, planted):
    """m per frame of ankles (T,2,3) inside stances, level."""
    step = np.linalg.norm(np.diff(ankles[..., :2], axis=0), axis=-1)
    inside = planted[1:] & planted[:-1]
    inside[:5] = inside[-5:] = False
    return step[inside]


@pytest.mark.parametrize("size", [1, 10, 37, 1000])
def test_every_frame_of_the_plan_comes_once_and_in_order(body, size):
    way = line(3.0)
    frames, _ = on_plan(body, way)
    parts, _ = in_pieces(Feet(way, body), frames, size)
    found = joined(parts)
    assert len(found) == len(way) and all(len(part) for part in parts[:-1])
    assert np.abs(found.pelvis[:, 1] + SPEED * np.arange(len(way)) / FPS).max() < 0.02, "in the order of the way"


def test_a_walk_whose_feet_stand_is_left_as_it_is(body):
    way = line(3.0)
    frames, _ = on_plan(body, way)
    found = joined(in_pieces(Feet(way, body), frames)[0])
    rotations, pelvis, _ = numbers.decode(frames, tensor(way.place[:, :2]), tensor(way.facing))
    given = joints(Body(rotations.double().numpy(), pelvis.double().numpy(), found.contacts), body)
    assert np.abs(joints(found, body) - given).max() < 0.04


def test_feet_that_tremble_and_slide_stand_still(body):
    way = line(4.0)
    frames, planted = on_plan(body, way, noise=0.004)
    rotations, pelvis, _ = numbers.decode(frames, tensor(way.place[:, :2]), tensor(way.facing))
    given = joints(Body(rotations.double().numpy(), pelvis.double().numpy(), planted), body)[:, ANKLES]
    found = joints(joined(in_pieces(Feet(way, body), frames)[0]), body)[:, ANKLES]
    assert slide(given, planted).mean() > 0.004
    assert slide(found, planted).mean() < 0.0015 and slide(found, planted).max() < 0.01


def test_in_pieces_the_feet_stand_as_well_as_all_at_once(body):
    way = line(4.0)
    frames, planted = on_plan(body, way, noise=0.004)
    whole = joints(joined(in_pieces(Feet(way, body), frames, size=1000)[0]), body)
    pieces = joints(joined(in_pieces(Feet(way, body), frames, size=10)[0]), body)
    assert np.abs(whole - pieces).max() < 0.03
    assert slide(pieces[:, ANKLES], planted).mean() < 0.0015
    step = np.linalg.norm(np.diff(pieces, axis=0), axis=-1).max(1)
    assert step.max() < 1.25 * np.linalg.norm(np.diff(whole, axis=0), axis=-1).max(), "no jump where pieces meet"


def test_where_pieces_meet_there_is_no_jump_though_a_long_stance_is_foreseen_in_part(body):
    made = walk(body, seconds=4.0, fps=2 * FPS, speed=SPEED, turn_rate=1e-4)  # at half its speed a foot stands for over a second
    count = len(made.pelvis)
    way = plan([(0, 0), (0, -SPEED / 2 * count / FPS)], speed=SPEED / 2, start="walk", stop="walk")
    rotations = Rotation.from_rotvec(made.motion.poses.reshape(-1, 3)).as_matrix().reshape(-1, 55, 3, 3)[:, :22]
    slipping = made.pelvis * [1, 1.3, 1]  # feet slide ahead under it by a third of a step
    place = np.column_stack([np.zeros(count), -SPEED / 2 * np.arange(count) / FPS])
    contacts, shape = np.repeat(made.planted, 2, axis=1), numbers.shape_of(body)
    frames = numbers.encode(*map(tensor, (rotations, slipping, contacts, place, np.full(count, -np.pi / 2))), shape)[: len(way)]
    at = joints(joined(in_pieces(Feet(way, body), frames, size=10)[0]), body)
    whole = joints(joined(in_pieces(Feet(way, body), frames, size=1000)[0]), body)
    jolt = lambda places: np.linalg.norm(np.diff(places[:, ANKLES], n=2, axis=0), axis=-1).max()
    assert jolt(at) < 1.3 * jolt(whole)


def test_level_the_pelvis_is_where_plan_and_frames_say(body):
    way = line(3.0)
    frames, _ = on_plan(body, way, noise=0.004)
    found = joined(in_pieces(Feet(way, body), frames)[0])
    sway = (frames * numbers.UNITS)[:, numbers.SWAY].numpy()
    said = way.place[:, :2] + np.stack([sway[:, 1], -sway[:, 0]], 1)  # facing -y: ahead is -y, left is +x
    assert np.abs(found.pelvis[:, :2] - said).max() < 1e-4


def test_who_stops_stands_exactly_on_the_end(body):
    way = line(3.0, stop="stand")
    frames, _ = on_plan(body, way, seconds=len(way) / FPS + 1)
    frames[:, numbers.SWAY] += 1.0  # 5 cm beside the plan
    found = joined(in_pieces(Feet(way, body), frames)[0])
    assert np.abs(found.pelvis[-1, :2] - way.place[-1, :2]).max() < 1e-4
    assert np.abs(found.pelvis[10, :2] - way.place[10, :2]).max() > 0.03, "long before it only the frames count"
    assert np.linalg.norm(np.diff(found.pelvis[:, :2], axis=0), axis=1).max() < 0.05, "without a jump"


def test_memory_does_not_grow_with_the_walk(body):
    way = line(60.0)
    frames, _ = on_plan(body, line(6.0))
    frames = frames.repeat(11, 1)[: len(way)]
    _, most = in_pieces(Feet(way, body), frames, least=30)
    assert most <= 4 * FPS, "seconds, not minutes"


def test_frames_are_given_when_they_are_foreseen_far_enough(body):
    way = line(3.0)
    frames, _ = on_plan(body, way)
    feet = Feet(way, body)
    feet.add(frames[:FORESEEN])
    assert feet.ready == 0
    feet.add(frames[FORESEEN : FORESEEN + 7])
    assert feet.ready == 7 and len(feet.take()) == 7 and feet.ready == 0 and feet.known == FORESEEN + 7


def test_on_a_slope_body_and_feet_go_up_with_the_ground(body):
    steep = 0.15
    level = line(4.0)
    length = -level.place[-1, 1]
    way = plan([(0, 0, 0), (0, -length, steep * length)], speed=SPEED * np.hypot(1, steep), start="walk", stop="walk")
    count = min(len(way), len(level))
    frames, planted = on_plan(body, level)
    frames, planted = frames[:count], planted[:count]
    way = way.rows(np.arange(count))
    flat, found = (joined(in_pieces(Feet(w, body), frames)[0]) for w in (level.rows(np.arange(count)), way))
    flat, up = joints(flat, body), joints(found, body)
    rise = up[:, 0, 2] - flat[:, 0, 2] - way.place[:, 2]
    assert np.abs(rise).max() < 0.06, "the body as high over the ground as on the level"
    ankles = up[:, ANKLES]
    over = ankles[..., 2] - steep * -ankles[..., 1] - flat[:, ANKLES, 2]
    assert np.abs(over[planted]).max() < 0.04
    stance = np.abs(np.diff(ankles[..., 2], axis=0))[planted[1:] & planted[:-1]]
    assert stance.mean() < 0.002 < steep * SPEED / FPS, "a standing foot does not rise with the body"


def test_a_longer_body_sways_more_on_the_same_plan(body):
    way = line(3.0)
    frames, _ = on_plan(body, way)
    frames[:, numbers.SWAY] = torch.tensor([0.4, -0.6])  # 2 cm ahead, 3 cm to the right
    for size in (1.0, 1.2):
        found = joined(in_pieces(Feet(way, body, size), frames)[0])
        assert np.abs(found.pelvis[:, :2] - way.place[:, :2] - size * np.array([-0.03, -0.02])).max() < 1e-4


def test_a_sole_stands_where_it_is_said_to_slow_low_and_not_for_a_blink():
    count = 60
    said, soles = np.ones((count, 4)), np.zeros((count, 4, 3))
    said[:, 0] = 0.2  # not said to stand
    soles[:, 1, 0] = np.arange(count) * 1.0 / FPS  # 1 m/s
    soles[:, 2, 2] = 0.2  # in the air
    said[20:22, 3] = 0.0  # a pause of two frames is none
    assert np.array_equal(standing(said, soles, FPS), np.tile([0.0, 0, 0, 1], (count, 1)))
    said[:, 3] = 0
    said[30:33, 3] = 1  # a stance of three frames neither
    assert standing(said, soles, FPS)[:, 3].max() == 0
    said[30:40, 3] = 1
    assert np.array_equal(np.flatnonzero(standing(said, soles, FPS)[:, 3]), np.arange(29, 41)), "held a frame longer at both ends"
