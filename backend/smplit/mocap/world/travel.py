# SPDX-License-Identifier: GPL-3.0-or-later
"""A travelling camera's place in metres: its path from the background, its unit from people's feet on the ground."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from smplit.body.model import BodyModel
from smplit.mocap.observations import CameraMotion
from smplit.mocap.world import contacts as contact
from smplit.mocap.world.gravity import Balance
from smplit.mocap.world.placement import PersonTrack, body_in_axes
from smplit.video.camera_scale import Feet, metric_ground

_EVERY = 0.1  # s between two sightings of a foot
_AGREEING = 0.35  # relative scatter of the scale beyond which the feet do not agree on one
_STEADY = 0.12  # s: a hand or a dolly moves no faster; what is faster is noise, and would shake everybody
_GROUND_SPREAD = 0.035  # rad, of a ground plane's normal


def place_travelling_camera(
    camera: CameraMotion, times: np.ndarray, body: BodyModel, people: Sequence[PersonTrack], up: np.ndarray
) -> tuple[np.ndarray, Balance] | None:
    """The camera's centre (N,3) m in the first frame's axes, and the ground's evidence of up.

    Args:
        camera: of the whole shot, travelling.
        times: (N,) s of its frames.
        people: fitted in the camera.
        up: (3,) up direction as people's balance tells it.

    Returns:
        None when the background or the feet do not tell the path's unit.
    """
    if camera.path is None or camera.points is None:
        return None
    sightings = [_sightings(body, person, camera, up) for person in people if person.legs_seen]
    if not sightings:
        return None
    feet = Feet(*(np.concatenate(values) for values in zip(*sightings, strict=True)))
    ground = metric_ground(camera.rotation, camera.path, camera.points, camera.points_frame, camera.K, feet, up)
    if ground is None or ground.spread > _AGREEING:
        return None
    path = contact.smooth(camera.path, times, _STEADY)
    return path * ground.metres, Balance(ground.up, _GROUND_SPREAD)


def _sightings(body: BodyModel, person: PersonTrack, camera: CameraMotion, up: np.ndarray) -> tuple[np.ndarray, ...]:
    """Frame of the shot, pixels, depth and trust of the sole points of one person, now and then."""
    _, _, soles = body_in_axes(body, person)
    planted = contact.foot_contacts(soles, up, person.times, True) * person.legs[:, None]
    in_camera = np.einsum("tij,tpj->tpi", person.camera.rotation, soles)
    step = max(1, round(_EVERY / max(float(np.median(np.diff(person.times))), 1e-3)))
    rows = np.arange(0, len(soles), step)
    places = in_camera[rows].reshape(-1, 3)
    pixels = places[:, :2] / np.maximum(places[:, 2:], 0.1) * camera.K[[0, 1], [0, 1]] + camera.K[:2, 2]
    return np.repeat(rows + person.first, 4), pixels, places[:, 2], planted[rows].ravel()
