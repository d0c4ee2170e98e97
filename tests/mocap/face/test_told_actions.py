# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network of actions says of a face, beside the mesh of it."""

from dataclasses import replace

import numpy as np
import pytest
from face_world import DISTANCE, FRAMES, TIMES, FaceWorld, K, pulse
from scipy.spatial.transform import Rotation

from smplit.mocap.extremity_estimators import load_face_estimator
from smplit.mocap.face.landmark_fit import fit_face
from smplit.mocap.keypoints.face_actions import ACTIONS
from smplit.mocap.observations import CameraMotion
from smplit.mocap.sources import SOURCES


@pytest.fixture(scope="module")
def by_mesh(world):
    return fit_face(world.seen(), K, world.body, TIMES)


def told(landmarks, **curves):
    """The landmarks of somebody of whose face the network says these curves, (T,) or a number, and of all else nothing."""
    actions = np.zeros((FRAMES, len(ACTIONS)), np.float32)
    for name, curve in curves.items():
        for column, action in enumerate(ACTIONS):
            if action.startswith(name):
                actions[:, column] = curve
    return replace(landmarks, face_actions=actions)


def of(world, fit, name):
    return fit.expression[:, world.body.expression_names.index(name)]


def test_an_action_that_the_mesh_cannot_show_is_told(world, by_mesh):
    funnel = pulse(10, 30)
    fit = fit_face(told(world.seen(), mouthFunnel=funnel), K, world.body, TIMES)
    assert np.corrcoef(of(world, fit, "mouthFunnel"), funnel)[0, 1] > 0.9 and of(world, fit, "mouthFunnel").max() > 0.45
    assert of(world, by_mesh, "mouthFunnel").max() < 0.3


def test_lids_head_and_confidence_stay_the_meshs(world, by_mesh):
    fit = fit_face(told(world.seen(), eyeBlink=1.0, mouthSmile=0.5), K, world.body, TIMES)
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        np.testing.assert_array_equal(of(world, fit, name), of(world, by_mesh, name))
    for name in ("head_rotation", "head_place", "confidence", "eyes", "eyelids"):
        np.testing.assert_array_equal(getattr(fit, name), getattr(by_mesh, name))


def test_eyes_turn_to_the_side_that_is_told(world):
    fit = fit_face(told(world.seen(), eyeLookOutLeft=pulse(10, 60), eyeLookInRight=pulse(10, 60)), K, world.body, TIMES)
    np.testing.assert_array_equal(fit.eyes[:, 0], fit.eyes[:, 1])
    ahead = Rotation.from_rotvec(fit.eyes[35, 0]).apply([0, 0, 1])
    assert 0.3 < np.arcsin(ahead[0]) < 0.5  # to the person's left, which is +x
    assert np.abs(fit.eyes[:5]).max() < 0.02 and np.abs(np.diff(fit.eyes, axis=0)).max() < 0.05


def test_what_an_eye_does_behind_its_lid_is_not_believed(world):
    shut = pulse(60, 80)
    wild = np.where(shut > 0.5, 1.0, 0.0)
    open_eyed = {"mouthSmile": np.zeros(FRAMES), "browInnerUp": np.zeros(FRAMES), "eyeBlink": shut}
    blinking = FaceWorld.__new__(FaceWorld)
    blinking.body, blinking.surface = world.body, world.surface
    blinking.perform(np.zeros(FRAMES), open_eyed)
    fit = fit_face(told(blinking.seen(), eyeLookOutLeft=wild, eyeLookInRight=wild), K, world.body, TIMES)
    assert np.abs(fit.eyes[65:76]).max() < 0.2  # 0.48 by open eyes


def test_where_nobody_was_asked_the_mesh_alone_speaks(world, by_mesh):
    fit = fit_face(told(world.seen(), mouthSmile=np.nan), K, world.body, TIMES)
    np.testing.assert_array_equal(fit.expression, by_mesh.expression)
    np.testing.assert_array_equal(fit.jaw, by_mesh.jaw)
    assert (fit.told == 0).all() and by_mesh.told is None and (fit.eyes == 0).all()


