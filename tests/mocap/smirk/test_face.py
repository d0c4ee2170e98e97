# SPDX-License-Identifier: GPL-3.0-or-later
"""SMIRK's numbers over a clip become a face of the body, whichever basis it has, and give way where SMIRK did not look."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from smplit.body.model import BodyModel
from smplit.errors import BadInput
from smplit.mocap.face.landmark_fit import FaceFit
from smplit.mocap.face.surface import face_surface
from smplit.mocap.observations import PersonLandmarks
from smplit.mocap.smirk.arkit import ByShape, steadied
from smplit.mocap.smirk.face import face_with_smirk
from smplit.mocap.smirk.look import SmirkLook
from smplit.mocap.smirk.network import Smirk

BODY = Path(__file__).resolve().parents[3] / "model_files" / "body" / "OPEN_NEUTRAL.npz"
FRAMES, FPS = 240, 30.0
TIMES = np.arange(FRAMES) / FPS
FLAME = SimpleNamespace(expression_names=tuple(f"flame{i:03d}" for i in range(50)))


def waves(count, seed, hertz=1.5):
    """(FRAMES,count) slow curves about zero, of standard deviation 1."""
    random = np.random.default_rng(seed)
    rate, phase = random.uniform(0.2, hertz, (6, count)), random.uniform(0, 2 * np.pi, (6, count))
    curves = np.sin(2 * np.pi * rate * TIMES[:, None, None] + phase).sum(1)
    return (curves - curves.mean(0)) / curves.std(0)


@pytest.fixture
def answers():
    jaw = 0.1 * waves(3, 1)
    jaw[:, 0] = np.abs(jaw[:, 0])
    return {"expression": waves(50, 0), "eyelids": 0.5 + 0.2 * waves(2, 2).clip(-2, 2), "jaw": jaw}


def by_landmarks(expression):
    count = len(expression)
    return FaceFit(
        np.tile(np.eye(3, dtype=np.float32), (count, 1, 1)), np.tile(np.float32([0, 0, 1]), (count, 1)), np.ones(count, np.float32),
        np.zeros((count, 3), np.float32), np.zeros((count, 2, 3), np.float32), expression.astype(np.float32), np.zeros((count, 2), np.float32),
    )


def test_the_real_body_gets_flames_numbers_as_they_are_and_the_head_stays(answers):
    seen = by_landmarks(np.full((FRAMES, 50), 9.0))
    face, say = face_with_smirk(answers, seen, TIMES, FLAME)
    assert (say == 1).all()
    for found, given in ((face.expression, answers["expression"]), (face.jaw, answers["jaw"]), (face.eyelids, answers["eyelids"])):
        off = np.sqrt(((found - given)[10:-10] ** 2).mean())
        assert off < 0.02 * given.std()  # smoothing alone
    assert face.head_rotation is seen.head_rotation and face.head_place is seen.head_place


def test_a_basis_of_ten_gets_the_first_ten(answers):
    names = SimpleNamespace(expression_names=FLAME.expression_names[:10])
    face, _ = face_with_smirk(answers, by_landmarks(np.zeros((FRAMES, 10))), TIMES, names)
    assert face.expression.shape == (FRAMES, 10)
    assert np.corrcoef(face.expression[:, 9], answers["expression"][:, 9])[0, 1] > 0.99


def test_where_smirk_did_not_look_the_landmarks_have_the_say_and_nothing_jumps(answers):
    seen = by_landmarks(3.0 + waves(50, 7))
    whole, _ = face_with_smirk(answers, seen, TIMES, FLAME)
    for values in answers.values():
        values[80:140], values[:5] = np.nan, np.nan
    face, say = face_with_smirk(answers, seen, TIMES, FLAME)
    silent = np.r_[0:5, 80:140]
    assert (say[silent] == 0).all() and np.array_equal(face.expression[silent], seen.expression[silent])
    assert say[[30, 60, 160, 200]].min() == 1 and np.abs(face.expression - whole.expression)[[40, 60, 180, 200]].max() < 0.02
    # 3 apart, it takes a fifth of a second from one to the other: 0.5 a frame beside their own movement, and never the whole way.
    usual = max(np.abs(np.diff(values, axis=0)).max() for values in (whole.expression, seen.expression))
    assert np.abs(np.diff(face.expression, axis=0)).max() < usual + 0.4 * np.abs(seen.expression - whole.expression).max()


def test_a_clip_that_smirk_never_looked_at_is_the_landmarks(answers):
    seen = by_landmarks(waves(50, 7))
    face, say = face_with_smirk({name: np.full_like(values, np.nan) for name, values in answers.items()}, seen, TIMES, FLAME)
    assert not say.any()
    assert np.array_equal(face.expression, seen.expression) and np.array_equal(face.jaw, seen.jaw)


def test_curves_that_smirk_can_tell_get_its_steadiness_and_others_stay():
    random = np.random.default_rng(3)
    told = waves(55, 4)
    true = np.clip(0.4 + told[:, :6] @ random.normal(0, 0.1, (6, 4)), 0, 1)
    foreign = 0.5 + 0.2 * waves(2, 5, hertz=6.0)
    curves = np.concatenate([true + 0.1 * random.normal(size=true.shape), foreign], axis=1)
    found = steadied(told, curves, np.ones(FRAMES))
    before, after = (np.sqrt(((values[:, :4] - true) ** 2).mean()) for values in (curves, found))
    assert after < 0.7 * before
    for column in (4, 5):
        assert np.corrcoef(found[:, column], curves[:, column])[0, 1] > 0.97
    assert np.array_equal(steadied(told[:30], curves[:30], np.ones(30)), curves[:30])  # too little to learn from


@pytest.fixture(scope="module")
def open_body():
    return BodyModel.load(BODY)


def test_lids_and_jaw_are_smirks_on_the_open_body_too(answers, open_body):
    names = open_body.expression_names
    answers["eyelids"][:] = np.array([0.0, 0.9])
    face, _ = face_with_smirk(answers, by_landmarks(np.full((FRAMES, len(names)), 0.3)), TIMES, open_body)
    assert face.expression[:, names.index("eyeBlinkLeft")].max() < 0.05
    assert abs(face.expression[:, names.index("eyeBlinkRight")].mean() - 0.9) < 0.05
    assert np.corrcoef(face.jaw[:, 0], answers["jaw"][:, 0])[0, 1] > 0.99 and face.jaw[:, 0].min() >= 0
    assert face.expression.min() >= 0 and face.expression.max() <= 1


ACTIONS = ("mouthSmile", "browInnerUp", "browDown", "browOuterUp", "mouthPucker", "noseSneer", "mouthUpperUp", "mouthLowerDown")


@pytest.fixture(scope="module")
def flame_file(open_body, tmp_path_factory):
    """The open body's head as if it were FLAME: another order, place, size and proportions; its expressions are half actions of both sides."""
    random = np.random.default_rng(0)
    names = open_body.expression_names
    follow = open_body.weights[:, [15, 22, 23, 24]]
    chosen = random.permutation(np.flatnonzero(follow.sum(1) > 0.5))
    expression = np.zeros((len(ACTIONS) + 1, len(names)))
    for row, action in enumerate(ACTIONS):
        expression[row, [name.startswith(action) for name in names]] = 0.5
    posed = open_body.vertices(np.zeros((len(expression), 165)), np.zeros((len(expression), 3)), None, expression)[:, chosen].astype(np.float64)
    rest, moves = posed[-1], posed[:-1] - posed[-1]
    stretch = np.array([0.98, 1.04, 1.0])
    joints = open_body.rest_joints().numpy()[[12, 15, 22, 23, 24]] * stretch - [0.0, 1.5, 0.0]
    vertices = rest * stretch - [0.0, 1.5, 0.0]
    homogeneous = np.concatenate([vertices, np.ones((len(vertices), 1))], axis=1)
    regressor = np.concatenate([joints, np.ones((5, 1))], axis=1) @ np.linalg.pinv(homogeneous)
    directions = np.zeros((len(vertices), 3, 400))
    directions[..., :300] = random.normal(0, 1e-3, (len(vertices), 3, 300))
    directions[..., 300 : 300 + len(ACTIONS)] = np.moveaxis(moves, 0, -1)
    path = tmp_path_factory.mktemp("flame") / "FLAME.npz"
    weights = np.concatenate([np.zeros((len(chosen), 1)), follow[chosen]], axis=1)
    np.savez(path, v_template=vertices, shapedirs=directions, J_regressor=regressor, weights=weights, f=np.zeros((1, 3), np.int64))
    return path


