# SPDX-License-Identifier: GPL-3.0-or-later
"""What ACR says of a posed body's hands becomes those hands again; what it says of other hands does not."""

import copy

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from seen_person import FRAMES, SIZE, SeenPerson, angles, camera

from smplit.mocap.acr import to_smplx
from smplit.mocap.acr.identity import wrists_of_others
from smplit.mocap.acr.regions import hand_squares
from smplit.mocap.acr.to_smplx import agreement, hands_of_answers
from smplit.mocap.hands.landmark_fit import HandFit

MEAN = np.random.default_rng(7).normal(0, 0.2, (2, 15, 3))


class Scene:
    def __init__(self, bend):
        self.person = SeenPerson(bend=bend)
        self.landmarks = self.person.landmarks()
        self.plan = hand_squares(self.landmarks, self.person.times, SIZE)
        self.answers = self.person.answers(self.plan, MEAN)

    def fit(self, answers=None, people=(), other_fit=None, landmarks=None):
        answers = self.answers if answers is None else answers
        landmarks = self.landmarks if landmarks is None else landmarks
        return hands_of_answers(answers, self.plan, landmarks, camera(), self.person.times, self.person.body, MEAN, people, other_fit)

    def changed(self):
        return copy.deepcopy(self.answers)


@pytest.fixture(scope="module", params=[1.0, 1.8], ids=["apart", "together"])
def scene(request):
    return Scene(request.param)


@pytest.fixture(scope="module")
def fitted(scene):
    return scene.fit()


def finger_angles(first, second):
    as_matrices = lambda poses: Rotation.from_rotvec(np.asarray(poses, float).reshape(-1, 3)).as_matrix().reshape(*poses.shape, 3)
    return angles(as_matrices(first), as_matrices(second))


def steps(poses):
    """(N-1,2) degrees: the largest turn of any finger joint from frame to frame."""
    return finger_angles(poses[1:], poses[:-1]).max(-1)


def test_fingers_are_the_person_s_with_the_mean_hand_added(scene, fitted):
    assert finger_angles(fitted.poses, scene.person.fingers).max() < 2.0
    assert fitted.confidence.min() > 0.8


def test_betas_of_mano_change_nothing(scene, fitted):
    answers = scene.changed()
    answers["parameters"][..., 99:] = -5.0
    assert np.array_equal(scene.fit(answers).poses, fitted.poses)


def test_wrists_stand_where_the_body_s_kinematics_has_them(scene, fitted):
    """The wrist's own rotation, after the arm's: what smplx was given."""
    local = np.swapaxes(scene.person.forearms, -1, -2) @ fitted.wrist_rotations
    given = Rotation.from_rotvec(scene.person.pose[:, 20:22].reshape(-1, 3)).as_matrix().reshape(FRAMES, 2, 3, 3)
    assert angles(local, given).mean() < 2.5 and angles(local, given).max() < 5.0


def test_without_the_turn_to_the_line_of_sight_they_would_not(scene, monkeypatch):
    monkeypatch.setattr(to_smplx, "sight_rotations", lambda pixels, K: np.broadcast_to(np.eye(3), (*pixels.shape[:2], 3, 3)))
    assert angles(scene.fit().wrist_rotations, scene.person.wrists).min() > 8.0


def test_a_hand_that_is_lost_eases_to_a_curl_and_nothing_jumps(scene, fitted):
    answers = scene.changed()
    for values in answers.values():
        values[12:] = np.nan
    lost = scene.fit(answers)
    assert (lost.confidence[12:] == 0).all() and (lost.confidence[:12] > 0.5).all()
    bent = np.degrees(np.linalg.norm(lost.poses[-1], axis=-1))[:, [0, 1, 3, 4, 6, 7, 9, 10]]
    assert (bent > 5).all() and (bent < 45).all()
    assert steps(lost.poses).max() < 2.0 * steps(fitted.poses).max() + 3.0
    assert np.isfinite(lost.wrist_rotations).all()


def test_two_frames_without_a_hand_are_bridged(scene, fitted):
    answers = scene.changed()
    answers["found"][20:22] = 0
    bridged = scene.fit(answers)
    assert finger_angles(bridged.poses, fitted.poses).max() < 5.0
    assert angles(bridged.wrist_rotations, fitted.wrist_rotations).max() < 5.0


def test_one_frame_that_leaps_is_not_followed(scene, fitted):
    answers = scene.changed()
    answers["parameters"][20, :, 0, 3:99] = np.tile(np.eye(3)[:, :2].reshape(-1), 16)
    leapt = scene.fit(answers)
    assert leapt.confidence[20, 0] < 0.3 < leapt.confidence[19, 0]
    assert finger_angles(leapt.poses, fitted.poses).max() < 8.0


