# SPDX-License-Identifier: GPL-3.0-or-later
"""A camera that travels: its turning and its path, up to scale, from corners followed against key frames.

Between one key frame and the frames tied to it, a small bundle adjustment (Triggs et al. 2000) solves
the poses and one inverse depth per corner. It starts from equal depths (Yu & Gallup 2014), which
needs no first guess of the direction of travel; far corners then fix the turning and near ones the
path. Stretches share corners, which carries the scale on from one to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smplit.axes import matrix_from_axis_angle
from smplit.video.camera_starts import MIN_SHARED, NEAREST, first_guesses
from smplit.video.camera_stretch import Stretch, errors, frame_cost, linearise, normal_equations, place, place_again, residual_of, with_one

_BUNDLE_FRAMES = 20  # of one stretch: enough for depth; the other frames only place themselves
_TRIAL_FRAMES = 6  # of those, to choose the best start with
_STEPS, _TRIAL_STEPS = 25, 15


@dataclass
class StretchPath:
    """`rotation` (T,3,3) key frame -> frame, `centre` (T,3) in key-frame axes, `inverse_depth` (M,) in the
    key frame, both in the stretch's own unit; `cost` (T,) mean robust squared error, tolerance = 1.

    `steady` (M,) corners whose depth can be trusted."""

    rotation: np.ndarray
    centre: np.ndarray
    inverse_depth: np.ndarray
    cost: np.ndarray
    steady: np.ndarray


def solve_stretch(stretch: Stretch, rotation: np.ndarray) -> StretchPath:
    """Bundle-adjust one stretch from `rotation` (T,3,3), the best turning without travel."""
    count = len(stretch.seen)
    motion = np.linalg.norm(stretch.seen - stretch.corners, axis=-1) * stretch.weight
    widest = int(np.argmax(motion.sum(1) / np.maximum(stretch.weight.sum(1), 1.0) * np.sqrt(stretch.weight.sum(1))))
    chosen = np.unique(np.linspace(0, count - 1, min(count, _BUNDLE_FRAMES)).round().astype(int))
    chosen = np.union1d(chosen, [widest])
    few = np.union1d(chosen[:: len(chosen) // _TRIAL_FRAMES + 1], [widest])
    starts = first_guesses(stretch, rotation, widest)
    tried = [_bundle(stretch, few, turns[few], centres[few], depths, _TRIAL_STEPS) for turns, centres, depths in starts]
    poses = _place_all(stretch, few, min(tried, key=lambda solved: solved[3]))
    poses = _place_all(stretch, chosen, _bundle(stretch, chosen, poses[0][chosen], poses[1][chosen], poses[2]))
    cost, steady = steady_corners(stretch, *poses)
    return StretchPath(*poses, cost, steady)


def steady_corners(stretch: Stretch, rotation: np.ndarray, centre: np.ndarray, inverse_depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cost of every frame (T,), and corners whose depth is known (M,): travel moved them by many times the tolerance."""
    costs, sway, fitting = [], np.zeros(len(stretch.corners)), np.zeros(len(stretch.corners))
    for rows, part in stretch.parts():
        squared, travel = errors(part, rotation[rows], centre[rows], inverse_depth)
        costs.append(frame_cost(part, squared))
        fits = (part.weight > 0) & (squared < 9.0)
        sway = np.maximum(sway, np.max(np.where(fits, np.linalg.norm(travel, axis=-1), 0.0), axis=0) / stretch.tolerance)
        fitting += fits.sum(0)
    steady = (sway > 5.0) & (fitting > 0.5 * np.maximum(stretch.weight.sum(0), 1.0)) & (inverse_depth > 1e-3)
    return np.concatenate(costs), steady


