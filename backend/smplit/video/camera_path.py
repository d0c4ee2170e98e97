# SPDX-License-Identifier: GPL-3.0-or-later
"""A camera that travels: its turning and its path, up to scale, from corners followed against key frames.

Between one key frame and the frames tied to it, a small bundle adjustment (Triggs et al. 2000) solves
the poses and one inverse depth per corner. It starts from equal depths (Yu & Gallup 2014), which
needs no first guess of the direction of travel; far corners then fix the turning and near ones the
path. Stretches share corners, which carries the scale on from one to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from smplit.axes import axis_angle_from_matrix, matrix_from_axis_angle

_BUNDLE_FRAMES = 20  # of one stretch: enough for depth; the other frames only place themselves
_TRIAL_FRAMES = 6  # of those, to choose the best start with
_STEPS, _TRIAL_STEPS = 25, 15
_NEAREST = 12.0  # inverse depth, where the median corner has about 1
_MIN_SHARED = 6


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
    starts = _starts(stretch, rotation, widest)
    tried = [_bundle(stretch, few, turns[few], centres[few], depths, _TRIAL_STEPS) for turns, centres, depths in starts]
    poses = _place_all(stretch, few, min(tried, key=lambda solved: solved[3]))
    poses = _place_all(stretch, chosen, _bundle(stretch, chosen, poses[0][chosen], poses[1][chosen], poses[2]))
    inverse_depth = poses[2]
    squared, travel = _errors(stretch, *poses)
    cost = _frame_cost(stretch, squared)
    fits = (stretch.weight > 0) & (squared < 9.0)
    # A depth is known when travel moved its corner by many times the tolerance in some frame it was seen in.
    sway = np.max(np.where(fits, np.linalg.norm(travel, axis=-1), 0.0), axis=0) / stretch.tolerance
    steady = (sway > 5.0) & (fits.sum(0) > 0.5 * np.maximum(stretch.weight.sum(0), 1.0)) & (inverse_depth > 1e-3)
    return StretchPath(poses[0], poses[1], inverse_depth, cost, steady)


def robust_cost(squared: np.ndarray) -> np.ndarray:
    """Geman-McClure cost, 0..9, of squared errors in units of the tolerance: what is far off costs no more than 9."""
    return 9.0 * squared / (squared + 9.0)


def _starts(stretch: Stretch, rotation: np.ndarray, widest: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """First guesses: rotation (T,3,3), centre (T,3), inverse depth (M,).

    Equal depths with a step forward or backward suit a camera that follows somebody. Sideways travel
    resembles a turn, which no descent undoes; there the widest pair of pictures gives the guesses.
    """
    count, points = stretch.weight.shape
    level = np.ones(points)
    starts = [(rotation, np.tile([0.0, 0.0, step], (count, 1)), level) for step in (1e-2, -1e-2)]
    there = stretch.weight[widest] > 0
    before, now = stretch.corners[there], stretch.seen[widest, there]
    if there.sum() < _MIN_SHARED:
        return starts
    for turn, centre in _two_views(before, now, stretch.tolerance):
        start = _grow(stretch, widest, turn, centre)
        if start is not None:
            starts.append(start)
    return starts


def _two_views(before: np.ndarray, now: np.ndarray, tolerance: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Turn (3,3) and centre (3,) of the second view that two sets of tangents (m,2) may mean: all motion a shift;
    a scene with depth (essential matrix, Nister 2004); a flat scene, such as a wall or the ground (homography)."""
    guesses = [(np.eye(3), np.append(np.median(before - now, axis=0), 0.0))]
    essential, agrees = cv2.findEssentialMat(before, now, np.eye(3), cv2.RANSAC, 0.999, 3.0 * tolerance)
    if essential is not None and essential.shape == (3, 3):
        good, turn, shift, _ = cv2.recoverPose(essential, before, now, np.eye(3), mask=agrees.copy())
        if good >= _MIN_SHARED:
            guesses.append((turn, -turn.T @ shift[:, 0]))
    homography, agrees = cv2.findHomography(before, now, cv2.RANSAC, 3.0 * tolerance)
    if homography is None:
        return guesses
    _, turns, shifts, normals = cv2.decomposeHomographyMat(homography, np.eye(3))
    on_plane = before[agrees.ravel() > 0]
    for turn, shift, normal in zip(turns, shifts, normals, strict=True):
        if ((on_plane @ normal[:2] + normal[2]) > 0.0).mean() > 0.9:
            guesses.append((turn, -turn.T @ shift[:, 0]))
    return guesses


