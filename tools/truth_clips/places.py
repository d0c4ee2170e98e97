# SPDX-License-Identifier: GPL-3.0-or-later
"""Surroundings of the truth clips as boxes: a room, a street, a park. World: Z up, metres."""

from __future__ import annotations

import numpy as np

PLANKS, WALL, BRICK, CRATE, PAVING, GRASS, FACADE, LEAVES, BARK = range(9)
_CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32) * 0.5
_FACES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
_NORMALS = np.array([[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]], np.float32)


def box(centre: tuple[float, float, float], size: tuple[float, float, float], material: int, yaw: float = 0.0) -> np.ndarray:
    """(36,7) position, normal, material of an axis-aligned box turned by `yaw` deg about Z."""
    cosine, sine = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]], np.float32)
    rows = []
    for face, normal in zip(_FACES, _NORMALS, strict=True):
        corners = (_CORNERS[list(face)] * np.asarray(size, np.float32)) @ turn.T + np.asarray(centre, np.float32)
        for corner in corners[[0, 1, 2, 0, 2, 3]]:
            rows.append([*corner, *(turn @ normal), material])
    return np.array(rows, np.float32)


def build(place: str, seed: int, clear: np.ndarray) -> np.ndarray:
    """(N,7) float32 triangles of a place.

    Args:
        clear: (M,2) m, ground points that must stay free: where people walk and the camera looks through.
    """
    random = np.random.default_rng(seed)
    parts = {"room": _room, "street": _street, "park": _park}[place](random)
    return np.concatenate([part for part in parts if not _in_the_way(part, clear)])


def _in_the_way(part: np.ndarray, clear: np.ndarray) -> bool:
    """Whether a movable box (not the ground, not a room's wall) comes within half a metre of a free point."""
    low, high = part[:, :3].min(0), part[:, :3].max(0)
    if high[2] <= 0 or max(high[:2] - low[:2]) > 12.0:
        return False
    gap = np.maximum(np.maximum(low[:2] - clear, clear - high[:2]), 0.0)
    return bool((np.linalg.norm(gap, axis=1) < 0.5).any())


def _room(random: np.random.Generator) -> list[np.ndarray]:
    parts = [box((0, 0, -0.05), (13, 13, 0.1), PLANKS)]
    for side, material in ((-1, WALL), (1, BRICK)):
        parts.append(box((0, 6.5 * side, 1.7), (13, 0.2, 3.4), material))
        parts.append(box((6.5 * side, 0, 1.7), (0.2, 13, 3.4), WALL))
    for _ in range(14):
        angle, radius = random.uniform(0, 360), random.uniform(4.6, 5.9)
        size = random.uniform((0.35, 0.35, 0.3), (1.1, 0.8, 1.6))
        centre = (radius * np.cos(np.radians(angle)), radius * np.sin(np.radians(angle)), size[2] / 2)
        parts.append(box(centre, tuple(size), int(random.choice([CRATE, BARK, CRATE])), random.uniform(0, 90)))
    return parts


def _street(random: np.random.Generator) -> list[np.ndarray]:
    parts = [box((0, 0, -0.05), (60, 60, 0.1), PAVING)]
    for side in (-1, 1):
        for k in range(6):
            height = random.uniform(5, 12)
            front = (-22 + 9 * k, 11 * side + random.uniform(-1, 1), height / 2)
            parts.append(box(front, (8.6, 6, height), FACADE if random.random() < 0.7 else BRICK))
            parts.append(box((11 * side * 1.8 + random.uniform(-1, 1), -22 + 9 * k, height / 2), (6, 8.6, height), FACADE))
    for _ in range(16):
        angle, radius = random.uniform(0, 2 * np.pi), random.uniform(4.5, 7.5)
        size = random.uniform((0.3, 0.3, 0.4), (1.0, 1.0, 1.3))
        centre = (radius * np.cos(angle), radius * np.sin(angle), size[2] / 2)
        parts.append(box(centre, tuple(size), int(random.choice([CRATE, BRICK, BARK])), random.uniform(0, 90)))
    return parts


def _park(random: np.random.Generator) -> list[np.ndarray]:
    parts = [box((0, 0, -0.05), (80, 80, 0.1), GRASS), box((0, 0, -0.04), (9, 60, 0.1), PAVING)]
    for _ in range(34):
        angle, radius = random.uniform(0, 2 * np.pi), random.uniform(6.5, 22)
        x, y = radius * np.cos(angle), radius * np.sin(angle)
        height = random.uniform(1.6, 3.2)
        parts.append(box((x, y, height / 2), (0.3, 0.3, height), BARK, random.uniform(0, 90)))
        for _ in range(9):
            offset = random.normal(size=3) * np.array([0.7, 0.7, 0.5])
            size = tuple(random.uniform(0.5, 1.2, 3))
            parts.append(box((x + offset[0], y + offset[1], height + 0.5 + offset[2]), size, LEAVES, random.uniform(0, 90)))
    for _ in range(8):
        angle, radius = random.uniform(0, 2 * np.pi), random.uniform(4.5, 6)
        parts.append(box((radius * np.cos(angle), radius * np.sin(angle), 0.25), (1.4, 0.45, 0.5), CRATE, random.uniform(0, 180)))
    for k in range(6):
        parts.append(box((-25 + 10 * k, 27, 4), (9, 5, 8), FACADE))
    return parts
