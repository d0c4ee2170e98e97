# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions as shape directions, and the 51 + 17 face landmarks (iBUG) that the smplx package reads from the file."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from open_body.skeleton import joint_index

SHAPE_COLUMNS, ALL_COLUMNS = 300, 400  # smplx reads betas from the first and expressions from the rest
# Ten mixtures first, for tools that read only ten expressions.
MIXTURES = {
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "pucker": ("mouthPucker",),
    "brows_up": ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    "brows_down": ("browDownLeft", "browDownRight"),
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "frown": ("mouthFrownLeft", "mouthFrownRight"),
    "sneer": ("noseSneerLeft", "noseSneerRight", "mouthUpperUpLeft", "mouthUpperUpRight"),
    "lower_down_stretch": ("mouthLowerDownLeft", "mouthLowerDownRight", "mouthStretchLeft", "mouthStretchRight"),
    "cheek_puff": ("cheekPuff",),
    "funnel": ("mouthFunnel",),
}
_ROWS, _CONTOUR = 79, 17  # contour landmarks for every degree of yaw, -39 ... 39


def shape_directions(shapes: np.ndarray, actions: dict[str, np.ndarray]) -> tuple[np.ndarray, list[str]]:
    """(V,3,400) float32 - betas, then expressions - and the expressions' names."""
    columns = np.zeros((*shapes.shape[:2], ALL_COLUMNS), np.float32)
    columns[:, :, : shapes.shape[2]] = shapes
    expressions = {name: sum(actions[part] for part in parts) for name, parts in MIXTURES.items()} | actions
    for number, direction in enumerate(expressions.values()):
        columns[:, :, SHAPE_COLUMNS + number] = direction
    return columns, list(expressions)


def inner_landmarks(template: np.ndarray, faces: np.ndarray, weights: np.ndarray, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """iBUG points 17..67: face numbers (51,) and barycentric coordinates (51,3), where a ray from the front meets the skin."""
    eyes = [joint_index(name) for name in ("left_eye_smplhf", "right_eye_smplhf")]
    between = joints[eyes].mean(0)
    skin = np.where((weights[:, eyes].sum(1) < 0.5)[faces].all(1))[0]
    hits = [_front_hit(template[faces[skin]], between[:2] + np.array(point) * 1e-3) for point in _ibug_points()]
    return np.array([skin[face] for face, _ in hits]), np.array([bary for _, bary in hits])


def _ibug_points() -> list[tuple[float, float]]:
    """(51,2) mm right and up from the point between the eyes of a frontal face, person's right side first."""
    mirrored = lambda points: [(-x, y) for x, y in points[::-1]]
    brow = [(-50, 11), (-43, 16), (-34, 18), (-25, 17), (-16, 14)]
    nose = [(0, 2), (0, -12), (0, -25), (0, -37), (-13, -43.5), (-7, -46.5), (0, -48.5), (7, -46.5), (13, -43.5)]
    right_eye = [(-44, -1.5), (-36, 3.8), (-26, 3.8), (-18, -3.5), (-26, -6.3), (-36, -6.2)]
    left_eye = [(-right_eye[k][0], right_eye[k][1]) for k in (3, 2, 1, 0, 5, 4)]
    upper, lower = [(-24, -70.5), (-15, -65), (-6, -61.5), (0, -62.5)], [(0, -84.5), (-7, -83), (-15, -79.5)]
    inner_upper, inner_lower = [(-21.5, -69.5), (-9, -68.6), (0, -69)], [(0, -71.6), (-9, -70.9)]
    outer = upper + mirrored(upper[:3]) + mirrored(lower[1:]) + lower
    inner = inner_upper + mirrored(inner_upper[:2]) + mirrored(inner_lower[1:]) + inner_lower
    return brow + mirrored(brow) + nose + right_eye + left_eye + outer + inner


def _front_hit(triangles: np.ndarray, point: np.ndarray) -> tuple[int, np.ndarray]:
    """The foremost triangle (along +Z) over a point (2,) and its barycentric coordinates."""
    a, b, c = (triangles[:, k, :2] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
    area = np.where(np.abs(area) < 1e-12, np.nan, area)
    u = ((point[0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (point[1] - a[:, 1]) * (c[:, 0] - a[:, 0])) / area
    v = ((b[:, 0] - a[:, 0]) * (point[1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (point[0] - a[:, 0])) / area
    bary = np.stack([1 - u - v, u, v], 1)
    over = np.where((bary >= 0).all(1))[0]
    front = over[np.argmax((bary[over] * triangles[over, :, 2]).sum(1))]
    return int(front), bary[front]


def contour_landmarks(template: np.ndarray, faces: np.ndarray, weights: np.ndarray, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The jaw line's outermost skin at every degree of head yaw: face numbers (79,17), barycentric (79,17,3).

    Rows 0..39 are 0..39 degrees, rows 40..78 are -1..-39, as smplx looks them up.
    """
    head = joint_index("head")
    skin = np.where((weights[:, [head, joint_index("jaw")]].sum(1) > 0.5) & (template[:, 2] > joints[head, 2]))[0]
    centred = template[skin] - joints[head] - np.array([0, 0, 0.03])
    corner_of = {}
    for number, face in enumerate(faces):
        for corner, vertex in enumerate(face):
            corner_of.setdefault(int(vertex), (number, corner))
    numbers, bary = np.zeros((_ROWS, _CONTOUR), np.int64), np.zeros((_ROWS, _CONTOUR, 3))
    for row in range(_ROWS):
        yaw = row if row <= 39 else 39 - row
        turned = Rotation.from_rotvec([0, np.radians(-yaw), 0]).apply(centred)
        for k in range(_CONTOUR):
            angle = np.radians(183 + 174 / 16 * k)
            ray = np.array([np.cos(angle), np.sin(angle)])
            reach = turned[:, :2] @ ray - 1.8 * np.abs(turned[:, 0] * ray[1] - turned[:, 1] * ray[0])
            reach[turned[:, 2] < -0.02] = -9  # the back of the head
            numbers[row, k], corner = corner_of[int(skin[np.argmax(reach)])]
            bary[row, k, corner] = 1
    return numbers, bary
