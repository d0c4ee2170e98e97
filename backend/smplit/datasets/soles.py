# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a body's joints and soles are, and which soles are planted: the ground truth of foot contact.

A foot's sole is three points of the body's surface, each rigid with one joint: the heel (ankle
joint), the big and the small toe (foot joint).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_closing, binary_opening

from smplit.axes import matrix_from_axis_angle
from smplit.motion import BODY_JOINTS, PARENTS

_J = {name: i for i, name in enumerate(BODY_JOINTS)}
_SOLES = (  # surface point, joint it follows, contact it belongs to
    ("left_heel", "left_ankle", 0), ("left_big_toe", "left_foot", 1), ("left_small_toe", "left_foot", 1),
    ("right_heel", "right_ankle", 2), ("right_big_toe", "right_foot", 3), ("right_small_toe", "right_foot", 3),
)
# A point is planted below this height over where it stands and below this speed, for at least this time.
PLANTED_HEIGHT, PLANTED_SPEED, PLANTED_SECONDS = 0.04, 0.3, 0.1  # m, m/s, s
# Where a point stands is its own tenth percentile of height, if that is near the floor: feet of other
# proportions, retargeted, stand with the heel up to 3 cm higher.
_STANDS = (-0.02, 0.04)  # m


@dataclass(frozen=True)
class FootedBody:
    """What data processing needs of a body at its mean shape, Y up, metres.

    `joints` (22,3) at rest; `soles` (6,3) at rest, in the order of `_SOLES`; `sha256` of its file.
    """

    joints: np.ndarray
    soles: np.ndarray
    sha256: str

    @classmethod
    def load(cls, path: str | Path | None = None) -> FootedBody:
        """From a body model file; the best one found without a path. Read once per process."""
        if path is None:
            from smplit.models import find

            path = find("body")
        path = Path(path).resolve()
        return cls._read(path, path.stat().st_mtime_ns if path.is_file() else 0)

    @classmethod
    @lru_cache(maxsize=4)
    def _read(cls, path: Path, changed: int) -> FootedBody:
        from smplit.body.model import SURFACE_POINTS, BodyModel

        body = BodyModel.load(path)
        names = list(SURFACE_POINTS)
        points = body.rest_surface_points().cpu().numpy().astype(np.float64)
        sha256 = hashlib.sha256(body.path.read_bytes()).hexdigest()
        return cls(body.rest_joints().cpu().numpy()[:22].astype(np.float64), points[[names.index(name) for name, _, _ in _SOLES]], sha256)

    @property
    def sole(self) -> float:
        """Height of the lowest sole point at rest, m."""
        return float(self.soles[:, 1].min())

    def posed(self, poses: np.ndarray, trans: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(T,22,3) rad, (T,3) m -> joints (T,22,3) and sole points (T,6,3), m, in the world."""
        local = matrix_from_axis_angle(poses)
        turned = np.empty_like(local)
        joints = np.empty((len(poses), 22, 3))
        turned[:, 0], joints[:, 0] = local[:, 0], trans + self.joints[0]
        for joint, parent in enumerate(PARENTS[1:22], 1):
            turned[:, joint] = turned[:, parent] @ local[:, joint]
            joints[:, joint] = joints[:, parent] + turned[:, parent] @ (self.joints[joint] - self.joints[parent])
        carriers = [_J[joint] for _, joint, _ in _SOLES]
        arms = self.soles - self.joints[carriers]
        soles = joints[:, carriers] + np.einsum("tpij,pj->tpi", turned[:, carriers], arms)
        return joints, soles


def planted(soles: np.ndarray, fps: float) -> np.ndarray:
    """(T,6,3) m sole points over a floor at z = 0 -> (T,4) bool contacts in the order of `smplit.motion.CONTACT_NAMES`.

    A point is planted where it is lower than `PLANTED_HEIGHT` over its standing height and slower than
    `PLANTED_SPEED` (central differences). A toe counts when its big or its small point does. Gaps
    and touches shorter than `PLANTED_SECONDS` are taken for noise and filled or dropped.
    """
    height = soles[..., 2] - np.clip(np.percentile(soles[..., 2], 10, axis=0), *_STANDS)
    speed = np.linalg.norm(np.gradient(soles, 1.0 / fps, axis=0), axis=-1) if len(soles) > 1 else np.zeros(height.shape)
    points = (height < PLANTED_HEIGHT) & (speed < PLANTED_SPEED)
    contacts = np.zeros((len(soles), 4), bool)
    for point, (_, _, contact) in enumerate(_SOLES):
        contacts[:, contact] |= points[:, point]
    length = max(1, round(PLANTED_SECONDS * fps))
    kernel = np.ones((length, 1), bool)
    around = np.pad(contacts, ((length, length), (0, 0)), "edge")  # a touch that a clip's end cuts is no blip
    around = binary_opening(binary_closing(around, kernel), kernel)
    return around[length : len(around) - length]
