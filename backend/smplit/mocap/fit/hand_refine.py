# SPDX-License-Identifier: GPL-3.0-or-later
"""Arms and fingers together, over the clip: the hands' 2D landmarks decide, elbows and wrists follow.

The body's fit knows palms only, and fingers are fitted without the arm they are on: where a hand is seen well, their sum may miss
the picture. Here the trunk stays and the rest of the chain is free. Temporal form of SMPLify-X's hand terms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from smplit.body.kinematics import joint_transforms
from smplit.body.model import BodyModel
from smplit.body.rotations import matrix_from_6d, matrix_from_rotvec, sixd_from_matrix
from smplit.mocap.fit import energy
from smplit.mocap.fit.adam import OneCycleAdam
from smplit.mocap.fit.arm_chain import ARM, CHEST, ArmChain, arms_of
from smplit.mocap.fit.body_fit import BodyFit
from smplit.mocap.fit.curves import median_step, smoothed, smoother
from smplit.mocap.fit.hand_contact import Trunk, overlap
from smplit.mocap.fit.landmark_trust import landmark_trust
from smplit.mocap.fit.pose_chain import frames_last, matrices_of, turned
from smplit.mocap.hands.landmark_fit import HandFit
from smplit.mocap.hands.skeleton import HIGH, LOW, MIRROR, finger_tips, hand_skeleton
from smplit.mocap.observations import CameraMotion, PersonLandmarks

_STEPS = 60
_RATE = {"arms": 0.02, "fingers": 0.03}
_PRECONDITION = 0.05  # s, see `body_fit`
_CHUNK, _OVERLAP = 480, 24  # frames at once
_ELBOWS = [13, 14]  # of BlazePose
# Wrist, little finger and index: BlazePose's, and which of the hand's landmarks they are.
_GRIPS, _GRIP_POINTS, _GRIP_TRUST = [[15, 17, 19], [16, 18, 20]], [0, 17, 5], (1.0, 0.25, 0.25)
_COARSE, _CLEAR = 20.0, 36.0  # px across: a hand says nothing, and all it can
_WORTH = 0.3  # trust that some frame must reach for a clip to be refined at all


@dataclass
class RefineSigmas:
    """Standard deviations, as in `energy.Sigmas`."""

    landmark: float = 0.006  # m at the hand's depth
    landmark_outlier: float = 6.0  # sigmas
    elbow: float = 0.015  # m at its depth; also the body's landmarks of an unseen hand
    arms: tuple[float, ...] = (0.08, 0.25, 0.25, 0.4)  # rad, collar to wrist against the body's fit
    depth: float = 0.06  # m, elbow and wrist against the body's fit
    palm: float = 0.3  # rad, hand landmarks' own 3D
    flexion: float = 0.35  # rad, fingers against their own fit
    spread: float = 0.12  # rad, of knuckles
    twist: float = 0.04  # rad, about a finger's own axis, and sideways in its middle and end joints
    limit: float = 0.1  # rad beyond what a finger can
    acceleration: float = 3.0  # m/s2 added to the arm's joints
    finger_acceleration: float = 5.0  # m/s2 added to fingers
    speed: float = 2.0  # m/s added to fingers
    overlap: float = 0.01  # m


def refine_hands(
    landmarks: PersonLandmarks, camera: CameraMotion, times: np.ndarray, body: BodyModel, fit: BodyFit, hands: HandFit,
    sigmas: RefineSigmas | None = None, check: Callable[[], None] = lambda: None,
) -> tuple[BodyFit, HandFit]:
    """Body and hands of N frames, their arms and fingers moved onto the hands' landmarks where these are trusted.

    Args:
        check: called now and then, may raise `Cancelled`.
    """
    trust = hand_trust(landmarks, hands)
    if trust.max(initial=0.0) < _WORTH:
        return fit, hands
    refiner = _Refiner(landmarks, camera, times, body, fit, hands, trust, sigmas or RefineSigmas(), check)
    arms, fingers = refiner.run()
    rotations = fit.rotations.copy()
    for side in (0, 1):
        rotations[:, [joint + side for joint in ARM]] = arms[:, side]
    wrists, _ = joint_transforms(torch.as_tensor(rotations), body.rest_joints(torch.as_tensor(fit.betas))[:22])
    return replace(fit, rotations=rotations), replace(hands, poses=fingers, wrist_rotations=wrists[:, 20:22].numpy())


def hand_trust(landmarks: PersonLandmarks, hands: HandFit) -> np.ndarray:
    """(N,2) 0..1: the detector's confidence, less where the finger fit found the hand to leap, and none for a few pixels."""
    seen = np.nan_to_num(landmarks.hand_confidence) * landmarks.seen[:, None]
    size = np.ptp(np.nan_to_num(landmarks.hands), axis=2).max(-1)
    clear = np.clip((size - _COARSE) / (_CLEAR - _COARSE), 0.0, 1.0)
    return np.clip(seen * clear * np.sqrt(np.clip(hands.confidence, 0.0, 1.0)), 0.0, 1.0).astype(np.float32)


