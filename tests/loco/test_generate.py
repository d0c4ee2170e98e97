# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole walks along plans. The network has learnt nothing: what holds here holds by construction. Oracle: the plan itself."""

import itertools

import numpy as np
import pytest
import torch

from smplit.errors import BadInput
from smplit.loco import frames as numbers
from smplit.loco.generate import Generator
from smplit.loco.lap import lap
from smplit.loco.paths import named_path
from smplit.loco.plan import plan
from smplit.loco.rollout import rollout
from smplit.loco.weights import load_weights
from smplit.loco.windows import APPLIED
from smplit.motion import joint_transforms

FPS = 30


@pytest.fixture(scope="module")
def weights(weights_file):
    return load_weights(weights_file)


@pytest.fixture(scope="module")
def generator(weights, body):
    return Generator(weights, body)


@pytest.fixture(scope="module")
def bend():
    """4 m round a corner, from standing to standing."""
    return plan([(0, 0), (2, 0), (2, 2)], speed=1.0)


@pytest.fixture(scope="module")
def circle():
    return plan(named_path("circle", 4.0)[0], speed=1.0, closed=True)


def pelvis_of(motion, body):
    return motion.trans + body.rest_joints()[0].cpu().numpy()


def joints(motion, body):
    return joint_transforms(motion.poses, body.rest_joints().cpu().numpy())[1][:, :22] + motion.trans[:, None]


def shares(weights, way, style=0):
    out = torch.zeros(len(way), len(weights.styles))
    out[:, style] = 1
    return out


@pytest.mark.parametrize("seconds", [0.1, 0.2, 1.0, 2.03, 5.0])
def test_a_walk_has_exactly_as_many_frames_as_its_plan(generator, weights, seconds):
    way = plan([(0, 0), (20, 0)], speed=1.0, seconds=seconds)
    pieces = list(rollout(weights, way, shares(weights, way)))
    assert sum(map(len, pieces)) == len(way) and all(len(piece) == APPLIED for piece in pieces[:-1])
    assert len(generator(way, "happy")) == len(way) == round(seconds * FPS)


@pytest.mark.parametrize("closed", [False, True])
def test_the_same_seed_walks_the_same_and_another_another(generator, bend, circle, closed):
    way = circle if closed else bend
    first, again, other = (generator(way, "happy", seed) for seed in (3, 3, 4))
    assert np.array_equal(first.poses, again.poses) and np.array_equal(first.trans, again.trans)
    assert np.abs(first.poses - other.poses).max() > 1e-3


def test_the_callers_own_random_numbers_are_left_alone_and_not_used(generator, bend):
    torch.manual_seed(1)
    np.random.seed(1)
    first = generator(bend, "happy", 7)
    state = torch.get_rng_state()
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert np.array_equal(generator(bend, "happy", 7).poses, first.poses)


def test_the_mean_movement_depends_on_the_start_alone(weights, bend):
    past = weights.seeds.past[0]
    made = [torch.cat(list(rollout(weights, bend, shares(weights, bend), seed, steps=1, past=past))) for seed in (0, 1)]
    assert torch.equal(*made)
    drawn = [torch.cat(list(rollout(weights, bend, shares(weights, bend), seed, steps=4, past=past))) for seed in (0, 1)]
    assert not torch.allclose(*drawn, atol=0.05)


def test_the_style_makes_a_difference_and_changes_along_the_way(generator, bend):
    happy, sad, both = (generator(bend, style, 0) for style in ("happy", "sad", "happy@0.4,sad@0.6"))
    assert np.abs(happy.poses - sad.poses).max() > 0.01
    early = len(bend) // 4
    assert np.allclose(both.poses[:early], happy.poses[:early], atol=1e-6)
    assert not np.allclose(both.poses[-early:], happy.poses[-early:], atol=1e-3)


def test_an_unknown_style_is_refused_before_anything_is_made(generator, bend):
    with pytest.raises(BadInput, match="no style 'hapy'") as error:
        next(generator.chunks(bend, "hapy"))
    assert "happy" in error.value.remedy


def test_the_pelvis_is_on_the_plan_plus_the_sway_of_its_frames(generator, weights, body):
    way = plan(named_path("random", 6.0, seed=2)[0], speed=1.0, start="walk", stop="walk")
    sway = (torch.cat(list(rollout(weights, way, shares(weights, way), 5))) * numbers.UNITS)[:, numbers.SWAY].numpy()
    cos, sin = np.cos(way.facing), np.sin(way.facing)
    said = way.place[:, :2] + np.stack([cos * sway[:, 0] - sin * sway[:, 1], sin * sway[:, 0] + cos * sway[:, 1]], 1)
    assert np.abs(pelvis_of(generator(way, "happy", 5), body)[:, :2] - said).max() < 1e-3


@pytest.mark.parametrize("facing", ["path", "opposite", "inward", "fixed"])
def test_who_arrives_stands_exactly_on_the_end_of_the_path(generator, body, facing):
    for points in ([(0, 0), (2, 0), (2, 2)], [(0, 0, 0), (3, 1, 0.4)]):
        way = plan(points, speed=1.0, facing=facing)
        pelvis = pelvis_of(generator(way, "happy", 1), body)
        assert np.abs(pelvis[-1, :2] - points[-1][:2]).max() < 1e-4


