# SPDX-License-Identifier: GPL-3.0-or-later
"""BVH: the person's skeleton and its rotations, Y up, facing +Z, centimetres.

Written here because the one kept-up library (bvhio) builds a Python object per joint and frame,
minutes for a long clip; it reads the result back in the tests.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from smplit.axes import METRES_TO_CENTIMETRES, Z_UP_TO_Y_UP, z_up_to_y_up
from smplit.body.model import SURFACE_POINTS, BodyModel
from smplit.export.even_frames import even_frames
from smplit.export.whole_file import whole_file
from smplit.motion import JOINT_NAMES, NUM_JOINTS, PARENTS, Motion

_CHILDREN = [[child for child, parent in enumerate(PARENTS) if parent == joint] for joint in range(NUM_JOINTS)]
# Bones without a child end at these points of the skin; the jaw and the eyes end a little in front.
_TIPS = {
    "left_foot": "left_big_toe", "right_foot": "right_big_toe",
    **{f"{side}_{finger}3": f"{side}_{finger}" for side in ("left", "right") for finger in ("index", "middle", "pinky", "ring", "thumb")},
}
_FACE_TIP = np.array([0.0, 0.0, 0.03])  # m, ahead in the rest frame


def write_bvh(motion: Motion, path: Path, body: BodyModel) -> None:
    """Writes the hierarchy of the person's own bone lengths and one line per frame.

    The root has position channels (absolute, its offset is zero: readers disagree about a root
    offset), every joint Z, X, Y rotations, applied in that order from the left. Frames at uneven
    times are brought to the constant frame rate of the file.
    """
    rest = body.rest_joints(motion.betas).cpu().numpy().astype(np.float64)
    tips = body.rest_surface_points(motion.betas).cpu().numpy().astype(np.float64)
    local, trans = even_frames(motion)
    local = local.copy()
    local[:, 0] = Z_UP_TO_Y_UP @ local[:, 0]
    positions = z_up_to_y_up(rest[0] + trans) * METRES_TO_CENTIMETRES
    angles = _continuous_zxy(local)
    order = _written_order()
    rows = np.concatenate([positions, angles[:, order].reshape(len(angles), -1)], axis=1)
    with whole_file(path) as temporary, temporary.open("w", encoding="ascii", newline="\n") as stream:
        stream.write("HIERARCHY\n")
        _write_joint(stream, 0, rest, tips, "")
        stream.write(f"MOTION\nFrames: {len(rows)}\nFrame Time: {1.0 / motion.fps:.9f}\n")
        np.savetxt(stream, rows, fmt="%.5f")


def _written_order() -> list[int]:
    """Joints in the order the hierarchy lists them: depth first."""
    order, waiting = [], [0]
    while waiting:
        joint = waiting.pop()
        order.append(joint)
        waiting += reversed(_CHILDREN[joint])
    return order


def _write_joint(stream: io.TextIOBase, joint: int, rest: np.ndarray, tips: np.ndarray, indent: str) -> None:
    parent = PARENTS[joint]
    offset = np.zeros(3) if parent < 0 else rest[joint] - rest[parent]
    inner = indent + "  "
    stream.write(f"{indent}{'ROOT' if parent < 0 else 'JOINT'} {JOINT_NAMES[joint]}\n{indent}{{\n")
    stream.write(f"{inner}OFFSET {_numbers(offset)}\n")
    places = "Xposition Yposition Zposition " if parent < 0 else ""
    stream.write(f"{inner}CHANNELS {6 if parent < 0 else 3} {places}Zrotation Xrotation Yrotation\n")
    for child in _CHILDREN[joint]:
        _write_joint(stream, child, rest, tips, inner)
    if not _CHILDREN[joint]:
        stream.write(f"{inner}End Site\n{inner}{{\n{inner}  OFFSET {_numbers(_tip(joint, rest, tips))}\n{inner}}}\n")
    stream.write(f"{indent}}}\n")


def _tip(joint: int, rest: np.ndarray, tips: np.ndarray) -> np.ndarray:
    point = _TIPS.get(JOINT_NAMES[joint])
    return _FACE_TIP if point is None else tips[list(SURFACE_POINTS).index(point)] - rest[joint]


def _numbers(metres: np.ndarray) -> str:
    return " ".join(f"{value:.6f}" for value in metres * METRES_TO_CENTIMETRES)


def _continuous_zxy(local: np.ndarray) -> np.ndarray:
    """(N,55,3,3) -> (N,55,3) degrees z, x, y with R = Rz Rx Ry, each frame nearest to the one before.

    The same rotation has two Euler triples and any number of turns; without the choice, curves
    jump and a reader that interpolates between frames spins the limb.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Gimbal lock")  # either triple is exact there
        angles = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_euler("ZXY", degrees=True).reshape(*local.shape[:2], 3)
    other = np.stack([angles[..., 0] + 180.0, 180.0 - angles[..., 1], angles[..., 2] + 180.0], axis=-1)
    for frame in range(1, len(angles)):
        before = angles[frame - 1]
        pair = np.stack([angles[frame], other[frame]])
        pair += 360.0 * np.round((before - pair) / 360.0)
        nearer = np.abs(pair - before).sum(-1).argmin(0)
        angles[frame] = np.take_along_axis(pair, nearer[None, :, None], axis=0)[0]
    return angles
