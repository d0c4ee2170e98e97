# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera paths of the truth clips, as world-to-camera transforms in OpenCV axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from truth_clips.people import wander

_FOLLOW_SECONDS = 0.35  # how lazily a camera operator follows


@dataclass(frozen=True)
class Camera:
    """`kind`: static (fixed), pan (turns in place after the person), travel (moves along with the
    person), slide (moves sideways by `slide` m while looking at the middle).

    `azimuth` deg where the camera stands, seen from the person; `distance`, `height`, `aim` m (height
    looked at); `roll` deg; `shake` 0..1 of a hand-held camera; `focal` in picture widths."""

    kind: str = "static"
    azimuth: float = -90.0
    distance: float = 4.5
    height: float = 1.4
    aim: float = 0.95
    roll: float = 0.0
    shake: float = 0.0
    slide: float = 0.0
    focal: float = 1.0


def intrinsics(camera: Camera, size: tuple[int, int]) -> np.ndarray:
    """(3,3) px for a picture of (width, height); the centre lies in the middle."""
    width, height = size
    focal = camera.focal * width
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])


def camera_path(camera: Camera, times: np.ndarray, middle: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """World-to-camera rotation (T,3,3) and translation (T,3) m.

    Args:
        middle: (T,3) m, the middle of the people at each time.
    """
    random = np.random.default_rng(seed)
    step = times[1] - times[0]
    followed = gaussian_filter1d(middle, _FOLLOW_SECONDS / step, axis=0, mode="nearest")
    followed[:, 2] = camera.aim
    centre = 0.5 * (followed.min(0) + followed.max(0))
    outward = np.array([np.cos(np.radians(camera.azimuth)), np.sin(np.radians(camera.azimuth)), 0.0])
    along = followed if camera.kind == "travel" else np.broadcast_to(centre, followed.shape)
    eye = along + camera.distance * outward
    eye[:, 2] = camera.height
    if camera.kind == "slide":
        across = np.cross([0.0, 0.0, 1.0], outward)
        progress = (times - times.mean()) / (times[-1] - times[0])
        eye = eye + camera.slide * progress[:, None] * across
    target = np.broadcast_to(centre, followed.shape) if camera.kind in ("static", "slide") else followed
    if camera.shake:
        eye = eye + camera.shake * (0.025 * wander(times, random, 3, 1.0) + 0.004 * wander(times, random, 3, 0.25))
    rotation = _look(target - eye, camera.roll)
    if camera.shake:
        jolts = 1.1 * wander(times, random, 3, 0.9) + 0.25 * wander(times, random, 3, 0.2)
        rotation = Rotation.from_rotvec(np.radians(camera.shake * jolts)).as_matrix() @ rotation
    return rotation, -np.einsum("tij,tj->ti", rotation, eye)


def _look(forward: np.ndarray, roll: float) -> np.ndarray:
    """(T,3,3) world-to-camera rotations that look along `forward` (T,3), turned by `roll` deg about it."""
    z = forward / np.linalg.norm(forward, axis=-1, keepdims=True)
    x = np.cross(z, [0.0, 0.0, 1.0])
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    level = np.stack([x, np.cross(z, x), z], 1)
    return Rotation.from_euler("z", roll, degrees=True).as_matrix() @ level
