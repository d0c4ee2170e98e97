# SPDX-License-Identifier: GPL-3.0-or-later
"""One stretch of a travelling shot - frames tied to one key frame - and how its poses explain its corners.

Poses are key frame -> frame: rotation (T,3,3) and camera centre (T,3) in key-frame axes; every corner has an inverse
depth (M,) in the key frame. Corners are tangents (x/z, y/z). Frames are worked on in batches, which bounds memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from smplit.axes import matrix_from_axis_angle

_BATCH = 512  # frames


@dataclass
class Stretch:
    """Frames (T,) tied to one key frame whose corners are `corners` (M,2), in tangents (x/z, y/z).

    `seen` (T,M,2) are the corners in each frame, `weight` (T,M) 1 where followed, else 0. `tolerance` is
    the accuracy of a corner in the same unit.
    """

    corners: np.ndarray
    seen: np.ndarray
    weight: np.ndarray
    tolerance: float

    def parts(self) -> Iterator[tuple[slice, Stretch]]:
        """Rows of a batch of frames, and the stretch cut to them."""
        for first in range(0, len(self.seen), _BATCH):
            rows = slice(first, first + _BATCH)
            yield rows, Stretch(self.corners, self.seen[rows], self.weight[rows], self.tolerance)


def place(stretch: Stretch, inverse_depth: np.ndarray, rotation: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every frame on its own against known depths: Gauss-Newton, a batch of frames at once."""
    placed = [_place_part(part, inverse_depth, rotation[rows], centre[rows]) for rows, part in stretch.parts()]
    return np.concatenate([turn for turn, _ in placed]), np.concatenate([shift for _, shift in placed])


