# SPDX-License-Identifier: GPL-3.0-or-later
"""A supplied camera through a shot: points and poses are made up, so everything it should say is known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.video.background import KeyFrame, Matches
from smplit.video.camera_known import known_camera, triangulate
from smplit.video.camera_supplied import SuppliedCamera
from smplit.video.lens import Lens

COUNT = 40
LENS = Lens(np.array([[900.0, 0, 470], [0, 900, 275], [0, 0, 1]]), np.array([-0.1, 0.02, 0, 0]))
TO_WORK = np.array([0.5, 0.5])
# World z up, metres. The camera walks 3 m along x while it turns by 12 degrees, 1.5 m above the floor, and looks along y.
TURN = Rotation.from_euler("y", np.linspace(0, 12, COUNT)[:, None], degrees=True).as_matrix()
ROTATION = TURN @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
CENTRE = np.column_stack([np.linspace(-1.5, 1.5, COUNT), np.zeros(COUNT), np.full(COUNT, 1.5)])
POINTS = np.random.default_rng(5).uniform([-6, 4, 0], [6, 14, 4], (150, 3))


def camera(metric, rotation=ROTATION, centre=CENTRE):
    return SuppliedCamera(Path("a"), LENS, None, rotation, centre, metric=metric)


def in_first(points):
    """World points in the first frame's camera axes."""
    return (points - CENTRE[0]) @ ROTATION[0].T


def background(noise=0.0, wrong=0.0):
    """What is followed of POINTS: two key frames; `noise` working px on every corner, a share `wrong` that follows something else."""
    rng = np.random.default_rng(8)
    local = np.einsum("tij,tpj->tpi", ROTATION, POINTS[None] - CENTRE[:, None])
    pixels = local[..., :2] / local[..., 2:] * LENS.K[[0, 1], [0, 1]] + LENS.K[:2, 2]
    filmed = np.stack([LENS.bend(row) for row in pixels])
    seen = (filmed > 0).all(-1) & (filmed < [960, 540]).all(-1)
    work = filmed * TO_WORK - 0.5 + rng.normal(size=filmed.shape) * noise
    work[:, rng.random(len(POINTS)) < wrong] += rng.normal(size=(COUNT, 1, 2)).cumsum(0) * 3.0
    keys, matches = [], []
    for number, start in enumerate((0, COUNT // 2)):
        index = np.flatnonzero(seen[start])
        keys.append(KeyFrame(start, work[start, index].astype(np.float32), index, number - 1, np.eye(3), None))
        for row in range(start, start + COUNT // 2):
            here = np.flatnonzero(seen[row, index])
            matches.append(Matches(number, here, work[row, index[here]].astype(np.float32), np.ones(len(here), bool)))
    return SimpleNamespace(keys=keys, matches=matches, to_work=TO_WORK)


def test_background_points_are_found_where_they_are():
    turns, path = ROTATION @ ROTATION[0].T, in_first(CENTRE)
    points, frames = triangulate(background(), LENS, turns, path)
    assert len(points) > 100 and set(frames) == {0, COUNT // 2}
    distance = np.linalg.norm(points[:, None] - in_first(POINTS)[None], axis=-1).min(1)
    assert distance.max() < 0.01


def test_noise_and_corners_that_follow_people_leave_most_points_right():
    points, _ = triangulate(background(noise=0.1, wrong=0.2), LENS, ROTATION @ ROTATION[0].T, in_first(CENTRE))
    off = np.linalg.norm(points[:, None] - in_first(POINTS)[None], axis=-1).min(1) / np.linalg.norm(points, axis=1)
    assert len(points) > 60 and np.median(off) < 0.02 and (off < 0.1).mean() > 0.9


def test_a_camera_in_metres_travels_as_it_says_and_knows_the_world():
    known = known_camera(camera(metric=True), ROTATION, CENTRE, None)
    assert known.kind == "travelling" and known.path is None
    np.testing.assert_allclose(known.centre, in_first(CENTRE), atol=1e-12)
    np.testing.assert_allclose(known.rotation, TURN, atol=1e-12)
    np.testing.assert_allclose(known.to_world[2], [0, -1, 0], atol=1e-12)  # a level camera's up
    np.testing.assert_allclose(known.to_world @ known.rotation[9].T, ROTATION[9].T, atol=1e-12)


@pytest.mark.parametrize("unit", [0.01, 1.0, 250.0])
def test_a_camera_of_unknown_unit_and_world_brings_its_path_and_points_alike(unit):
    elsewhere = Rotation.from_euler("xyz", [40, 70, -120], degrees=True).as_matrix()
    rotation, centre = ROTATION @ elsewhere.T, unit * CENTRE @ elsewhere.T + [9.0, 1.0, -4.0]
    known = known_camera(camera(False, rotation, centre), rotation, centre, background())
    assert known.kind == "travelling" and known.centre is None and known.to_world is None
    np.testing.assert_allclose(known.path, unit * in_first(CENTRE), atol=1e-9 * unit)
    distance = np.linalg.norm(known.points[:, None] / unit - in_first(POINTS)[None], axis=-1).min(1)
    assert len(known.points) > 100 and distance.max() < 0.01


def test_a_camera_that_only_turns_or_stands_is_called_so():
    still, place = ROTATION[:1].repeat(COUNT, 0), CENTRE[:1].repeat(COUNT, 0)
    for metric in (True, False):
        assert known_camera(camera(metric, ROTATION, place), ROTATION, place, background()).kind == "rotating"
        assert known_camera(camera(metric, still, place), still, place, background()).kind == "static"
    sway = CENTRE[0] + 0.003 * np.sin(np.arange(COUNT))[:, None] * [1, 0, 1]  # m: people are not measured that well
    assert known_camera(camera(True, still, sway), still, sway, None).kind == "static"