def _grow(stretch: Stretch, widest: int, turn: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """All frames and depths from the pose of the widest one; None when it means no depth at all."""
    there = stretch.weight[widest] > 0
    before, now = stretch.corners[there], stretch.seen[widest, there]
    # Depth along each ray where the pair's epipolar motion puts it: x' ~ R (a - rho c), linear in rho.
    turned = np.concatenate([before, np.ones((len(before), 1))], axis=1) @ turn.T
    pushed = turn @ centre
    slope = pushed[:2] - now * pushed[2]
    depth = ((turned[:, :2] - now * turned[:, 2:]) * slope).sum(1) / np.maximum((slope**2).sum(1), 1e-12)
    unit = float(np.median(np.clip(depth, 0.0, None)))
    if unit < 1e-6:
        return None
    inverse_depth = np.ones(stretch.weight.shape[1])
    inverse_depth[there] = np.clip(depth / unit, 0.0, _NEAREST)
    # The other frames: somewhere between none and all of that motion, then each on its own.
    share = np.clip(np.arange(1, len(stretch.seen) + 1) / (widest + 1), 0.0, 1.0)
    turns = matrix_from_axis_angle(share[:, None] * axis_angle_from_matrix(turn))
    return *_place(stretch, inverse_depth, turns, share[:, None] * centre * unit), inverse_depth


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
        residual, jacobian_pose, jacobian_depth = _linearise(corners, seen, rotation, centre, inverse_depth)
        robust = weight / (1.0 + (residual**2).sum(-1) / scale**2) ** 2 / scale**2
        new_cost = _cost(residual, weight, scale)
        pose_block = np.einsum("tmia,tmib,tm->tab", jacobian_pose, jacobian_pose, robust, optimize=True)
        cross = np.einsum("tmia,tmi,tm->tam", jacobian_pose, jacobian_depth, robust, optimize=True)
        depth_block = np.einsum("tmi,tmi,tm->m", jacobian_depth, jacobian_depth, robust, optimize=True)
        pose_right = -np.einsum("tmia,tmi,tm->ta", jacobian_pose, residual, robust, optimize=True)
        # Weak belief in depths like the others': corners that travel says nothing about stay finite.
        depth_right = -np.einsum("tmi,tmi,tm->m", jacobian_depth, residual, robust, optimize=True) - 0.05 * (inverse_depth - 1.0)
        depth_block = depth_block * (1.0 + damping) + 0.05
        pose_block = pose_block + (damping * np.einsum("taa->ta", pose_block) + 1e-6)[..., None] * np.eye(6)
        flat = cross.reshape(frames * 6, points)
        system = -(flat / depth_block) @ flat.T
        for t in range(frames):
            system[6 * t : 6 * t + 6, 6 * t : 6 * t + 6] += pose_block[t]
        pose_step = np.linalg.solve(system, pose_right.ravel() - flat @ (depth_right / depth_block))
        depth_step = (depth_right - flat.T @ pose_step) / depth_block
        pose_step = pose_step.reshape(frames, 6)
        trial = matrix_from_axis_angle(pose_step[:, :3]) @ rotation, centre + pose_step[:, 3:], np.clip(inverse_depth + depth_step, 0.0, _NEAREST)
        trial_residual, _ = _residual(corners, seen, *trial)
        trial_cost = _cost(trial_residual, weight, scale)
        if trial_cost < new_cost:
            rotation, centre, inverse_depth = trial
            damping, cost = max(damping * 0.3, 1e-5), trial_cost
        else:
            damping, cost = min(damping * 6.0, 1e3), new_cost
        # Scale is free: the median corner is at 1, which is what the weak belief and the limits mean.
        unit = np.median(inverse_depth)
        if unit > 1e-3:
            inverse_depth, centre = np.minimum(inverse_depth / unit, _NEAREST), centre * unit
    return rotation, centre, inverse_depth, cost


def _place(stretch: Stretch, inverse_depth: np.ndarray, rotation: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every frame on its own against known depths: Gauss-Newton, all frames at once."""
    weight = stretch.weight
    for step in range(8):
        scale = stretch.tolerance * max(1.5, 6.0 * 0.6**step)
        residual, jacobian, _ = _linearise(stretch.corners, stretch.seen, rotation, centre, inverse_depth)
        robust = weight / (1.0 + (residual**2).sum(-1) / scale**2) ** 2 / scale**2
        block = np.einsum("tmia,tmib,tm->tab", jacobian, jacobian, robust, optimize=True)
        right = -np.einsum("tmia,tmi,tm->ta", jacobian, residual, robust, optimize=True)
        diagonal = 1e-3 * np.einsum("taa->ta", block) + 1e-3
        delta = np.linalg.solve(block + diagonal[..., None] * np.eye(6), right[..., None])[..., 0]
        rotation, centre = matrix_from_axis_angle(delta[:, :3]) @ rotation, centre + delta[:, 3:]
    return rotation, centre


def _place_all(stretch: Stretch, rows: np.ndarray, solved: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """From a bundle of some frames (`rows`) to all: rotation, centre, inverse depth."""
    rotation, centre, inverse_depth, _ = solved
    nearest = np.abs(np.arange(len(stretch.seen))[:, None] - rows[None]).argmin(axis=1)
    placed = _place(stretch, inverse_depth, rotation[nearest], centre[nearest])
    return *_place_again(stretch, inverse_depth, *placed), inverse_depth


def _place_again(stretch: Stretch, inverse_depth: np.ndarray, rotation: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A second try from a smooth path: a frame that took a sideways step for a turn stands out from the others."""
    cost = _frame_cost(stretch, _errors(stretch, rotation, centre, inverse_depth)[0])
    time = np.arange(1, len(centre) + 1)[:, None] / len(centre)
    # The path begins at the key frame, so the polynomial has no constant.
    basis, trust = time ** np.array([1, 2, 3]), 1.0 / (0.1 + cost[:, None])
    smooth = basis @ np.linalg.lstsq(basis * trust, centre * trust, rcond=1e-6)[0]
    points = np.concatenate([stretch.corners, np.ones((len(stretch.corners), 1))], axis=1) - inverse_depth[:, None] * smooth[:, None]
    now = np.concatenate([stretch.seen, np.ones((*stretch.weight.shape, 1))], axis=2)
    unit = lambda rays: rays / np.maximum(np.linalg.norm(rays, axis=-1, keepdims=True), 1e-9)
    again = _place(stretch, inverse_depth, best_rotation(unit(points), unit(now), stretch.weight), smooth)
    better = _frame_cost(stretch, _errors(stretch, *again, inverse_depth)[0]) < cost - 0.02
    return np.where(better[:, None, None], again[0], rotation), np.where(better[:, None], again[1], centre)


def best_rotation(before: np.ndarray, now: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(T,3,3) with now = R before, weighted least squares over (T,M,3) unit rays (Kabsch 1976)."""
    u, _, vt = np.linalg.svd(np.einsum("tmi,tm,tmj->tij", now, weight, before, optimize=True) + 1e-9 * np.eye(3))
    sign = np.ones((len(u), 3))
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    return (u * sign[:, None]) @ vt


def _cost(residual: np.ndarray, weight: np.ndarray, scale: float) -> float:
    squared = (residual**2).sum(-1) / scale**2
    return float((weight * squared / (1.0 + squared)).sum() / weight.sum())


def _frame_cost(stretch: Stretch, squared: np.ndarray) -> np.ndarray:
    return (stretch.weight * robust_cost(squared)).sum(1) / np.maximum(stretch.weight.sum(1), 1.0)


def _errors(stretch: Stretch, rotation: np.ndarray, centre: np.ndarray, inverse_depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared error (T,M) in tolerances and the part of the motion that travel makes (T,M,2), tangents."""
    residual, at = _residual(stretch.corners, stretch.seen, rotation, centre, inverse_depth)
    _, at_still = _residual(stretch.corners, stretch.seen, rotation, np.zeros_like(centre), inverse_depth)
    return (residual**2).sum(-1) / stretch.tolerance**2, at - at_still


def _residual(corners, seen, rotation, centre, inverse_depth) -> tuple[np.ndarray, np.ndarray]:
    """Residual (T,M,2) and where the corners should be (T,M,2), tangents."""
    rays = np.concatenate([corners, np.ones((len(corners), 1))], axis=1)
    point = np.einsum("tij,tmj->tmi", rotation, rays[None] - inverse_depth[None, :, None] * centre[:, None])
    at = point[..., :2] / np.maximum(point[..., 2:], 0.05)
    return at - seen, at


def _linearise(corners, seen, rotation, centre, inverse_depth) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Residual (T,M,2), its derivative by turn and centre (T,M,2,6) and by inverse depth (T,M,2)."""
    rays = np.concatenate([corners, np.ones((len(corners), 1))], axis=1)
    point = np.einsum("tij,tmj->tmi", rotation, rays[None] - inverse_depth[None, :, None] * centre[:, None])
    x, y, z = point[..., 0], point[..., 1], np.maximum(point[..., 2], 0.05)
    u, v, zero = x / z, y / z, np.zeros_like(x)
    # Derivative of (x/z, y/z) by the point, (T,M,2,3).
    to_tangent = np.stack([np.stack([1 / z, zero, -u / z], -1), np.stack([zero, 1 / z, -v / z], -1)], axis=-2)
    skew = np.stack([zero, z, -y, -z, zero, x, y, -x, zero], -1).reshape(*x.shape, 3, 3)  # d(w x p)/dw
    by_turn = to_tangent @ skew
    by_centre = -inverse_depth[None, :, None, None] * (to_tangent @ rotation[:, None])
    by_depth = -np.einsum("tmij,tj->tmi", to_tangent, np.einsum("tij,tj->ti", rotation, centre))
    return np.stack([u, v], -1) - seen, np.concatenate([by_turn, by_centre], -1), by_depth


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
    if trusted.sum() < _MIN_SHARED:
        return None
    ours, theirs = parent_index[trusted], child_index[trusted]
    rays = np.concatenate([corners[ours], np.ones((len(ours), 1))], axis=1)
    depth = ((rays / parent.inverse_depth[ours, None] - parent.centre[at]) @ parent.rotation[at].T)[:, 2]
    ratio = depth * child.inverse_depth[theirs]
    ratio = ratio[ratio > 0]
    return float(np.median(ratio)) if len(ratio) >= _MIN_SHARED else None