def test_a_jaw_opens_when_the_network_says_as_far_as_the_mesh_sees(world, by_mesh):
    """A network that speaks in a whisper of this person's jaw opens it no less than one that shouts."""
    jaws = {}
    for strength in (0.2, 0.5):
        fit = fit_face(told(world.seen(), jawOpen=strength * pulse(14, 34)), K, world.body, TIMES)
        jaws[strength] = fit.jaw[:, 0]
        assert abs(int(jaws[strength].argmax()) - 23) <= 2  # the mesh says 20, the network 24
    assert 0.8 < jaws[0.2].max() / jaws[0.5].max() < 1.25
    assert 0.7 < jaws[0.2].max() / by_mesh.jaw.max() < 1.3
    grin = fit_face(told(world.seen(), jawOpen=0.02 * pulse(14, 34)), K, world.body, TIMES)
    assert grin.jaw.max() < 0.6 * by_mesh.jaw.max()  # of a jaw that it calls shut all the time


def test_narrow_eyes_are_a_shape_and_a_squint_an_action(world):
    fit = fit_face(told(world.seen(), eyeSquint=0.3 + 0.5 * pulse(40, 60)), K, world.body, TIMES)
    squint = of(world, fit, "eyeSquintLeft")
    assert squint[10:30].max() < 0.1 and squint[50] > 0.4


def test_a_small_face_and_one_seen_from_aside_are_not_asked(world):
    seen = told(world.seen(), mouthFunnel=1.0)
    middle, span = seen.face.mean(1, keepdims=True), np.linalg.norm(seen.face[:, 33, :2] - seen.face[:, 263, :2], axis=-1).mean()
    small = replace(seen, face=middle + 22.0 / span * (seen.face - middle))
    assert (fit_face(small, K, world.body, TIMES).told == 0).all()
    turn = Rotation.from_rotvec([0, 0.7, 0])
    aside = replace(seen, face=middle + (seen.face - middle) @ turn.as_matrix().T)
    sight = np.array([0.1, 0, DISTANCE]) / np.hypot(0.1, DISTANCE)
    heard, away = fit_face(aside, K, world.body, TIMES).told, np.degrees(np.arccos(-(turn * world.head).apply([0, 0, 1]) @ sight))
    assert (away > 52).any() and (heard[away > 52] == 0).all()
    assert (away < 22).any() and (heard[away < 22] == 1).all()


def test_nothing_jumps_where_the_network_falls_silent(world, by_mesh):
    """It loses and regains its voice while it says a strong grin of a face that the mesh sees at rest."""
    seen = told(world.seen(), mouthSmile=1.0, jawOpen=0.3)
    middle, span = seen.face.mean(1, keepdims=True), np.linalg.norm(seen.face[:, 33, :2] - seen.face[:, 263, :2], axis=-1)
    size = np.interp(TIMES, [0.5, 1.0, 2.0, 2.5], [60.0, 20.0, 20.0, 60.0])  # px: goes away and comes back within half a second
    seen.face[:] = middle + (size / span)[:, None, None] * (seen.face - middle)
    seen.face_actions[size < 24] = np.nan
    fit = fit_face(seen, K, world.body, TIMES)
    assert fit.told.min() == 0 and fit.told.max() == 1
    usual = np.abs(np.diff(by_mesh.expression, axis=0)).max()
    assert np.abs(np.diff(fit.expression, axis=0)).max() < 1.2 * usual
    assert np.abs(np.diff(fit.jaw, axis=0)).max() < 1.2 * np.abs(np.diff(by_mesh.jaw, axis=0)).max()


def test_the_file_says_in_which_frames_it_was_asked(world):
    seen = told(world.seen(), mouthSmile=0.5)
    seen.face_actions[: FRAMES // 2] = np.nan
    static = CameraMotion(np.broadcast_to(np.eye(3), (FRAMES, 3, 3)), "static", K, "given", np.zeros(FRAMES))
    _, sources = load_face_estimator("landmarks", world.body)(seen, static, TIMES, {})
    assert [SOURCES[code] for code in sources[[10, FRAMES - 10]]] == ["landmarks", "actions"]


def test_a_body_with_unnamed_expressions_is_left_to_the_mesh(world, monkeypatch):
    monkeypatch.setattr(world.body, "expression_names", tuple(f"flame{i:03d}" for i in range(len(world.body.expression_names))))
    with_word, without = (fit_face(seen, K, world.body, TIMES) for seen in (told(world.seen(), mouthSmile=1.0), world.seen()))
    np.testing.assert_array_equal(with_word.expression, without.expression)
    np.testing.assert_array_equal(with_word.jaw, without.jaw)