def _place_part(stretch: Stretch, inverse_depth: np.ndarray, rotation: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    weight = stretch.weight
    for step in range(8):
        scale = stretch.tolerance * max(1.5, 6.0 * 0.6**step)
        residual, jacobian, _ = linearise(stretch.corners, stretch.seen, rotation, centre, inverse_depth)
        robust = weight / (1.0 + (residual**2).sum(-1) / scale**2) ** 2 / scale**2
        block, right, _ = normal_equations(residual, jacobian, robust)
        diagonal = 1e-3 * np.einsum("taa->ta", block) + 1e-3
        delta = np.linalg.solve(block + diagonal[..., None] * np.eye(6), right[..., None])[..., 0]
        rotation, centre = matrix_from_axis_angle(delta[:, :3]) @ rotation, centre + delta[:, 3:]
    return rotation, centre


def place_again(stretch: Stretch, inverse_depth: np.ndarray, rotation: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A second try from a smooth path: a frame that took a sideways step for a turn stands out from the others."""
    cost = _cost(stretch, inverse_depth, rotation, centre)
    time = np.arange(1, len(centre) + 1)[:, None] / len(centre)
    # The path begins at the key frame, so the polynomial has no constant.
    basis, trust = time ** np.array([1, 2, 3]), 1.0 / (0.1 + cost[:, None])
    smooth = basis @ np.linalg.lstsq(basis * trust, centre * trust, rcond=1e-6)[0]
    turns = [_turn_at(part, inverse_depth, smooth[rows]) for rows, part in stretch.parts()]
    again = place(stretch, inverse_depth, np.concatenate(turns), smooth)
    better = _cost(stretch, inverse_depth, *again) < cost - 0.02
    return np.where(better[:, None, None], again[0], rotation), np.where(better[:, None], again[1], centre)


def _turn_at(stretch: Stretch, inverse_depth: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The turning (T,3,3) that suits given camera centres best."""
    points = with_one(stretch.corners) - inverse_depth[:, None] * centre[:, None]
    unit = lambda rays: rays / np.maximum(np.linalg.norm(rays, axis=-1, keepdims=True), 1e-9)
    return best_rotation(unit(points), unit(with_one(stretch.seen)), stretch.weight)


def _cost(stretch: Stretch, inverse_depth: np.ndarray, rotation: np.ndarray, centre: np.ndarray) -> np.ndarray:
    costs = [frame_cost(part, errors(part, rotation[rows], centre[rows], inverse_depth)[0]) for rows, part in stretch.parts()]
    return np.concatenate(costs)


def best_rotation(before: np.ndarray, now: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(T,3,3) with now = R before, weighted least squares over (T,M,3) unit rays (Kabsch 1976)."""
    u, _, vt = np.linalg.svd(np.einsum("tmi,tm,tmj->tij", now, weight, before, optimize=True) + 1e-9 * np.eye(3))
    sign = np.ones((len(u), 3))
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    return (u * sign[:, None]) @ vt


def robust_cost(squared: np.ndarray) -> np.ndarray:
    """Geman-McClure cost, 0..9, of squared errors in units of the tolerance: what is far off costs no more than 9."""
    return 9.0 * squared / (squared + 9.0)


def frame_cost(stretch: Stretch, squared: np.ndarray) -> np.ndarray:
    """(T,) mean robust cost from squared errors (T,M)."""
    return (stretch.weight * robust_cost(squared)).sum(1) / np.maximum(stretch.weight.sum(1), 1.0)


def errors(stretch: Stretch, rotation: np.ndarray, centre: np.ndarray, inverse_depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared error (T,M) in tolerances and the part of the motion that travel makes (T,M,2), tangents."""
    residual, at = residual_of(stretch.corners, stretch.seen, rotation, centre, inverse_depth)
    _, at_still = residual_of(stretch.corners, stretch.seen, rotation, np.zeros_like(centre), inverse_depth)
    return (residual**2).sum(-1) / stretch.tolerance**2, at - at_still


def residual_of(corners, seen, rotation, centre, inverse_depth) -> tuple[np.ndarray, np.ndarray]:
    """Residual (T,M,2) and where the corners should be (T,M,2), tangents."""
    point = (with_one(corners) - inverse_depth[:, None] * centre[:, None]) @ np.swapaxes(rotation, 1, 2)
    at = point[..., :2] / np.maximum(point[..., 2:], 0.05)
    return at - seen, at


def linearise(corners, seen, rotation, centre, inverse_depth) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Residual (T,M,2), its derivative by turn and centre (T,M,2,6) and by inverse depth (T,M,2)."""
    point = (with_one(corners) - inverse_depth[:, None] * centre[:, None]) @ np.swapaxes(rotation, 1, 2)
    z = np.maximum(point[..., 2], 0.05)
    at = point[..., :2] / z[..., None]
    u, v = at[..., 0], at[..., 1]
    by_pose = np.empty((*u.shape, 2, 6))
    by_pose[..., 0, 0], by_pose[..., 0, 1], by_pose[..., 0, 2] = -u * v, 1.0 + u * u, -v
    by_pose[..., 1, 0], by_pose[..., 1, 1], by_pose[..., 1, 2] = -1.0 - v * v, u * v, u
    # What moves a point by d moves its tangents by (d_xy - at d_z) / z.
    by_pose[..., 3:] = (-inverse_depth / z)[..., None, None] * (rotation[:, None, :2] - at[..., None] * rotation[:, None, 2:])
    travel = (rotation @ centre[..., None])[..., 0]
    by_depth = (at * travel[:, None, 2:] - travel[:, None, :2]) / z[..., None]
    return at - seen, by_pose, by_depth


def normal_equations(residual: np.ndarray, by_pose: np.ndarray, robust: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each frame's pose: curvature (T,6,6) and downhill gradient (T,6); and `by_pose` (T,M,2,6) times the weights `robust` (T,M)."""
    weighted = robust[..., None, None] * by_pose
    rows = np.swapaxes(weighted.reshape(len(robust), -1, 6), 1, 2)
    return rows @ by_pose.reshape(len(robust), -1, 6), -(rows @ residual.reshape(len(robust), -1, 1))[..., 0], weighted


def with_one(tangents: np.ndarray) -> np.ndarray:
    """(...,2) -> rays (...,3) with z = 1."""
    return np.concatenate([tangents, np.ones((*tangents.shape[:-1], 1))], axis=-1)
