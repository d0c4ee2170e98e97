# SPDX-License-Identifier: GPL-3.0-or-later
"""One person's motion and its npz file, readable by the SMPL-X Blender add-on and AMASS tools.

numpy only: Blender's Python imports this module. `allow_pickle` is never on.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .axes import matrix_from_axis_angle
from .errors import BadInput
from .npz import read_npz

BODY_JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
)
FACE_JOINTS = ("jaw", "left_eye_smplhf", "right_eye_smplhf")
HAND_JOINTS = tuple(f"{finger}{i}" for finger in ("index", "middle", "pinky", "ring", "thumb") for i in (1, 2, 3))
JOINT_NAMES = (
    BODY_JOINTS
    + FACE_JOINTS
    + tuple(f"left_{name}" for name in HAND_JOINTS)
    + tuple(f"right_{name}" for name in HAND_JOINTS)
)
_BODY_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)
_HAND_PARENTS = tuple(-1 if i % 3 == 0 else i - 1 for i in range(15))  # within the hand; -1 = wrist
PARENTS = (
    _BODY_PARENTS
    + (15, 15, 15)
    + tuple(20 if p < 0 else 25 + p for p in _HAND_PARENTS)
    + tuple(21 if p < 0 else 40 + p for p in _HAND_PARENTS)
)
NUM_JOINTS = 55
CONTACT_NAMES = ("left_ankle", "left_toe", "right_ankle", "right_toe")
FPS_NAMES = ("mocap_frame_rate", "mocap_framerate", "fps")  # AMASS SMPL-X, AMASS SMPL-H, others
_FASTEST = 1000.0  # frames/s
# (T,...): see smplit.mocap.sources; eyelids (T,2) 0..1, left and right, of bodies that cannot shut them. All other extras are of the whole motion.
EXTRAS_PER_FRAME = ("smplit_sources", "smplit_limb_confidence", "smplit_eyelids")
_OPTIONAL = {  # entries that a motion file may lack, and their types
    "expression": np.float32, "contacts": np.float32, "joint_confidence": np.float32, "valid": bool,
    "frame_times": np.float64, "camera_R": np.float32, "camera_t": np.float32, "camera_K": np.float32,
}


@dataclass
class Motion:
    """One person's SMPL-X motion in the world (Z up, metres, floor at z = 0).

    Shapes: T frames. `poses` (T,165) axis-angle rad in SMPL-X order with a flat hand at zero;
    `trans` (T,3) m added to the posed body whose root joint rotates about its rest position;
    `betas` (B,); `expression` (T,E) in the basis named by `expression_names`;
    `contacts` (T,4) 0..1 in the order of `CONTACT_NAMES`; `joint_confidence` (T,55) 0..1;
    `valid` (T,) bool: person seen; `frame_times` (T,) s: presentation time in the source;
    `camera_R` (T,3,3), `camera_t` (T,3): world-to-camera, OpenCV axes; `camera_K` (3,3) px.
    `extras` holds the `smplit_*` entries (strings or arrays), keyed with their prefix.
    """

    poses: np.ndarray
    trans: np.ndarray
    fps: float
    betas: np.ndarray = field(default_factory=lambda: np.zeros(10, np.float32))
    expression: np.ndarray | None = None
    expression_names: tuple[str, ...] | None = None
    gender: str = "neutral"
    contacts: np.ndarray | None = None
    joint_confidence: np.ndarray | None = None
    valid: np.ndarray | None = None
    frame_times: np.ndarray | None = None
    camera_R: np.ndarray | None = None
    camera_t: np.ndarray | None = None
    camera_K: np.ndarray | None = None
    extras: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.poses)

    def check(self, source: str = "motion") -> None:
        """Raises `BadInput` naming `source` when a field's shape or values make no sense."""
        frames = len(self.poses) if np.ndim(self.poses) else -1
        if frames == 0:
            raise BadInput(f"{source} holds no frames.", "Choose a file with at least one frame.", "no_frames")
        expected = {
            "poses": (max(frames, 1), 165), "trans": (frames, 3), "betas": (np.size(self.betas),), "contacts": (frames, 4),
            "joint_confidence": (frames, 55), "valid": (frames,), "frame_times": (frames,),
            "camera_R": (frames, 3, 3), "camera_t": (frames, 3), "camera_K": (3, 3),
            "expression": (frames, self._expression_count()),
        }
        for name, shape in expected.items():
            value = getattr(self, name)
            if value is not None:
                _check_array(np.asarray(value), name, shape, source)
        if not 0 < self.fps <= _FASTEST:  # NaN fails this too
            raise BadInput(
                f"{source}: frame rate {self.fps} is not a number of frames per second from 0 to {_FASTEST:.0f}.",
                "Correct 'mocap_frame_rate' in the file.", "bad_fps",
            )
        if self.frame_times is not None and np.any(np.diff(self.frame_times) <= 0):
            raise BadInput(f"{source}: 'frame_times' does not grow from frame to frame.", "Repair the times, or leave them out.", "bad_times")

    def _expression_count(self) -> int:
        if self.expression_names is not None:
            return len(self.expression_names)
        return np.shape(self.expression)[-1] if np.ndim(self.expression) else 0

    def arrays(self) -> dict[str, np.ndarray]:
        """The npz entries of this motion, DESIGN section 3; absent optional fields are left out."""
        out: dict[str, np.ndarray] = {
            "poses": np.asarray(self.poses, np.float32),
            "trans": np.asarray(self.trans, np.float32),
            "betas": np.asarray(self.betas, np.float32),
            "gender": np.array(self.gender),
            "surface_model_type": np.array("smplx"),
            "mocap_frame_rate": np.array(float(self.fps)),
            "mocap_time_length": np.array(len(self.poses) / float(self.fps)),
        }
        for name, kind in _OPTIONAL.items():
            value = getattr(self, name)
            if value is not None:
                out[name] = np.asarray(value, kind)
        if self.expression_names is not None:
            out["expression_names"] = np.array(self.expression_names)
        out.update({key: np.asarray(value) for key, value in self.extras.items()})
        return out

    def save(self, path: str | Path) -> Path:
        """Writes the npz whole or not at all (a temporary file beside it is renamed)."""
        self.check(str(path))
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as stream:
                np.savez_compressed(stream, **self.arrays())
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(temporary, 0o666 & ~mask)  # mkstemp makes files that only their owner reads
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return path

    @classmethod
    def from_arrays(cls, entries: dict[str, np.ndarray], source: str = "motion") -> Motion:
        """Builds a motion from npz entries; other entries than ours are ignored.

        Raises:
            BadInput: a required entry is absent, no number where one belongs, or of a wrong shape.
        """
        for name in ("poses", "trans"):
            if name not in entries:
                raise BadInput(
                    f"{source} has no '{name}' array.", "Use an SMPL-X motion file, or 'smplit import'.", "not_a_motion"
                )
        names = entries.get("expression_names")
        motion = cls(
            poses=_numbers(entries, "poses", np.float32, source),
            trans=_numbers(entries, "trans", np.float32, source),
            fps=_frame_rate(entries, source),
            gender=text(entries.get("gender", "neutral")),
            expression_names=None if names is None else tuple(text(name) for name in np.ravel(names)),
            extras={k: np.asarray(v) for k, v in entries.items() if k.startswith("smplit_")},
        )
        if "betas" in entries:
            motion.betas = _one_shape(_numbers(entries, "betas", np.float32, source), source)
        for name, kind in _OPTIONAL.items():
            if name in entries:
                setattr(motion, name, _numbers(entries, name, kind, source))
        motion.check(source)
        return motion

    @classmethod
    def load(cls, path: str | Path) -> Motion:
        """Reads an SMPL-X motion npz without ever unpickling; what is not a motion's entry stays unread
        (AMASS keeps pickled marker names in its files).

        Raises:
            BadInput: not a readable npz, object arrays inside, or not an SMPL-X motion.
        """
        known = {"poses", "trans", "betas", "gender", "expression_names", *FPS_NAMES, *_OPTIONAL}
        return cls.from_arrays(read_npz(path, lambda name: name in known or name.startswith("smplit_")), f"'{path}'")

    def __getitem__(self, frames: slice) -> Motion:
        """The motion of a slice of frames."""
        per_frame = ("poses", "trans", "expression", "contacts", "joint_confidence", "valid", "frame_times", "camera_R", "camera_t")
        values = {n: getattr(self, n) for n in self.__dataclass_fields__}
        values.update({n: None if values[n] is None else values[n][frames] for n in per_frame})
        values["extras"] = {name: value[frames] if name in EXTRAS_PER_FRAME else value for name, value in self.extras.items()}
        return Motion(**values)


