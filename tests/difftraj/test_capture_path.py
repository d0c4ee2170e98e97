# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture whose camera travels along unseen: the path comes from the walker's own motion."""


import numpy as np
from scipy.spatial.transform import Rotation
from synthetic_walk import walk

from smplit.mocap.fit.body_fit import BodyFit
from smplit.mocap.observations import CameraMotion
from smplit.mocap.world.feet_path import walk_by_feet
from smplit.mocap.world.placement import PersonTrack, place_people

UPRIGHT = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])  # world (Z up) -> a level camera that looks along +y


def drift(found, true):
    """Mean distance of two level paths (T,2) m, each from its first point, as a share of the true one's length."""
    off = np.linalg.norm((found - found[0]) - (true - true[0]), axis=-1).mean()
    return off / np.linalg.norm(np.diff(true, axis=0), axis=-1).sum()


def test_a_walker_filmed_by_somebody_who_walks_along_gets_the_path_that_the_feet_tell(body):
    truth = walk(body, seconds=5.0)
    frames = len(truth.motion)
    times = np.arange(frames) / truth.motion.fps
    rotations = Rotation.from_rotvec(truth.motion.poses.reshape(frames * 55, 3)).as_matrix().reshape(frames, 55, 3, 3)[:, :22]
    rotations[:, 0] = UPRIGHT @ rotations[:, 0]
    camera = CameraMotion(np.tile(np.eye(3), (frames, 1, 1)), "travelling", np.diag([800.0, 800, 1]), "given", np.zeros(frames))
    always_there = np.tile([0.0, 0.2, 4.0], (frames, 1))  # the camera keeps its distance: the picture shows no path at all
    person = PersonTrack(BodyFit(rotations, always_there, np.zeros(10, np.float32)), 0, times, camera, np.ones(frames))
    placed = place_people(body, [person], np.array([0, -1.0, 0]))[0]
    assert drift(placed.root[:, :2], truth.pelvis[:, :2]) < 0.04
    assert abs(np.median(placed.root[:, 2]) - truth.pelvis[0, 2]) < 0.03
    seen = np.einsum("tij,tj->ti", placed.camera_R, placed.root) + placed.camera_t
    rest = body.rest_joints()[0].numpy()
    assert np.abs(seen - (always_there + rest)).max() < 0.06  # the written camera goes along


def test_a_captured_treadmill_walk_goes_somewhere_when_asked_to(body):
    truth = walk(body, seconds=4.0)
    treadmill = truth.motion
    true_path = truth.motion.trans[:, :2].copy()
    treadmill.trans = np.tile(treadmill.trans[:1], (len(treadmill), 1))
    assert drift(walk_by_feet(treadmill, body).trans[:, :2], true_path) < 0.04
