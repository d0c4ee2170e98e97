# SPDX-License-Identifier: GPL-3.0-or-later
"""Where WHAM's body comes from: the user's SMPL_NEUTRAL.npz with the checkpoint's regressors, or the open SMPL-X body.

The stand-in has SMPL's 24 joints: SMPL-X's first 22, and as hands the middle fingers' first joints, which all fingers'
weights go to. Its shape numbers mean other shapes than SMPL's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from smplit.body.model import SURFACE_POINTS
from smplit.errors import BadInput
from smplit.mocap.wham.body import JOINTS, SmplArrays
from smplit.models import find
from smplit.motion import JOINT_NAMES, NUM_JOINTS
from smplit.npz import read_npz

_SHAPES = {"v_template": (-1, 3), "shapedirs": (-1, 3, -1), "posedirs": (-1, 3, 207), "J_regressor": (JOINTS, -1), "weights": (-1, JOINTS)}
_BODY = 22
_HANDS = ("left_middle1", "right_middle1")
_COCO = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
    "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)
_COMMON = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow", "right_shoulder",
    "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top",
)
_FEET = ("left_big_toe", "left_heel", "right_big_toe", "right_heel")  # as SMPL's vertices 3216, 3387, 6617, 6787


def load_smpl(path: str | Path, keypoint_regressor: np.ndarray | None = None, feet_regressor: np.ndarray | None = None) -> SmplArrays:
    """SMPL from an npz of plain arrays (names as in the SMPL file; `J_regressor_wham` and `J_regressor_feet` may be in it too).

    Raises:
        BadInput: unreadable, arrays missing or of wrong shapes, or no regressors.
    """
    names = (*_SHAPES, "J_regressor_wham", "J_regressor_feet")
    arrays = read_npz(path, lambda name: name in names)
    vertices = len(arrays["v_template"]) if "v_template" in arrays and arrays["v_template"].ndim else 0
    for name, shape in _SHAPES.items():
        wanted = tuple(vertices if length == -1 and axis == (1 if name == "J_regressor" else 0) else length for axis, length in enumerate(shape))
        _check(path, name, arrays.get(name), wanted)
    for name, value, rows in (("J_regressor_wham", keypoint_regressor, 31), ("J_regressor_feet", feet_regressor, 4)):
        if value is not None:
            arrays[name] = value
        _check(path, name, arrays.get(name), (rows, vertices))
    return SmplArrays(
        arrays["v_template"], arrays["shapedirs"][..., :10], arrays["posedirs"], arrays["J_regressor"], arrays["weights"],
        arrays["J_regressor_wham"], arrays["J_regressor_feet"],
    )


def _check(path: str | Path, name: str, value: np.ndarray | None, shape: tuple[int, ...]) -> None:
    fits = value is not None and value.dtype.kind == "f" and value.ndim == len(shape)
    fits = fits and all(want in (-1, have) for want, have in zip(shape, value.shape, strict=True)) and np.all(np.isfinite(value))
    if not fits:
        found = "missing" if value is None else f"{value.dtype} {value.shape}"
        wanted = "x".join("any" if length == -1 else str(length) for length in shape)
        raise BadInput(
            f"'{path}': '{name}' should be {wanted} finite numbers ({found}).", "Save SMPL_NEUTRAL again as an npz of plain arrays.", "bad_body"
        )


def stand_in(path: str | Path | None = None) -> SmplArrays:
    """SMPL's joints on the SMPL-X body; the best one found when no path is given.

    Raises:
        BadInput: not an SMPL-X body.
    """
    path = path or find("body")
    wanted = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights")
    arrays = read_npz(path, lambda name: name in wanted)
    missing = [name for name in wanted if name not in arrays]
    if missing or arrays["weights"].shape[1] != NUM_JOINTS:
        raise BadInput(f"'{path}' is not an SMPL-X body (missing: {', '.join(missing) or '55 joints'}).", "Use SMPLX_NEUTRAL.npz.", "bad_body")
    template, regressor = arrays["v_template"].astype(np.float64), arrays["J_regressor"].astype(np.float64)
    joints = {name: regressor[index] for index, name in enumerate(JOINT_NAMES)}
    points = joints | {name: np.eye(1, len(template), vertex)[0] for name, (vertex, _) in SURFACE_POINTS.items()}
    points["head_top"] = np.eye(1, len(template), int(template[:, 1].argmax()))[0]
    order = [JOINT_NAMES.index(name) for name in _HANDS]
    weights = np.zeros((len(template), JOINTS))
    weights[:, :_BODY] = arrays["weights"][:, :_BODY]
    weights[:, JOINT_NAMES.index("head")] += arrays["weights"][:, _BODY : _BODY + 3].sum(1)  # jaw and eyes
    weights[:, _BODY], weights[:, _BODY + 1] = arrays["weights"][:, 25:40].sum(1), arrays["weights"][:, 40:55].sum(1)
    bends = np.zeros((len(template), 3, (JOINTS - 1) * 9), np.float32)
    bends[..., : (_BODY - 1) * 9] = arrays["posedirs"][..., : (_BODY - 1) * 9]  # fingers' bends are left out
    row = lambda names: np.stack([points[name] for name in names])
    return SmplArrays(
        template.astype(np.float32), arrays["shapedirs"][..., :10].astype(np.float32), bends, np.concatenate([regressor[:_BODY], regressor[order]]),
        weights.astype(np.float32), row(_COCO + _COMMON), row(_FEET),
    )


def find_body(checkpoint: str | Path | None = None) -> tuple[SmplArrays, bool]:
    """The body there is, and whether it is the real one: the user's with regressors of its own or of the checkpoint, else the stand-in."""
    from smplit.errors import MissingModel
    from smplit.mocap.wham.load import load_regressors

    try:
        path = find("smpl")
    except MissingModel:
        return stand_in(), False
    try:
        return load_smpl(path), True
    except BadInput:
        if checkpoint is None:
            raise
        return load_smpl(path, *load_regressors(checkpoint)), True