def _place_all(stretch: Stretch, rows: np.ndarray, solved: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """From a bundle of some frames (`rows`) to all: rotation, centre, inverse depth."""
    rotation, centre, inverse_depth, _ = solved
    nearest = np.abs(np.arange(len(stretch.seen))[:, None] - rows[None]).argmin(axis=1)
    placed = place(stretch, inverse_depth, rotation[nearest], centre[nearest])
    return *place_again(stretch, inverse_depth, *placed), inverse_depth


def _bundle(
    stretch: Stretch, rows: np.ndarray, rotation: np.ndarray, centre: np.ndarray, inverse_depth: np.ndarray, steps: int = _STEPS
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Levenberg-Marquardt over some frames (`rows`) with the corners eliminated (Schur complement, Triggs et al.
    2000): rotation, centre, inverse depth, cost."""
    corners, seen, weight, tolerance = stretch.corners, stretch.seen[rows], stretch.weight[rows], stretch.tolerance
    frames, points = weight.shape
    damping, cost = 1e-2, np.inf
    for step in range(steps):
        # The tolerance shrinks from coarse to fine, so that a poor start is not cemented by robust weights.
        scale = tolerance * max(1.5, 12.0 * 0.75**step)
        residual, jacobian_pose, jacobian_depth = linearise(corners, seen, rotation, centre, inverse_depth)
        robust = weight / (1.0 + (residual**2).sum(-1) / scale**2) ** 2 / scale**2
        new_cost = _cost(residual, weight, scale)
        pose_block, pose_right, weighted = normal_equations(residual, jacobian_pose, robust)
        cross = np.swapaxes((weighted * jacobian_depth[..., None]).sum(2), 1, 2)
        depth_block = (robust[..., None] * jacobian_depth**2).sum((0, 2))
        # Weak belief in depths like the others': corners that travel says nothing about stay finite.
        depth_right = -(robust[..., None] * jacobian_depth * residual).sum((0, 2)) - 0.05 * (inverse_depth - 1.0)
        depth_block = depth_block * (1.0 + damping) + 0.05
        pose_block = pose_block + (damping * np.einsum("taa->ta", pose_block) + 1e-6)[..., None] * np.eye(6)
        flat = cross.reshape(frames * 6, points)
        system = -(flat / depth_block) @ flat.T
        for t in range(frames):
            system[6 * t : 6 * t + 6, 6 * t : 6 * t + 6] += pose_block[t]
        pose_step = np.linalg.solve(system, pose_right.ravel() - flat @ (depth_right / depth_block))
        depth_step = (depth_right - flat.T @ pose_step) / depth_block
        pose_step = pose_step.reshape(frames, 6)
        trial = matrix_from_axis_angle(pose_step[:, :3]) @ rotation, centre + pose_step[:, 3:], np.clip(inverse_depth + depth_step, 0.0, NEAREST)
        trial_residual, _ = residual_of(corners, seen, *trial)
        trial_cost = _cost(trial_residual, weight, scale)
        if trial_cost < new_cost:
            rotation, centre, inverse_depth = trial
            damping, cost = max(damping * 0.3, 1e-5), trial_cost
        else:
            damping, cost = min(damping * 6.0, 1e3), new_cost
        # Scale is free: the median corner is at 1, which is what the weak belief and the limits mean.
        unit = np.median(inverse_depth)
        if unit > 1e-3:
            inverse_depth, centre = np.minimum(inverse_depth / unit, NEAREST), centre * unit
    return rotation, centre, inverse_depth, cost


def _cost(residual: np.ndarray, weight: np.ndarray, scale: float) -> float:
    squared = (residual**2).sum(-1) / scale**2
    return float((weight * squared / (1.0 + squared)).sum() / weight.sum())


def shared_scale(
    parent: StretchPath, at: int, corners: np.ndarray, child: StretchPath, parent_index: np.ndarray, child_index: np.ndarray
) -> float | None:
    """Length of the child's unit in the parent's, from corners that both know; None when too few do.

    Args:
        at: the parent's frame that is the child's key frame.
        corners: (M,2) the parent's key-frame corners, tangents.
        parent_index, child_index: (S,) the same corners' numbers in both.
    """
    trusted = parent.steady[parent_index] & child.steady[child_index]
    if trusted.sum() < MIN_SHARED:
        return None
    ours, theirs = parent_index[trusted], child_index[trusted]
    rays = with_one(corners[ours])
    depth = ((rays / parent.inverse_depth[ours, None] - parent.centre[at]) @ parent.rotation[at].T)[:, 2]
    ratio = depth * child.inverse_depth[theirs]
    ratio = ratio[ratio > 0]
    return float(np.median(ratio)) if len(ratio) >= MIN_SHARED else None