def test_a_left_hand_at_the_right_wrist_is_nobody_s(scene):
    answers = scene.changed()
    for slot in [0] if scene.plan.shared(0) else [0, 1]:
        answers["found"][:, slot, 0] = answers["found"][:, slot, 1]
        answers["parameters"][:, slot, 0, :3] = answers["parameters"][:, slot, 1, :3]
    swapped = scene.fit(answers)
    assert (swapped.confidence[:, 0] == 0).all() and (swapped.confidence[:, 1] > 0.5).all()


def test_a_hand_at_another_person_s_wrist_is_not_theirs(scene):
    other = SeenPerson(where=(-1.0, 0.3, 3.2)).landmarks(person=2)
    shift = scene.landmarks.hands[:, 0, 0] - other.body[:, 15]
    other.body = other.body + shift[:, None] + np.array([30.0, 0.0])
    answers = scene.changed()
    near = 30.0 / (scene.plan.squares[:, 0, 2] / 2.0)
    answers["parameters"][:, 0, 0, 1] += near
    people = [scene.landmarks, other]
    assert (scene.fit(answers).confidence[:, 0] > 0).all()  # a bit off, but nobody else is there
    assert (scene.fit(answers, people).confidence[:, 0] == 0).all()
    assert (scene.fit(people=people).confidence[:, 0] > 0.5).all()  # their own stays theirs


def test_wrists_of_others_are_those_of_the_same_video_frames():
    person = SeenPerson()
    later = person.landmarks(person=2, first=10)
    later.body_confidence[:, 16] = 0.1
    wrists = wrists_of_others(person.landmarks(), [person.landmarks(), later])
    assert wrists.shape == (FRAMES, 2, 2) and np.isnan(wrists[:10]).all() and np.isnan(wrists[:, 1]).all()
    assert np.array_equal(wrists[10:, 0], later.body[: FRAMES - 10, 15])


def test_a_hand_of_another_size_is_not_theirs(scene):
    answers = scene.changed()
    answers["parameters"][..., 0] *= 3.0
    assert (scene.fit(answers).confidence == 0).all()


def test_a_hand_that_points_back_along_its_forearm_is_not_believed(scene):
    answers = scene.changed()
    answers["parameters"][:, :, 0, 3:9:2] *= -1.0  # half a turn about the palm's normal; the knuckle stays
    hand = scene.person.wrists[:, 0, :2, 0] * 0.095 * 1000.0 / 3.0  # px from the wrist to it, about
    assert (scene.fit(answers).confidence[:, 0] == 0).all()
    squares = scene.plan.squares[:, :, 2]
    for slot in (0, 1):  # the wrist where it was
        answers["parameters"][:, slot, 0, 1:3] -= 2.0 * hand / np.maximum(squares[:, slot, None] / 2.0, 1.0)
    assert (scene.fit(answers).confidence[:, 0] == 0).all()
    blind = copy.deepcopy(scene.landmarks)
    blind.body_confidence[:, 13] = 0.0
    assert (scene.fit(answers, landmarks=blind).confidence[:, 0] > 0.3).all()


def test_another_estimate_of_the_wrist_can_refuse_it(scene):
    turned = scene.person.wrists @ Rotation.from_rotvec([np.radians(130.0), 0, 0]).as_matrix()  # about the arm
    other = HandFit(np.zeros((FRAMES, 2, 15, 3)), turned, np.ones((FRAMES, 2)))
    other.confidence[:, 1] = 0.1
    confidence = scene.fit(other_fit=other).confidence
    assert (confidence[:, 0] == 0).all() and (confidence[:, 1] > 0.5).all()  # what is not sure says nothing


@pytest.mark.parametrize("degrees, least, most", [(0, 1, 1), (60, 1, 1), (85, 0.3, 0.7), (101, 0, 0), (180, 0, 0)])
def test_estimates_agree_up_to_about_a_right_angle(degrees, least, most):
    first = Rotation.random(6, random_state=3).as_matrix().reshape(3, 2, 3, 3)
    turned = first @ Rotation.from_rotvec(np.radians(degrees) * np.array([0.6, 0.0, -0.8])).as_matrix()
    trust = agreement(first, turned, np.ones((3, 2)))
    assert (trust >= least - 1e-9).all() and (trust <= most + 1e-9).all()
    assert (agreement(first, turned, np.zeros((3, 2))) == 1).all()


def test_numbers_that_make_no_sense_come_to_nothing(scene):
    answers = scene.changed()
    random = np.random.default_rng(5)
    answers["parameters"] = random.normal(0, 3, answers["parameters"].shape)
    answers["scores"][:], answers["found"][:] = 1.0, 1.0
    wild = scene.fit(answers)
    assert all(np.isfinite(values).all() for values in (wild.poses, wild.wrist_rotations, wild.confidence))
