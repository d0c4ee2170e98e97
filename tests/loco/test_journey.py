# SPDX-License-Identifier: GPL-3.0-or-later
"""Walks with rests. The network has learnt nothing: what holds here holds by construction. Oracle: the plan, and forward kinematics."""

import numpy as np
import pytest
import torch

from smplit.loco import frames as numbers
from smplit.loco.generate import Generator
from smplit.loco.idle import load_idle
from smplit.loco.journey import Walker, journey, rests
from smplit.loco.paths import named_path
from smplit.loco.plan import plan, stand
from smplit.loco.set_off import first_steps
from smplit.loco.weights import load_weights
from smplit.models import find
from smplit.motion import BODY_JOINTS, joint_transforms

FPS = 30
ANKLES = [BODY_JOINTS.index(name) for name in ("left_ankle", "right_ankle")]


@pytest.fixture(scope="module")
def generator(weights_file, body):
    return Generator(load_weights(weights_file), body, load_idle(find("idle")))


def line(length=4.0, **more):
    return plan([(0, 0), (length, 0)], speed=1.0, **more)


def joints(motion, body):
    return joint_transforms(motion.poses, body.rest_joints().cpu().numpy())[1][:, :22] + motion.trans[:, None]


def test_rests_are_where_the_plan_stands():
    way = line(lead_in=2.0, lead_out=1.0)
    (first, begun), (ended, last) = rests(way)
    assert (first, last) == (0, len(way)) and 2 * FPS <= begun <= 2 * FPS + 6 and FPS <= last - ended <= FPS + 6
    assert np.ptp(way.place[first:begun], axis=0).max() < 2e-3 and np.ptp(way.place[ended:last], axis=0).max() < 2e-3
    assert len(rests(line())) == 2, "a walk from standing to standing begins and ends with a rest, however short"
    assert rests(line(start="walk", stop="walk")) == []
    assert rests(line(start="walk", lead_out=1.0))[0][1] == len(line(start="walk", lead_out=1.0))
    assert rests(plan(named_path("circle", 6.0)[0], speed=1.0, closed=True)) == []


def test_a_way_of_no_length_is_all_rest():
    for way in (stand((0, 0), 3.0), line(0.2), line(0.3, lead_in=1.0, lead_out=1.0)):
        assert rests(way) == [(0, len(way))]


def test_a_halt_of_a_moment_under_way_is_left_to_the_network():
    way = plan([(0, 0), (3, 0), (0, 0.01)], speed=1.0)
    assert len(rests(way)) == 2


@pytest.mark.parametrize("lead", [0.0, 0.5, 3.0])
def test_every_frame_of_the_plan_is_made_once(generator, weights_file, body, lead):
    way = line(lead_in=lead, lead_out=lead)
    walker = Walker(load_weights(weights_file), body, 1.0, None)
    made = list(journey(walker, way, generator.shares("happy", way.arc), 1))
    assert sum(map(len, made)) == len(way) and torch.cat(made).shape[1] == numbers.CHANNELS and all(len(part) for part in made)


def test_who_stands_before_and_after_a_walk_stands_on_feet_that_do_not_move(generator, body):
    way = line(lead_in=2.0, lead_out=3.0)
    motion = generator(way, "happy", 1)
    at = joints(motion, body)
    (_, begun), (ended, _) = rests(way)
    for rest in (slice(0, begun), slice(ended, len(way))):
        feet = at[rest, ANKLES]
        assert np.abs(feet - feet[0]).max() < 8e-3
        assert np.abs(feet[..., 2] - 0.0776).max() < 0.01, "flat on the floor"
        assert np.ptp(at[rest, 15], axis=0).max() > 2e-3, "alive"
    assert np.abs(at[-1, 0, :2] - way.place[-1, :2]).max() < 1e-4


def test_from_standing_to_walking_and_back_nothing_jumps(generator, body):
    way = line(lead_in=1.0, lead_out=1.0)
    at = joints(generator(way, "happy", 1), body)
    free = joints(generator(line(start="walk", stop="walk"), "happy", 1), body)
    jolt = lambda places: np.linalg.norm(np.diff(places, 2, axis=0), axis=-1).max()
    assert jolt(at) < 2 * jolt(free)


def test_a_walk_with_rests_repeats_with_its_seed_and_differs_with_another(generator):
    way = line(lead_in=1.0, lead_out=1.0)
    first, again, other = (generator(way, "happy", seed) for seed in (3, 3, 4))
    assert np.array_equal(first.poses, again.poses) and np.array_equal(first.trans, again.trans)
    assert np.abs(first.poses[:20] - other.poses[:20]).max() > 1e-3 < np.abs(first.poses[60:90] - other.poses[60:90]).max()


def test_the_beginning_does_not_wait_for_the_end(generator):
    """Memory and the first frames do not depend on how long somebody stands or walks."""
    way = line(50.0, lead_in=8.0)
    chunks = generator.chunks(way, "happy", 0)
    early = np.concatenate([next(chunks).pelvis for _ in range(4)])
    short = np.concatenate([part.pelvis for part in generator.chunks(line(5.0, lead_in=8.0), "happy", 0)])[: len(early)]
    assert np.allclose(early, short, atol=1e-6)


def test_a_larger_body_stands_on_its_feet_too(weights_file, body):
    weights = load_weights(weights_file)
    weights.leg /= 1.3
    way = line(lead_in=1.0, lead_out=1.0)
    at = joints(Generator(weights, body)(way, "happy", 1), body)
    assert np.abs(at[:20, ANKLES] - at[0, ANKLES]).max() < 4e-3 and np.abs(at[:20, ANKLES, 2] - 0.0776).max() < 0.01


# First steps


def swings(count, *airborne):
    """(count,2) bool: where each foot stands; `airborne` (foot, first, last)."""
    stands = np.ones((count, 2), bool)
    for foot, first, last in airborne:
        stands[first:last, foot] = False
    return stands


def test_first_steps_are_the_walkers_own_where_it_makes_some():
    stands = swings(50, (0, 5, 17), (1, 20, 32), (0, 35, 47))
    assert first_steps(stands, [50, 50]) == [(5, 17), (20, 32)]


def test_a_foot_that_would_be_left_behind_steps_sooner():
    stands = swings(50, (0, 5, 17), (1, 40, 49))
    (_, landed), (lifted, again) = first_steps(stands, [50, 20])
    assert landed <= lifted <= 22 and 7 <= again - lifted <= 16


def test_one_foot_is_always_on_the_floor():
    for seed in range(40):
        random = np.random.default_rng(seed)
        stands = np.repeat(random.random((10, 2)) > 0.5, 5, axis=0)
        far = random.integers(10, 51, 2).tolist()
        (lift, land), (other_lift, other_land) = first_steps(stands, far)
        assert land <= other_lift or other_land <= lift
        assert 0 <= lift < land <= 50 and 0 <= other_lift < other_land <= 50