def test_with_a_flame_file_an_expression_becomes_the_action_that_moves_the_face_alike(open_body, flame_file):
    translator = ByShape(flame_file, open_body, face_surface(open_body))
    found = translator.actions(1.6 * np.eye(len(ACTIONS), 50))  # 0.8 of each action in turn
    for strengths, action in zip(found, ACTIONS, strict=True):
        of_it = np.array([name.startswith(action) for name in open_body.expression_names])
        assert abs(strengths[of_it].mean() - 0.8) < 0.35 and strengths[of_it].mean() > 2 * strengths[~of_it].max(), action
    assert np.abs(translator.actions(np.zeros((1, 50)))).max() < 0.02


def test_a_file_that_is_no_face_is_refused(open_body, tmp_path):
    path = tmp_path / "FLAME.npz"
    np.savez(path, v_template=np.zeros((9, 3)), shapedirs=np.zeros((9, 3, 7)))
    with pytest.raises(BadInput, match="neither FLAME nor SMPL-X"):
        ByShape(path, open_body, face_surface(open_body))


def test_the_second_look_cuts_a_face_where_there_is_one_and_answers_by_name():
    face = np.full((40, 468, 3), np.nan, np.float32)
    face[5:40] = np.random.default_rng(0).uniform(60, 160, (35, 468, 3))
    zeros = np.zeros
    landmarks = PersonLandmarks(
        1, 0, np.ones(40, bool), zeros((40, 4)), zeros((40, 33, 2)), zeros((40, 33)), zeros((40, 33, 3)), zeros((40, 2, 21, 2)), zeros((40, 2)),
        zeros((40, 2, 21, 3)), face, np.isfinite(face[:, 0, 0]).astype(np.float32),
    )
    look = SmirkLook(Smirk().eval())
    plan = look.plan(landmarks, None, TIMES[:40])
    image = np.full((240, 320, 3), 128, np.uint8)
    assert look.crops(image, plan, 2) == []
    [(slot, crop)] = look.crops(image, plan, 20)
    assert slot == 0 and crop.shape == (3, 224, 224) and torch.allclose(crop, torch.full_like(crop, 128 / 255))
    with torch.no_grad():
        told = look.look(torch.stack([crop, crop]))
    assert {name: values.shape for name, values in told.items()} == {"expression": (2, 50), "eyelids": (2, 2), "jaw": (2, 3)}
    face[:] = np.nan
    assert look.plan(landmarks, None, TIMES[:40]) is None