def _check_array(value: np.ndarray, name: str, shape: tuple[int, ...], source: str) -> None:
    if value.shape != shape:
        raise BadInput(
            f"{source}: '{name}' has shape {value.shape}, expected {shape}.", "Export the motion again as SMPL-X with 55 joints.", "wrong_shape"
        )
    if not np.all(np.isfinite(value)):
        raise BadInput(f"{source}: '{name}' holds NaN or infinity.", "Repair or re-export the file.", "not_finite")


def _numbers(entries: dict[str, np.ndarray], name: str, kind: type, source: str) -> np.ndarray:
    value = np.asarray(entries[name])
    if value.dtype.kind not in "fiub":
        raise BadInput(f"{source}: '{name}' holds {value.dtype.name}, not real numbers.", "Save it again as plain numbers.", "wrong_type")
    with np.errstate(over="ignore"):  # too large for float32 becomes infinity, which the check names
        return value.astype(kind)


def _one_shape(betas: np.ndarray, source: str) -> np.ndarray:
    """(B,): one shape per file; files that repeat it for every frame (T,B) agree with their first."""
    if betas.ndim > 2 or betas.size == 0:
        raise BadInput(f"{source}: 'betas' has shape {betas.shape}, expected (10,) or more.", "Save one shape per person.", "wrong_shape")
    return np.atleast_2d(betas)[0]


