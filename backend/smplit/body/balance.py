# SPDX-License-Identifier: GPL-3.0-or-later
"""What a standing body balances: its centre of mass over the point between its feet. For numpy arrays and torch tensors."""

from __future__ import annotations

import numpy as np
import torch

from smplit.motion import BODY_JOINTS

_J = {name: i for i, name in enumerate(BODY_JOINTS)}
# Share of the body's mass near each joint (after Winter 2009, Biomechanics, table 4.1, segment
# masses split over their two ends).
_MASSES = {
    "pelvis": 0.142, "spine1": 0.07, "spine2": 0.07, "spine3": 0.10, "neck": 0.05, "head": 0.075, "collar": 0.0,
    "hip": 0.05, "knee": 0.0735, "ankle": 0.034, "foot": 0.005, "shoulder": 0.03, "elbow": 0.025, "wrist": 0.014,
}
_PER_JOINT = np.array([_MASSES[name.replace("left_", "").replace("right_", "")] for name in BODY_JOINTS])
MASS_SHARES = _PER_JOINT / _PER_JOINT.sum()  # (22,)
# The centre of mass of a standing person lies 4-5 cm ahead of the ankles (Winter 1995, Human balance
# and posture control); as a share of the way from ankle to ball joint:
_BALANCE_POINT = 0.35
_STANDING, _STANDING_RANGE = 1.7, 0.4  # thigh lengths of the centre of mass above the feet: less than this is sitting or lying


def centre_of_mass(joints):
    """(...,22,3) m -> (...,3) m."""
    shares = joints.new_tensor(MASS_SHARES) if isinstance(joints, torch.Tensor) else MASS_SHARES
    return (joints[..., : len(MASS_SHARES), :] * shares[:, None]).sum(-2)


def standing_point(joints):
    """(...,22,3) m -> (...,3) m: the point between the feet above which a standing body's centre of mass lies."""
    ankles = joints[..., [_J["left_ankle"], _J["right_ankle"]], :].mean(-2)
    balls = joints[..., [_J["left_foot"], _J["right_foot"]], :].mean(-2)
    return ankles + _BALANCE_POINT * (balls - ankles)


def standing(joints, height):
    """(T,22,3) m and the centre of mass's height (T,) m above the feet -> (T,) 0..1: does the person stand upright?"""
    thigh = ((joints[:, _J["left_hip"]] - joints[:, _J["left_knee"]]) ** 2).sum(-1) ** 0.5
    return ((height / (thigh + 1e-6) - _STANDING) / _STANDING_RANGE).clip(0.0, 1.0)
