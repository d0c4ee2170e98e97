# SPDX-License-Identifier: GPL-3.0-or-later
"""The published fit for one person's landmarks: what a researcher compares the temporal fit with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import roma
import torch
from torch import Tensor

from smplit import models
from smplit.body.model import BodyModel
from smplit.body.rotations import matrix_from_6d
from smplit.mocap.face.landmark_fit import FaceFit
from smplit.mocap.fit.body_fit import BodyFit
from smplit.mocap.fit.energy import POSE_WIDTHS
from smplit.mocap.fit.landmark_trust import landmark_trust
from smplit.mocap.fit.points import BLAZEPOSE_NAMES
from smplit.mocap.fit.pose_prior import JOINTS, PosePrior, prior_named, read_mixture
from smplit.mocap.fit.smplifyx.body import SmplxPoints
from smplit.mocap.fit.smplifyx.camera import Pinhole
from smplit.mocap.fit.smplifyx.energy import BodyPrior, MixturePrior
from smplit.mocap.fit.smplifyx.joints import openpose_points
from smplit.mocap.fit.smplifyx.staged import Fitted, StagedFit
from smplit.mocap.fit.vposer import VPoserPrior
from smplit.mocap.hands.landmark_fit import HandFit
from smplit.mocap.observations import PersonLandmarks
from smplit.motion import JOINT_NAMES, PARENTS

_CHUNK = 128  # frames fitted at once: bounds memory
_ROUNDS, _TOLERANCE = 6, 1e-4  # a video's frames need not be solved to nine digits
_LEAST_SEEN = 6  # landmarks of the body above `_SURE` without which a frame shows nobody
_SURE = 0.3
_HEAD = JOINT_NAMES.index("head")


@dataclass
class SmplifyXFit:
    """One person over N frames, as the capture's other stages hand it on. `energies` (N,): the last stage's, 0 where nobody was seen."""

    body: BodyFit
    hands: HandFit
    face: FaceFit
    energies: np.ndarray


class OpenPrior:
    """Our mixture in the place of the published one: it knows 17 of the 21 joints, the others stay near rest."""

    def __init__(self, prior: PosePrior):
        self._prior = prior
        others = [joint - 1 for joint in range(1, 22) if joint not in JOINTS]
        self._others = others
        self._widths = POSE_WIDTHS[others].double()
        mean = torch.zeros(21, 3, dtype=torch.float64)
        # Features are (3,2) row-major matrices: two columns side by side.
        turns = matrix_from_6d(prior.mean.double().view(-1, 3, 2).transpose(1, 2).flatten(1))
        mean[[joint - 1 for joint in JOINTS]] = roma.rotmat_to_rotvec(turns)
        self.mean = mean.flatten()

    def __call__(self, pose: Tensor) -> Tensor:
        """(F,63) rad -> (F,)."""
        turns = pose.view(-1, 21, 3)
        local = roma.rotvec_to_rotmat(torch.cat([turns[:, :1] * 0.0, turns], 1))
        rest = (turns[:, self._others].square().sum(-1) / self._widths**2).sum(1)
        return self._prior.rarity(self._prior.features(local)) + 0.5 * rest


def load_prior(name: str = "auto") -> BodyPrior:
    """For single frames; names as of `pose_prior.prior_named`.

    Raises:
        BadInput, MissingModel: as `pose_prior.load_pose_prior`.
    """
    name = prior_named(name)
    if name == "gmm":
        return MixturePrior(*read_mixture(models.find("gmm_prior")))
    return VPoserPrior.load() if name == "vposer" else OpenPrior(PosePrior.load())


class SmplifyX:
    """`SmplifyX(body)(landmarks, K)`: frames are fitted by themselves, with the video's own focal length instead of 5000 px."""

    def __init__(
        self, body: BodyModel, prior: BodyPrior | None = None, rounds: int = _ROUNDS, tolerance: float = _TOLERANCE,
        check: Callable[[int, int], None] = lambda done, total: None,
    ):
        """
        Args:
            rounds, tolerance: of each stage, see `staged.StagedFit`; published: 30 and 1e-9.
            check: called with (frames done, total); may raise `Cancelled`.

        Raises:
            BadInput: the body file lacks hands' components or face landmarks.
        """
        self._model, self._points = body, SmplxPoints(body)
        self._prior = prior or load_prior()
        self._rounds, self._tolerance, self._check = rounds, tolerance, check

    def __call__(self, landmarks: PersonLandmarks, K: np.ndarray, size: tuple[int, int] | None = None) -> SmplifyXFit:
        """Fits N frames; camera axes of each frame.

        Frames that show too little of the body take the nearest fitted one's pose, at confidence 0.

        Args:
            K: (3,3) px; size: (width, height) px, default twice the principal point.
        """
        trust = landmark_trust(landmarks, K)
        points = openpose_points(landmarks, np.sqrt(trust))
        height = float(size[1] if size else 2.0 * K[1, 2])
        camera = Pinhole(torch.tensor([K[0, 0], K[1, 1]]).double(), torch.as_tensor(K[:2, 2]).double(), height)
        shown = np.flatnonzero((points[:, :25, 2] > _SURE).sum(1) >= _LEAST_SEEN)
        detected = torch.as_tensor(points[shown])
        fit = StagedFit(self._points, self._prior, camera, self._rounds, self._tolerance)
        done: list[Fitted] = []
        for first in range(0, len(shown), _CHUNK):
            fit.check = lambda first=first: self._check(first, len(shown))
            done.append(fit(detected[first : first + _CHUNK]))
        betas = self._one_shape(done)
        for chunk, first in zip(done, range(0, len(shown), _CHUNK), strict=True):
            chunk.parameters["betas"] = betas.expand(len(chunk.translation), -1).clone()
            done[first // _CHUNK] = fit.refit(detected[first : first + _CHUNK], chunk)
        return self._over_frames(landmarks, trust, done, shown, betas)

    def _one_shape(self, done: list[Fitted]) -> Tensor:
        """(10,): a person has one, and single frames hardly show it."""
        if not done:
            return torch.zeros(self._points.sizes["betas"], dtype=torch.float64)
        return torch.cat([chunk.parameters["betas"] for chunk in done]).median(0).values

    def _over_frames(
        self, landmarks: PersonLandmarks, trust: np.ndarray, done: list[Fitted], shown: np.ndarray, betas: Tensor
    ) -> SmplifyXFit:
        count = len(landmarks)
        found = {name: torch.cat([chunk.parameters[name] for chunk in done]) if done else torch.zeros(1, size, dtype=torch.float64)
                 for name, size in self._points.sizes.items()}
        turns = self._points.axis_angles(found)
        trans = torch.cat([chunk.translation for chunk in done]) if done else torch.tensor([[0.0, 0.0, 3.0]]).double()
        nearest = np.abs(np.arange(count)[:, None] - shown[None]).argmin(1) if len(shown) else np.zeros(count, int)
        rotations = roma.rotvec_to_rotmat(turns)
        world = _global(rotations)
        take = lambda values: values[nearest].numpy().astype(np.float32)
        seen = np.isin(np.arange(count), shown)
        energies = np.zeros(count)
        energies[shown] = torch.cat([chunk.energies[-1] for chunk in done]).numpy() if done else 0.0
        body = BodyFit(take(rotations[:, :22]), take(trans), betas.numpy().astype(np.float32), _confidence(trust, seen))
        hands = HandFit(
            take(turns[:, 25:]).reshape(count, 2, 15, 3), take(world[:, 20:22]), landmarks.hand_confidence.astype(np.float32) * seen[:, None]
        )
        heads = self._model.joints(torch.as_tensor(body.rotations), torch.as_tensor(body.trans), betas.float())[:, _HEAD]
        face = FaceFit(
            take(world[:, _HEAD]), heads.numpy(), landmarks.face_confidence.astype(np.float32) * seen, take(turns[:, 22]),
            take(turns[:, 23:25]), self._expression(take(found["expression"])),
        )
        return SmplifyXFit(body, hands, face, energies)

    def _expression(self, values: np.ndarray) -> np.ndarray:
        """(N,E) in the body's whole basis; the actions of a named basis stay within 0 and 1."""
        full = np.zeros((len(values), len(self._model.expression_names)), np.float32)
        full[:, : values.shape[1]] = values
        return full if self._model.expression_names[0].startswith("flame") else np.clip(full, 0.0, 1.0)


def _global(rotations: Tensor) -> Tensor:
    """(F,55,3,3) local -> (F,22,3,3) global rotations of the body's joints."""
    turns = [rotations[:, 0]]
    for joint in range(1, 22):
        turns.append(turns[PARENTS[joint]] @ rotations[:, joint])
    return torch.stack(turns, 1)


def _confidence(trust: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(N,22): the best landmark that a joint's subtree shows."""
    confidence = np.zeros((len(trust), 22), np.float32)
    for joint, name in enumerate(JOINT_NAMES[:22]):
        if name in BLAZEPOSE_NAMES:
            confidence[:, joint] = trust[:, BLAZEPOSE_NAMES.index(name)]
    confidence[:, _HEAD] = trust[:, BLAZEPOSE_NAMES.index("nose")]
    for joint in range(21, 0, -1):
        confidence[:, PARENTS[joint]] = np.maximum(confidence[:, PARENTS[joint]], confidence[:, joint])
    return confidence * seen[:, None]
