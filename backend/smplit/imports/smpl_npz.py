# SPDX-License-Identifier: GPL-3.0-or-later
"""npz files of the SMPL family: what each program calls its arrays, and which joints they hold.

Body joints mean the same rotations in SMPL, SMPL-H and SMPL-X, so poses are carried over as they
are. Shapes do not: the coefficients of another family's body are dropped. `trans` keeps AMASS's
meaning.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from smplit.axes import axis_angle_from_matrix, matrix_from_axis_angle
from smplit.errors import BadInput
from smplit.imports.up_axis import TURNS, up_axis
from smplit.motion import FPS_NAMES, NUM_JOINTS, Motion, text
from smplit.npz import read_npz

_log = logging.getLogger(__name__)

# Arrays that together are `poses` in files without it, by the names of AMASS, of smplx and of others: first joint, joints, names.
_PARTS = (
    (0, 1, ("root_orient", "global_orient")), (1, 21, ("pose_body", "body_pose")), (22, 1, ("pose_jaw", "jaw_pose")),
    (23, 2, ("pose_eye",)), (23, 1, ("leye_pose",)), (24, 1, ("reye_pose",)),
    (25, 30, ("pose_hand",)), (25, 15, ("left_hand_pose",)), (40, 15, ("right_hand_pose",)),
)
_RENAMED = {
    "transl": "trans", "translation": "trans", "smpl_trans": "trans", "smpl_poses": "poses", "fullpose": "poses", "exp": "expression",
    "expressions": "expression", "frame_rate": "fps", "framerate": "fps",
}
_FLAGS = ("gender", "surface_model_type", "up", "up_axis", "flat_hand_mean", "expression_names", "betas")
_OURS = ("contacts", "joint_confidence", "valid", "frame_times", "camera_R", "camera_t", "camera_K")
_AMASS = ("mocap_frame_rate", "mocap_framerate", "surface_model_type")
_FAMILIES = {24: "smpl", 22: "smpl", 52: "smplh", 55: "smplx"}  # by number of joints
# Rest position of the root joint, m, body frame, mean shape: what `trans` is measured from.
REST_ROOT = {
    "smpl": np.array([-0.0018, -0.2233, 0.0282]), "smplh": np.array([-0.0018, -0.2233, 0.0282]), "smplx": np.array([0.0031, -0.3514, 0.0120])
}
_MOST_ANGLE = 30.0  # rad: nobody's joint turns five times around; degrees do
_MOST_DISTANCE = 1000.0  # m: millimetres go further


def read_smpl_npz(path: Path) -> Motion:
    """An npz file of the SMPL family -> Motion in our world (Z up).

    Raises:
        BadInput: as `smplit.imports.import_motion`.
    """
    part_names = {name for _, _, names in _PARTS for name in names}
    known = {"poses", "trans", "expression", *_RENAMED, *part_names, *_FLAGS, *_OURS, *FPS_NAMES}
    entries = read_npz(path, lambda name: name in known or name.startswith("smplit_"))
    source = f"'{path}'"
    entries = {_RENAMED.get(name, name): value for name, value in entries.items()}
    poses, family = _poses(entries, source)
    entries = {name: value for name, value in entries.items() if name not in part_names}
    entries["trans"] = _trans(entries, len(poses), source)
    entries["poses"] = _flat_hands(poses, entries, source).reshape(len(poses), -1)
    _name_the_basis(entries, family)
    motion = Motion.from_arrays(entries, source)
    _check_units(motion, source)
    return _stood_up(motion, family, entries, source)


def _poses(entries: dict[str, np.ndarray], source: str) -> tuple[np.ndarray, str]:
    """(T,55,3) axis-angle as the file has it, and its family."""
    given = entries.get("poses")
    if given is None:
        return _joined(entries, source)
    given = _real(given, "poses", source)
    joints = given.size // (3 * len(given)) if given.ndim in (2, 3) and len(given) and given.shape[-1] % 3 == 0 else 0
    if joints not in _FAMILIES or (given.ndim == 3 and given.shape[2] != 3):
        raise BadInput(
            f"{source}: 'poses' has shape {given.shape}.",
            "Expected one row per frame: 72 numbers (SMPL), 156 (SMPL-H) or 165 (SMPL-X), or (frames, joints, 3).", "wrong_shape",
        )
    given = given.reshape(len(given), joints, 3)
    poses = np.zeros((len(given), NUM_JOINTS, 3), np.float32)
    poses[:, :22] = given[:, :22]  # SMPL's joints 22 and 23 are hands without fingers: SMPL-X has none like them
    if joints == 52:
        poses[:, 25:] = given[:, 22:]
    elif joints == NUM_JOINTS:
        poses[:, 22:] = given[:, 22:]
    return poses, _FAMILIES[joints]


def _joined(entries: dict[str, np.ndarray], source: str) -> tuple[np.ndarray, str]:
    """`poses` from the parts that AMASS and the smplx package name."""
    found = [(first, count, name) for first, count, names in _PARTS for name in names if name in entries]
    if not {0, 1} <= {first for first, _, _ in found}:
        raise BadInput(
            f"{source} has neither 'poses' nor 'global_orient' and 'body_pose'.", "Use a motion file of the SMPL family.", "not_a_motion"
        )
    frames = len(_real(entries[found[0][2]], found[0][2], source))
    poses = np.zeros((frames, NUM_JOINTS, 3), np.float32)
    family = "smplx"
    for first, count, name in found:
        part = _real(entries[name], name, source)
        if first == 1 and frames and part.size == frames * 69:
            part, family = part.reshape(frames, 23, 3)[:, :21], "smpl"
        if len(part) != frames or part.size != frames * count * 3:
            raise BadInput(
                f"{source}: '{name}' has shape {part.shape}, expected ({frames}, {count * 3}).",
                "Save axis-angles of every joint for every frame (hands without PCA).", "wrong_shape",
            )
        poses[:, first : first + count] = part.reshape(frames, count, 3)
    return poses, family


def _real(value: np.ndarray, name: str, source: str) -> np.ndarray:
    if value.dtype.kind not in "fiu" or value.ndim == 0:
        raise BadInput(f"{source}: '{name}' is no array of real numbers.", "Save it again as plain numbers.", "wrong_type")
    with np.errstate(over="ignore"):
        return value.astype(np.float32)


def _trans(entries: dict[str, np.ndarray], frames: int, source: str) -> np.ndarray:
    if "trans" in entries:
        trans = _real(entries["trans"], "trans", source)
        return trans.reshape(frames, 3) if trans.shape == (frames, 1, 3) else trans
    _log.warning("%s has no 'trans': the person stays in place.", source)
    return np.zeros((frames, 3), np.float32)


def _flat_hands(poses: np.ndarray, entries: dict[str, np.ndarray], source: str) -> np.ndarray:
    """Fingers from a flat hand, as all our files have them, where a file counts them from MANO's mean hand.

    Axis-angles are added, not composed: that is what MANO and SMPL-X themselves do with their mean.
    """
    flag = np.asarray(entries.get("flat_hand_mean", True)).reshape(-1)[:1]
    if len(flag) == 0 or bool(flag[0]):
        return poses
    from smplit.models import find

    body = read_npz(find("body"), lambda name: name in ("hands_meanl", "hands_meanr", "smplit_standin"))
    if "smplit_standin" in body or "hands_meanl" not in body or "hands_meanr" not in body:
        raise BadInput(
            f"{source} counts finger angles from MANO's mean hand (flat_hand_mean is false), and only a real SMPL-X body file knows that hand.",
            "Add SMPLX_NEUTRAL.npz to the model files (model_files/body), or save the file with flat_hand_mean=True.", "needs_smplx",
        )
    poses = poses.copy()
    poses[:, 25:40] += body["hands_meanl"].astype(np.float32).reshape(15, 3)
    poses[:, 40:55] += body["hands_meanr"].astype(np.float32).reshape(15, 3)
    return poses


def _name_the_basis(entries: dict[str, np.ndarray], family: str) -> None:
    """Shape and expression mean something only together with the body they were made with."""
    if family != "smplx" and "betas" in entries:
        entries["smplit_source_betas"] = entries.pop("betas")
    if "expression" in entries and "expression_names" not in entries and np.ndim(entries["expression"]) == 2:
        entries["expression_names"] = np.array([f"flame{i:03d}" for i in range(entries["expression"].shape[1])])
    if family == "smplx" and "smplit_body" not in entries and "betas" in entries:
        entries["smplit_body"] = np.array("SMPLX_NEUTRAL.npz")


def _check_units(motion: Motion, source: str) -> None:
    angle, distance = float(np.abs(motion.poses).max()), float(np.abs(motion.trans).max())
    if angle > _MOST_ANGLE:
        raise BadInput(f"{source}: 'poses' holds an angle of {angle:.0f} rad.", "Save axis-angles in radians, not degrees.", "wrong_unit")
    if distance > _MOST_DISTANCE:
        raise BadInput(f"{source}: 'trans' reaches {distance:.0f} m.", "Save positions in metres, not millimetres.", "wrong_unit")


def _stood_up(motion: Motion, family: str, entries: dict[str, np.ndarray], source: str) -> Motion:
    """The motion with Z up. The body turns about its root joint, whose rest position is part of its place:
    place = trans + rest, so the turned trans is turn (trans + rest) - rest."""
    rest = REST_ROOT[family]
    told = next((text(entries[name]) for name in ("up", "up_axis") if name in entries), None)
    axis = up_axis(motion.poses[:, :3], told, any(name in entries for name in _AMASS), source)
    if axis == "z":
        return motion
    _log.warning("%s has %s up: it was turned to Z up. If that is wrong, add up='z' to the file.", source, axis.upper())
    turn = TURNS[axis]
    motion.poses = motion.poses.copy()
    motion.poses[:, :3] = axis_angle_from_matrix(turn @ matrix_from_axis_angle(motion.poses[:, :3]))
    motion.trans = ((motion.trans + rest) @ turn.T - rest).astype(np.float32)
    if motion.camera_R is not None and motion.camera_t is not None:
        motion.camera_R = (motion.camera_R @ turn.T).astype(np.float32)
    return motion
