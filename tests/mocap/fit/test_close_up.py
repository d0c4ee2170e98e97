# SPDX-License-Identifier: GPL-3.0-or-later
"""A face that fills the picture: the detector invents shoulders at the rim, the face's mesh knows where the head is."""

from pathlib import Path

import numpy as np
import pytest
import torch

from smplit.body.kinematics import joint_transforms
from smplit.body.model import BodyModel
from smplit.mocap.fit.body_fit import BodyFitter
from smplit.mocap.fit.points import BLAZEPOSE_NAMES
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.motion import JOINT_NAMES

BODY = Path(__file__).resolve().parents[3] / "model_files" / "body" / "OPEN_NEUTRAL.npz"
FPS, FRAMES, DISTANCE = 24.0, 40, 0.5
J = {name: i for i, name in enumerate(JOINT_NAMES)}
K = np.array([[730.0, 0, 320], [0, 730.0, 180], [0, 0, 1]])
UPSIDE = np.diag([1.0, -1.0, -1.0])


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(BODY)


def close_up(body):
    """Landmarks of a still body whose head is half a metre away; shoulders seem to be one and a half times as far for half of the clip."""
    rest = body.rest_joints().numpy() @ UPSIDE
    points = body.rest_surface_points().numpy() @ UPSIDE
    place = np.array([0.0, 0.0, DISTANCE]) - rest[J["head"]]
    marks = np.zeros((33, 3))
    for name in BLAZEPOSE_NAMES:
        if name in J:
            marks[BLAZEPOSE_NAMES.index(name)] = rest[J[name]] + place
    for name, point in (("nose", 0), ("right_eye", 1), ("left_eye", 2), ("right_ear", 3), ("left_ear", 4)):
        marks[BLAZEPOSE_NAMES.index(name)] = points[point] + place
    pixels = np.tile(marks[:, :2] / marks[:, 2:].clip(0.1) * 730 + [320, 180], (FRAMES, 1, 1))
    shoulders = [11, 12]
    pixels[: FRAMES // 2, shoulders] = (marks[shoulders, :2] / (1.5 * DISTANCE)) * 730 + [320, 0]
    pixels[: FRAMES // 2, shoulders, 1] = 350
    confidence = np.zeros((FRAMES, 33), np.float32)
    confidence[:, [0, 2, 5, 7, 8]] = 1.0
    confidence[: FRAMES // 2, shoulders] = 0.98
    world = np.tile(marks - marks[23:25].mean(0), (FRAMES, 1, 1))
    return PersonLandmarks(
        1, 0, np.ones(FRAMES, bool), np.tile([200.0, 60, 440, 350], (FRAMES, 1)), pixels, confidence, world, np.zeros((FRAMES, 2, 21, 2)),
        np.zeros((FRAMES, 2)), np.zeros((FRAMES, 2, 21, 3)), np.zeros((FRAMES, 468, 3)), np.zeros(FRAMES),
    )


def heads(body, fit):
    rest = body.rest_joints(torch.as_tensor(fit.betas))
    return joint_transforms(torch.as_tensor(fit.rotations), rest[:22])[1][:, J["head"]].numpy() + fit.trans


def test_the_head_of_a_close_up_is_where_the_face_is_seen_whatever_the_shoulders_say(body):
    camera = CameraMotion(np.tile(np.eye(3), (FRAMES, 1, 1)), "static", K, "given", np.zeros(FRAMES))
    face = (np.tile(UPSIDE, (FRAMES, 1, 1)), np.tile([0.0, 0.0, DISTANCE], (FRAMES, 1)), np.ones(FRAMES))
    times = np.arange(FRAMES) / FPS
    found = heads(body, BodyFitter(close_up(body), camera, times, body, head=face).fit_view())
    assert np.abs(found[:, 2] / DISTANCE - 1).max() < 0.08
    assert np.linalg.norm(found[:, :2] / found[:, 2:], axis=-1).max() * DISTANCE < 0.015


def test_a_face_of_the_wrong_size_does_not_move_a_body_that_is_seen_whole(body):
    seen = close_up(body)
    seen.body_confidence[:] = 1.0
    far = seen.body_world + [0.0, 0.0, 4.0]
    seen.body[:] = far[..., :2] / far[..., 2:] * 730 + [320, 180]
    camera = CameraMotion(np.tile(np.eye(3), (FRAMES, 1, 1)), "static", K, "given", np.zeros(FRAMES))
    places = {}
    for depth in (3.0, 5.0):
        face = (np.tile(UPSIDE, (FRAMES, 1, 1)), np.tile([0.0, 0.0, depth], (FRAMES, 1)), np.ones(FRAMES))
        places[depth] = heads(body, BodyFitter(seen, camera, np.arange(FRAMES) / FPS, body, head=face).fit_view())
    assert np.abs(places[3.0] - places[5.0]).max() < 0.01


def test_frames_without_a_face_do_not_spoil_the_others(body):
    camera = CameraMotion(np.tile(np.eye(3), (FRAMES, 1, 1)), "static", K, "given", np.zeros(FRAMES))
    place, trust = np.tile([0.0, 0.0, DISTANCE], (FRAMES, 1)), np.ones(FRAMES)
    place[10:15], trust[10:15] = 0.0, 0.0
    face = (np.tile(UPSIDE, (FRAMES, 1, 1)), place, trust)
    found = heads(body, BodyFitter(close_up(body), camera, np.arange(FRAMES) / FPS, body, head=face).fit_view())
    assert np.isfinite(found).all()
    assert np.abs(found[:, 2] / DISTANCE - 1).max() < 0.1