def test_chunks_put_together_are_the_walk(generator, bend):
    whole = generator(bend, "happy", 2)
    parts = list(generator.chunks(bend, "happy", 2))
    assert len(parts) > 2
    pieces = [generator.motion(part, bend.fps) for part in parts]
    assert np.array_equal(np.concatenate([piece.poses for piece in pieces]), whole.poses)
    assert np.array_equal(np.concatenate([piece.trans for piece in pieces]), whole.trans)
    assert np.array_equal(np.concatenate([piece.contacts for piece in pieces]), whole.contacts)


def windows_drawn(generator, monkeypatch):
    """A list that grows by one with every window that the network draws."""
    drawn, draw = [], generator.weights.network.draw
    monkeypatch.setattr(generator.weights.network, "draw", lambda *given: drawn.append(1) or draw(*given))
    return drawn


def test_the_first_frames_come_after_a_second_of_windows_however_long_the_walk_is(generator, monkeypatch):
    drawn = windows_drawn(generator, monkeypatch)
    chunks = generator.chunks(plan([(0, 0), (300, 0)], speed=1.0), "happy")
    assert len(next(chunks)) >= APPLIED
    assert len(drawn) <= 4
    for part in itertools.islice(chunks, 3):
        assert 10 <= len(part) <= 60, "and the rest in pieces of about a second"


def test_a_walk_that_nobody_asks_on_for_is_not_made(generator, monkeypatch):
    drawn = windows_drawn(generator, monkeypatch)
    chunks = generator.chunks(plan([(0, 0), (30, 0)], speed=1.0), "happy")
    next(chunks)
    before = len(drawn)
    chunks.close()
    assert len(drawn) == before and next(chunks, None) is None


def test_on_a_slope_the_body_goes_with_the_path(generator, body):
    level, steep = (plan([(0, 0, 0), (4, 0, rise)], speed=1.0) for rise in (0.0, 0.6))
    height = pelvis_of(generator(level, "happy", 1), body)[:, 2].mean()
    pelvis = pelvis_of(generator(steep, "happy", 1), body)
    assert np.abs(pelvis[:, 2] - height - 0.15 * pelvis[:, 0]).mean() < 0.08


@pytest.mark.parametrize("length", [0.5, 4.0, 30.0])
def test_a_lap_leads_into_itself(generator, body, length):
    way = plan(named_path("circle", length)[0], speed=1.0, closed=True)
    motion = generator(way, "happy", 1)
    assert len(motion) == len(way)
    at = joints(motion, body)
    step = np.linalg.norm(np.diff(np.concatenate([at, at[:1]]), axis=0), axis=-1).max(1)
    assert step[-1] < 1.5 * np.sort(step[:-1])[-3:].mean(), "from the last frame to the first as from any to the next"
    assert np.abs(np.linalg.norm(pelvis_of(motion, body)[:, :2], axis=1) - length / 2 / np.pi).max() < 1.0


@pytest.mark.parametrize("seconds", [1.0, 9.0])
def test_a_closed_curve_is_walked_for_so_many_seconds(generator, body, seconds):
    way = plan(named_path("circle", 4.0)[0], speed=1.0, closed=True, seconds=seconds)
    motion = generator(way, "happy", 1)
    assert len(motion) == round(seconds * FPS)
    off = pelvis_of(motion, body)[:, :2] - way.place[:, :2]
    assert np.linalg.norm(off, axis=1).max() < 1.0


def test_a_lap_has_a_run_in_and_then_its_frames(weights, circle):
    before, *pieces = lap(weights, circle, shares(weights, circle), 0)
    assert sum(map(len, pieces)) == len(circle)
    assert torch.allclose(pieces[-1][-1], before[-1], atol=1e-5), "the last frame is the one before the first"


def test_a_motion_is_valid_and_names_its_body(generator, bend, body, tmp_path):
    from smplit.motion import Motion

    motion = generator(bend, "happy")
    motion.check()
    saved = Motion.load(motion.save(tmp_path / "walk.npz"))
    assert len(saved) == len(bend) and saved.fps == 30 and saved.contacts.shape == (len(bend), 4)
    assert set(np.unique(saved.contacts)) <= {0.0, 1.0}
    assert str(saved.extras["smplit_body"]) == body.path.name


def test_a_larger_network_body_is_walked_on_a_smaller_plan(weights, body, bend):
    """A body half as large again takes steps half as long again: it needs the plan of fewer of its own metres, and ends where it should."""
    from dataclasses import replace

    small = replace(weights, leg=weights.leg / 1.5)  # as if the network had learnt on a body of two thirds of this one
    motion = Generator(small, body)(bend, "happy", 1)
    assert np.abs(pelvis_of(motion, body)[-1, :2] - [2, 2]).max() < 1e-4
    assert np.abs(pelvis_of(motion, body)[:, :2] - bend.place[:, :2]).max() < 1.0
