# SPDX-License-Identifier: GPL-3.0-or-later
"""However a recording is changed for training, its trajectory must stay true: who stands still stands still."""


import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from synthetic_walk import walk

from smplit.datasets.store import Clip, ClipInfo, MotionStore, write_store
from smplit.difftraj import augment
from smplit.difftraj.augment import Recordings, Windows
from smplit.difftraj.features import BodyShape, posed, turn_level
from smplit.difftraj.quaternions import blend, matrices, multiply, quaternion_from_axis_angle
from smplit.difftraj.random_batch import RandomBatch
from smplit.training.difftraj import losses


@pytest.fixture(scope="module")
def recordings(body, tmp_path_factory):
    """Walks of two speeds, both ways round, as a store's clips; the whole foot is planted or not."""
    path = tmp_path_factory.mktemp("walks") / "store.safetensors"

    def clips():
        for number, (speed, rate) in enumerate(((1.0, 0.3), (0.7, -0.4), (0.9, 0.1))):
            made = walk(body, 8.0, 30.0, speed, rate)
            poses = made.motion.poses.reshape(-1, 55, 3)[:, :22]
            yield Clip(ClipInfo(f"walk{number}", weight_hint=1.0), poses, made.motion.trans, made.planted.repeat(2, 1).astype(np.uint8), 30.0)

    write_store(path, clips(), 30.0, body.sha256)
    return Recordings.of(MotionStore.open(path), [0, 1, 2], body.rest_joints()[0], "cpu")


@pytest.fixture
def unspoilt(monkeypatch):
    monkeypatch.setattr(augment, "_spoilt", lambda rand, pose, targets: pose)
    monkeypatch.setattr(augment, "_gaps", lambda rand, frames: torch.zeros(rand.batch, frames, dtype=torch.bool))


def other_people(body):
    shapes = [BodyShape.of(body, torch.full((10,), value)) for value in (-1.5, 1.5)]
    return BodyShape(torch.stack([s.bones for s in shapes]), torch.stack([s.soles for s in shapes]))


def test_a_planted_foot_stays_put_on_every_body_mirrored_and_at_every_speed(body, recordings, unspoilt):
    windows = Windows(recordings, BodyShape.of(body), other_people(body), 32, 60)
    windows._sparse = lambda rand, clips, time: recordings.at(clips, time)[0]
    seen, truth = windows(torch.Generator().manual_seed(0))
    standing = (truth.contacts[:, :-1] * truth.contacts[:, 1:]).bool() & truth.inside[:, :-1, None] & seen.valid[:, :-1, None]
    slip = (truth.velocity[:, :-1, None] + seen.foot_steps[:, :-1, 4:]).norm(dim=-1)
    speed = truth.velocity.norm(dim=-1)[truth.inside].mean()
    assert 0.5 < speed < 2.0  # leg lengths a second
    assert slip[standing].median() < 0.02 * speed and slip[standing].mean() < 0.05 * speed


def test_without_changes_the_truth_is_the_recordings_own_path(body, recordings, unspoilt, monkeypatch):
    monkeypatch.setattr(RandomBatch, "each", lambda self, chance: torch.zeros(self.batch, dtype=torch.bool))
    monkeypatch.setattr(RandomBatch, "coin", lambda self, chance: False)
    _, truth = Windows(recordings, BodyShape.of(body), other_people(body), 8, 60)(torch.Generator().manual_seed(1))
    leg = float(BodyShape.of(body).leg)
    world = turn_level(truth.velocity, truth.heading) * leg
    speeds = world.norm(dim=-1)[truth.inside]
    assert {round(float(s), 1) for s in speeds} <= {0.7, 0.9, 1.0}


def test_joint_noise_is_what_its_constant_says(body):
    random = torch.Generator().manual_seed(0)
    still = quaternion_from_axis_angle(torch.zeros(4, 200, 22, 3))
    noise = torch.randn(4, 200, 22, 3, generator=random) * augment._JOINT_NOISE
    noise[:, :, 0] = 0
    shape = BodyShape.of(body)
    shapes = BodyShape(shape.bones.expand(4, -1, -1), shape.soles.expand(4, -1, -1))
    before, after = (posed(matrices(q), shapes)[0] for q in (still, multiply(still, quaternion_from_axis_angle(noise))))
    assert float((after - before)[:, :, 1:].square().mean().sqrt()) == pytest.approx(0.015, rel=0.25)


def test_quaternions_are_those_of_scipy():
    vectors = torch.as_tensor(np.random.default_rng(0).normal(0, 1.5, (50, 3)))
    ours = quaternion_from_axis_angle(vectors)
    expected = Rotation.from_rotvec(vectors.numpy())
    np.testing.assert_allclose(matrices(ours).numpy(), expected.as_matrix(), atol=1e-9)
    product = multiply(ours[:25], ours[25:])
    np.testing.assert_allclose(matrices(product).numpy(), (expected[:25] * expected[25:]).as_matrix(), atol=1e-9)
    np.testing.assert_allclose(matrices(blend(ours, -ours, torch.tensor(0.5))).numpy(), expected.as_matrix(), atol=1e-9)


def test_the_same_generator_makes_the_same_batch(body, recordings):
    windows = Windows(recordings, BodyShape.of(body), other_people(body), 4, 40)
    first, again, other = (windows(torch.Generator().manual_seed(seed))[0].inputs for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_the_tilt_to_be_predicted_makes_a_leaning_root_level_again(body, recordings, monkeypatch):
    monkeypatch.setattr(augment, "_gaps", lambda rand, frames: torch.zeros(rand.batch, frames, dtype=torch.bool))
    windows = Windows(recordings, BodyShape.of(body), other_people(body), 24, 40)
    seen, truth = windows(torch.Generator().manual_seed(5))
    known = seen.valid & truth.inside
    up = seen.inputs[..., 126:129]  # the walk is upright: unspoilt, the world's up is the body's y
    lean = torch.acos(up[..., 1].clamp(-1, 1))
    np.testing.assert_allclose(lean[known], truth.tilt.norm(dim=-1)[known], atol=2e-3)


def test_a_right_answer_costs_next_to_nothing_and_a_wrong_one_more(body, recordings):
    from smplit.difftraj.network import Answer

    seen, truth = Windows(recordings, BodyShape.of(body), other_people(body), 4, 120)(torch.Generator().manual_seed(0))
    none = torch.zeros_like(truth.velocity)
    right = Answer(truth.velocity, truth.velocity, (truth.contacts - 0.5) * 40, truth.height, truth.tilt, none, none)
    wrong = Answer(truth.velocity + 0.2, truth.velocity - 0.2, -right.contacts, truth.height + 0.1, truth.tilt + 0.1, none, none + 1)
    cheap, dear = losses(right, truth, seen.valid), losses(wrong, truth, seen.valid)
    for name, value in dear.items():
        if name != "bend":  # a constant mistake bends nothing
            assert value > 5 * cheap[name] and cheap[name] < 0.05, name
