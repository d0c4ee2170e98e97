# SPDX-License-Identifier: GPL-3.0-or-later
"""What the 2D landmarks show of a body: which joints, which legs, and where they contradict the network."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import maximum_filter1d

from smplit.body.kinematics import joint_transforms
from smplit.body.model import BodyModel
from smplit.mocap.fit.initial import initial_translation
from smplit.mocap.fit.points import BLAZEPOSE_NAMES, body_points
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.motion import BODY_JOINTS, PARENTS

_JOINTS = len(BODY_JOINTS)
_SPREAD = (0.045, 0.075)  # m across and along the view, of a joint that is seen: a quarter more than WHAM, which looks at many frames
_UNSEEN = 0.35  # m, of a joint that no landmark shows
_FORGOTTEN = 0.3  # s from the nearest frame that was asked, after which an answer says little
_LEG_SEEN, _LEG_REMEMBERED = 0.1, 1.0  # trust of a leg's best landmark, and s after which an unseen leg is let go to rest
# Whether a joint is seen, and whether its rotation is: landmarks of it, and of what it carries.
_PLACED_BY = {
    "hip": ("hip",), "knee": ("knee",), "ankle": ("ankle",), "foot": ("foot_index", "heel"), "collar": ("shoulder",), "shoulder": ("shoulder",),
    "elbow": ("elbow",), "wrist": ("wrist",),
}
_TRUNK = {
    "pelvis": ("left_hip", "right_hip"), "spine1": ("left_hip", "right_hip"), "spine2": ("left_shoulder", "right_shoulder"),
    "spine3": ("left_shoulder", "right_shoulder"), "neck": ("left_shoulder", "right_shoulder"), "head": ("nose", "left_ear", "right_ear"),
}
_LEG = ("hip", "knee", "ankle", "foot")


def _best(trust: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    return trust[:, [BLAZEPOSE_NAMES.index(name) for name in names]].max(1)


def seen_joints(trust: np.ndarray) -> np.ndarray:
    """(N,33) landmarks' trust -> (N,22): how well it is seen where a joint is."""
    found = np.empty((len(trust), _JOINTS))
    for index, joint in enumerate(BODY_JOINTS):
        side, _, part = joint.partition("_")
        names = _TRUNK.get(joint) or tuple(f"{side}_{name}" for name in _PLACED_BY[part])
        found[:, index] = _best(trust, names)
    return found


def seen_rotations(trust: np.ndarray) -> np.ndarray:
    """(N,22): how well it is seen where a joint points, which is where the joints are that it carries; hands by the fingers."""
    seen = seen_joints(trust)
    found = seen.copy()
    for joint in range(1, _JOINTS):
        carried = [child for child in range(_JOINTS) if PARENTS[child] == joint]
        if carried:
            found[:, joint] = seen[:, carried].max(1)
    for side in ("left", "right"):
        found[:, BODY_JOINTS.index(f"{side}_wrist")] = _best(trust, (f"{side}_index", f"{side}_pinky"))
    return found


def resting_legs(trust: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(N,22) bool: joints of a leg of which nothing below the hip was seen for a while, nor will be."""
    resting = np.zeros((len(trust), _JOINTS), bool)
    step = np.median(np.diff(times)) if len(times) > 1 else 1.0
    reach = int(min(_LEG_REMEMBERED / max(step, 1e-4), len(times)))
    for side in ("left", "right"):
        best = _best(trust, tuple(f"{side}_{name}" for name in ("knee", "ankle", "heel", "foot_index")))
        hidden = maximum_filter1d(best, 2 * reach + 1, mode="nearest") < _LEG_SEEN
        resting[:, [BODY_JOINTS.index(f"{side}_{name}") for name in _LEG]] = hidden[:, None]
    return resting


def misfit(rotations: np.ndarray, landmarks: PersonLandmarks, trust: np.ndarray, camera: CameraMotion, body: BodyModel) -> np.ndarray:
    """(N,22) m: how far from its landmark a joint lies across the view, once the body stands where it fits the picture best."""
    rest = body.rest_joints().cpu()
    points = body_points(body, torch.zeros(10, device=rest.device))
    turns, joints = joint_transforms(torch.as_tensor(rotations, dtype=torch.float32), rest[:_JOINTS])
    places = points.positions(turns, joints)
    used = points.landmarks
    pixels, weights = torch.as_tensor(landmarks.body[:, used], dtype=torch.float32), torch.as_tensor(trust[:, used], dtype=torch.float32)
    K = torch.as_tensor(camera.K, dtype=torch.float32)
    placed = places + initial_translation(places, pixels, weights * points.trust, K)[:, None]
    shown = placed[..., :2] / placed[..., 2:].clamp(min=0.1) * K.diagonal()[:2] + K[:2, 2]
    off = (shown - pixels).norm(dim=-1) / K[0, 0] * placed[..., 2].clamp(min=0.1)
    off = (off * weights).numpy()
    found = np.zeros((len(rotations), _JOINTS))
    for column, joint in enumerate(points.joints):
        found[:, joint] = np.maximum(found[:, joint], off[:, column])
    return found


def spread_of(misfit: np.ndarray, seen: np.ndarray, asked: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(N,22,2) m across and along the view."""
    gap = np.abs(times[:, None] - times[asked]).min(1)
    known = seen * np.exp(-((gap / _FORGOTTEN) ** 2))[:, None]
    doubt = misfit**2 + (1.0 - known) * _UNSEEN**2
    return np.sqrt(np.array(_SPREAD) ** 2 + doubt[..., None])