class _Refiner:
    """What is compared and held, as tensors over all frames."""

    def __init__(
        self, landmarks: PersonLandmarks, camera: CameraMotion, times: np.ndarray, body: BodyModel, fit: BodyFit, hands: HandFit,
        trust: np.ndarray, sigmas: RefineSigmas, check: Callable[[], None],
    ):
        self.sigmas, self.check = sigmas, check
        tensor = lambda values: frames_last(torch.as_tensor(np.asarray(values, np.float32)))
        betas = torch.as_tensor(fit.betas)
        self.chain, self.rest = ArmChain.of(body, betas), body.rest_joints(betas)
        self.local = tensor(fit.rotations)
        turns, joints = joint_transforms(self.local, self.rest[:22])
        self.turns, self.joints = frames_last(turns), frames_last(joints + tensor(fit.trans)[:, None])
        self.trunk = frames_last(Trunk.of(body, self.rest).places(self.turns, self.joints))
        self.arms = frames_last(arms_of(self.local))
        self.fingers = tensor(hands.poses)
        self.palms, self.palm_weights = tensor(hands.wrist_rotations), tensor(hands.confidence)
        self.pixels = torch.nan_to_num(tensor(landmarks.hands))
        self.weights = tensor(trust) ** 2
        body_trust = tensor(landmark_trust(landmarks, camera.K))
        self.elbows, self.elbow_weights = torch.nan_to_num(tensor(landmarks.body[:, _ELBOWS])), body_trust[:, _ELBOWS]
        # Where the hand itself is not seen, the body's landmarks say where it is.
        self.grips = torch.nan_to_num(tensor(landmarks.body[:, _GRIPS]))  # (N,2,3,2) px
        self.grip_weights = body_trust[:, _GRIPS] * (1.0 - self.weights)[..., None] * torch.tensor(_GRIP_TRUST)
        self.times = tensor(times - times[0])
        self.to_first = tensor(np.transpose(camera.rotation, (0, 2, 1)))
        self.K = torch.as_tensor(np.asarray(camera.K, np.float32))
        self.axes, self.low, self.high, self.spans = _hinges(body, sigmas)

    def run(self) -> tuple[np.ndarray, np.ndarray]:
        """Local rotations of the arms (N,2,4,3,3) and finger poses (N,2,15,3) rad."""
        frames = len(self.times)
        arms, fingers = sixd_from_matrix(self.arms), self.fingers.clone()
        start = 0
        while True:
            part = slice(start, min(start + _CHUNK, frames))
            lap = min(_OVERLAP, part.stop - part.start) if start else 0
            ramp = torch.ones(part.stop - part.start)
            ramp[:lap] = torch.linspace(0, 1, lap + 2)[1:-1]
            for whole, new in zip((arms, fingers), self._optimise(part), strict=True):
                whole[part] = torch.lerp(whole[part], new, ramp.view(-1, *([1] * (new.dim() - 1))))
            if part.stop == frames:
                return matrix_from_6d(arms).numpy(), fingers.numpy()
            start = part.stop - _OVERLAP

    def _optimise(self, part: slice) -> tuple[Tensor, Tensor]:
        arms = frames_last(sixd_from_matrix(self.arms[part])).requires_grad_()
        fingers = frames_last(self.fingers[part]).clone().requires_grad_()
        adam = OneCycleAdam([arms, fingers], [_RATE["arms"], _RATE["fingers"]], _STEPS)
        smooth = smoother(_PRECONDITION / max(median_step(self.times[part]), 1e-3), part.stop - part.start)
        before = self._pose(part, self.arms[part], self.fingers[part])
        for step in range(_STEPS):
            if step % 10 == 0:
                self.check()
            turns, bends = matrices_of(smoothed(arms, smooth)), smoothed(fingers, smooth)
            adam.descend(self._energy(part, turns, bends, before))
        return smoothed(arms.detach(), smooth), smoothed(fingers.detach(), smooth)

    def _pose(self, part: slice, turns: Tensor, bends: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Joints of the arms, landmarks of the hands and the wrists' turns, see `ArmChain.pose`."""
        fingers = matrix_from_rotvec(bends).view(len(turns), 2, 5, 3, 3, 3)
        return self.chain.pose(self.turns[part, CHEST], self.joints[part, CHEST], turns, fingers)

    def _energy(self, part: slice, turns: Tensor, bends: Tensor, before: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Of arms (T,2,4,3,3) and fingers (T,2,15,3) rad; `before`: their `_pose` as the other fits left them."""
        s = self.sigmas
        joints, points, wrists = self._pose(part, turns, bends)
        weights = self.weights[part, :, None].expand(-1, -1, 21)
        total = _reprojection(points, self.pixels[part], weights, self.K, s.landmark, s.landmark_outlier)
        total = total + _reprojection(joints[:, :, 2], self.elbows[part], self.elbow_weights[part], self.K, s.elbow, s.landmark_outlier)
        total = total + _reprojection(points[:, :, _GRIP_POINTS], self.grips[part], self.grip_weights[part], self.K, s.elbow, s.landmark_outlier)
        off = energy.geodesic_squared(turns, self.arms[part])
        total = total + (off / torch.tensor(s.arms) ** 2).sum()
        total = total + ((joints[:, :, 2:, 2] - before[0][:, :, 2:, 2]) ** 2).sum() / s.depth**2
        palms = self.palm_weights[part] * energy.geodesic_squared(wrists, self.palms[part])
        total = total + palms.sum() / s.palm**2
        total = total + self._fingers(part, bends)
        total = total + self._elbows(turns)
        total = total + overlap(self.trunk[part], joints, points).sum() / s.overlap**2
        if len(turns) < 3:
            return total
        # Whatever moves fast moves on: only what is added to the movement must be smooth.
        to_first, times = self.to_first[part], self.times[part]
        for now, then, least in ((joints, before[0], s.acceleration), (points, before[1], s.finger_acceleration)):
            added = turned(to_first, (now - then).flatten(1, 2))
            total = total + (energy.second_difference(added, times) ** 2).sum() / least**2
        return total + 2.0 * energy.steps(added) / (s.speed * max(median_step(times), 1e-3)) ** 2

    def _fingers(self, part: slice, bends: Tensor) -> Tensor:
        """Fingers stay near their own fit, and within what they can."""
        about = torch.einsum("sjhc,tsjc->tsjh", self.axes, bends)
        fitted = torch.einsum("sjhc,tsjc->tsjh", self.axes, self.fingers[part])
        beyond = torch.relu(about - self.high) + torch.relu(self.low - about)
        return ((about - fitted) ** 2 / self.spans**2).sum() + (beyond**2).sum() / self.sigmas.limit**2

    def _elbows(self, turns: Tensor) -> Tensor:
        """Forearms bend one way and in one plane (`energy.anatomy`)."""
        total = turns.new_zeros(())
        for side in (0, 1):
            forearm = torch.nn.functional.normalize(self.chain.arm[side, 3], dim=-1)
            bent = turns[:, side, 2] @ forearm
            total = total + ((bent[:, 1] - forearm[1]) ** 2).sum() / energy.Sigmas.hinge**2
            total = total + (torch.relu(-(bent[:, 2] - forearm[2]) - 0.02) ** 2).sum() / 0.03**2
        return total


def _reprojection(points: Tensor, pixels: Tensor, weights: Tensor, K: Tensor, sigma: float, outlier: float) -> Tensor:
    """(...,3) m against (...,2) px, robust; in m at the points' depth."""
    depth = points[..., 2:].clamp(min=0.1)
    found = points[..., :2] / depth * torch.stack([K[0, 0], K[1, 1]]) + K[:2, 2]
    metres = (found - pixels) * depth.detach() / K[0, 0]
    return (weights * energy.robust(metres.square().sum(-1) / sigma**2, outlier)).sum()


def _hinges(body: BodyModel, sigmas: RefineSigmas) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of both hands' 15 joints: flexion, spread and twist axes (2,15,3,3) in the wrist's rest axes, limits and deviations (2,15,3) rad."""
    skeleton = hand_skeleton(body.rest_joints().cpu().numpy(), finger_tips(body.rest_surface_points().cpu().numpy()))
    first = skeleton.axes[:, :, :3]  # (2,5,3,3)
    later = [np.stack([skeleton.axes[:, :, k], first[:, :, 1], first[:, :, 2]], 2) for k in (3, 5)]
    axes = np.stack([first, *later], 2)  # (2,5,3 joints,3 hinges,3)
    axes[1] *= -MIRROR  # rotation vectors of the mirrored hand
    low, high = np.zeros((5, 3, 3)), np.zeros((5, 3, 3))
    for limits, given in ((low, LOW), (high, HIGH)):
        limits[:, 0], limits[:, 1, :2], limits[:, 2, 0] = given[:, :3], given[:, 3:5], given[:, 5]
    spans = np.full((5, 3, 3), sigmas.twist)
    spans[..., 0] = sigmas.flexion
    spans[:, 0, 1] = sigmas.spread
    spans[4, 0] = sigmas.flexion, sigmas.flexion, sigmas.spread
    both = lambda values: torch.as_tensor(np.stack([values.reshape(15, 3)] * 2), dtype=torch.float32)
    return torch.as_tensor(axes.reshape(2, 15, 3, 3), dtype=torch.float32), both(low), both(high), both(spans)