def _frame_rate(entries: dict[str, np.ndarray], source: str) -> float:
    name = next((name for name in FPS_NAMES if name in entries), None)
    if name is None:
        raise BadInput(f"{source} names no frame rate.", "Add 'mocap_frame_rate' (frames per second) to the file.", "bad_fps")
    value = np.asarray(entries[name])
    if value.size != 1 or value.dtype.kind not in "fiu":
        raise BadInput(f"{source}: '{name}' is not one number.", "Set it to the frames per second.", "bad_fps")
    return float(value.reshape(()))


def text(value: object) -> str:
    """A string of an npz file; old files hold bytes."""
    plain = np.asarray(value).reshape(-1)[:1].tolist()
    return "" if not plain else plain[0].decode("utf-8", "replace") if isinstance(plain[0], bytes) else str(plain[0])


def joint_transforms(poses: np.ndarray, rest_joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Forward kinematics of the joints alone.

    Args:
        poses: (T,165) or (T,55,3) axis-angle, rad.
        rest_joints: (55,3) m, body frame, of this person's shape.

    Returns:
        Global rotations (T,55,3,3) and joint positions (T,55,3) m without `trans`: the root joint
        stays at its rest position, as in SMPL-X (Loper et al. 2015, eq. 2-4).
    """
    local = matrix_from_axis_angle(np.asarray(poses).reshape(len(poses), NUM_JOINTS, 3))
    rest = np.asarray(rest_joints, np.float64)
    rotations = np.empty_like(local)
    positions = np.empty((len(local), NUM_JOINTS, 3))
    for joint, parent in enumerate(PARENTS):
        if parent < 0:
            rotations[:, joint], positions[:, joint] = local[:, joint], rest[joint]
            continue
        rotations[:, joint] = rotations[:, parent] @ local[:, joint]
        positions[:, joint] = positions[:, parent] + rotations[:, parent] @ (rest[joint] - rest[parent])
    return rotations, positions
