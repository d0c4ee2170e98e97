# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit of the 22 body joints to landmarks over a whole clip: vectorised over frames, in windows.

Stage "view" works in the camera alone. Stage "world" repeats it from there once gravity, floor and
contacts are known, so that planted feet steady the depth that a single camera sees badly.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from smplit.body.kinematics import joint_transforms
from smplit.body.model import BodyModel
from smplit.body.rotations import matrix_from_6d, matrix_from_rotvec, sixd_from_matrix
from smplit.mocap.fit import energy, kicks
from smplit.mocap.fit.adam import OneCycleAdam
from smplit.mocap.fit.curves import despike, fill_gaps, median_step, smoothed, smoother
from smplit.mocap.fit.energy import LIMBS, Sigmas
from smplit.mocap.fit.initial import initial_rotations, initial_translation, towards_person
from smplit.mocap.fit.landmark_trust import BELOW_THE_HIPS, landmark_trust
from smplit.mocap.fit.points import BLAZEPOSE_NAMES, BodyPoints, body_points, sole_points
from smplit.mocap.fit.pose_chain import frames_last, matrices_of, pose_chain, turned
from smplit.mocap.fit.pose_prior import PosePrior, load_pose_prior
from smplit.mocap.fit.targets import Targets
from smplit.mocap.fit.vposer import VPoserPrior
from smplit.mocap.lifter.estimate import LiftedBody
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.mocap.smoothing import smooth_curves, smooth_rotations
from smplit.motion import PARENTS

WINDOW, OVERLAP = 240, 24  # frames: memory is bounded by one window
_SHAPE_FRAMES = 160  # frames that decide the shape: the best seen, spread over the clip
_ITERATIONS = {"shape": 60, "view": 90, "world": 60}
_ITERATIONS_LIFTED = {"shape": 45, "view": 60, "world": 45}  # from the lifter's motion on; the longer fit gained 1 % on the tuning clips
_RATE = {"rotations": 0.03, "trans": 0.03, "betas": 0.05, "lean": 0.02}
# The unknowns are smoothed by a Gaussian of this width before use. It is no filter (the unknowns may
# swing wider to make up for it) but a preconditioner: 90 steps then reach a lower energy than 300
# without it, because the stiff high frequencies no longer hold the step size down.
_PRECONDITION = 0.05  # s
_GUESS_CUTOFF = 4.0  # Hz, of the first guess when nothing is fitted
_LEG_LANDMARKS = [23, 24, 25, 26, 27, 28]  # BlazePose hips, knees, ankles
_FACE, _HIPS = list(range(11)), [23, 24]  # of BlazePose
# Sigmas (of `Sigmas.bone`) beyond which a direction counts as wrong. The detector's own 3D mirrors a limb now and then; the lifter
# hardly ever does, and must not be given up for landmarks that lie a little off.
_DIRECTION_OUTLIER, _LIFTED_OUTLIER = 4.0, 20.0
_LIMB_FLOOR = 0.03  # m: no limb's ends are known better than this
_BALANCE_LIFTED = 0.2  # m: the lifter leans bodies less than the detector does, and knows who jumps or bends
_PRIOR_EVERY = 15  # steps between two choices of each frame's component of the pose prior


@dataclass
class Ground:
    """What stage "world" knows: contacts (T,4) of the sole points, and the floor.

    `up` (3,) is the up direction in the first camera's axes, `floor` m the floor's height along it.
    """

    contacts: np.ndarray
    up: np.ndarray
    floor: float


@dataclass
class BodyFit:
    """Local rotations (T,22,3,3) (root in camera axes), `trans` (T,3) m in camera axes, `betas` (10,)."""

    rotations: np.ndarray
    trans: np.ndarray
    betas: np.ndarray
    confidence: np.ndarray = field(default_factory=lambda: np.zeros(0))  # (T,22) 0..1


class BodyFitter:
    """Fits one person through one shot; keeps what both stages share."""

    def __init__(
        self,
        landmarks: PersonLandmarks,
        camera: CameraMotion,
        times: np.ndarray,
        body: BodyModel,
        wrists: tuple[np.ndarray, np.ndarray] | None = None,
        head: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
        sigmas: Sigmas | None = None,
        check: Callable[[int, int], None] = lambda done, total: None,
        lifted: LiftedBody | None = None,
        prior: PosePrior | VPoserPrior | None = None,
        alone: np.ndarray | None = None,
    ):
        """
        Args:
            landmarks: N frames of one person.
            camera: rotation (N,3,3) of exactly those frames.
            times: (N,) s.
            wrists: palm orientations (N,2,3,3) in camera axes and their trust (N,2).
            head: head orientations (N,3,3) and places (N,3) m in camera axes, and their trust (N,).
            check: called with (iterations done, total); may raise `Cancelled`.
            lifted: the lifter's motion of the same frames; without it the detector's own 3D says how limbs point.
            prior: which poses people take; the user's own if there is one, else ours.
            alone: (N,) bool, frames in which nobody else is near, whose limbs might be taken for this person's; None: all.
        """
        self.lifted = lifted
        self.body, self.camera, self.landmarks, self.check = body, camera, landmarks, check
        self.sigmas = sigmas or (Sigmas() if lifted is None else Sigmas(balance=_BALANCE_LIFTED))
        self.prior = prior or load_pose_prior()
        seen = landmarks.seen.astype(bool)
        world = fill_gaps(landmarks.body_world.astype(np.float32), seen)
        boxes = fill_gaps(landmarks.boxes.astype(np.float32), seen)
        self.turned = torch.as_tensor(np.einsum("tij,tkj->tki", towards_person(boxes, camera.K), world), dtype=torch.float32)
        self.pixels = torch.as_tensor(fill_gaps(landmarks.body.astype(np.float32), seen))
        self.trust = torch.as_tensor(landmark_trust(landmarks, camera.K).astype(np.float32))
        self.legs_seen = bool((self.trust[:, BELOW_THE_HIPS] > 0.0).any())
        self.widths = energy.rest_widths(self.sigmas, self.legs_seen)
        self.times = torch.as_tensor(np.asarray(times - times[0], np.float32))
        self.wrists, self.head = wrists, head
        self.alone = torch.ones(len(times), dtype=torch.bool) if alone is None else torch.as_tensor(alone)
        # Of a close-up the detector invents shoulders at the picture's rim, and puts ears and eyes too low: there the
        # face's mesh says where the head is.
        self.head_alone = torch.zeros(len(times))
        if head is not None:
            self.head_alone = (1.0 - self.trust[:, _HIPS].mean(1)) * torch.as_tensor(head[2], dtype=torch.float32)
        self.shown = self.trust.clone()
        self.shown[:, _FACE] *= (1.0 - 0.8 * self.head_alone)[:, None]
        self.to_first = torch.as_tensor(np.transpose(camera.rotation, (0, 2, 1)), dtype=torch.float32)
        self.place_camera(camera.centre)
        self.K = torch.as_tensor(camera.K, dtype=torch.float32)
        # The lifter knows the open body's shapes only; on the real SMPL-X the same numbers mean another person.
        own_shape = lifted is not None and body.standin
        self.betas = torch.as_tensor(lifted.betas, dtype=torch.float32) if own_shape else torch.zeros(10)
        self.lean = torch.zeros(3)
        self.up: Tensor | None = None
        self.points, self.soles = body_points(body, self.betas), sole_points(body, self.betas)
        self.iterations = _ITERATIONS if lifted is None else _ITERATIONS_LIFTED
        self._steps_done = 0
        windows = len(self._windows())
        self._steps_total = self.iterations["shape"] + windows * (self.iterations["view"] + self.iterations["world"])

    def place_camera(self, centre: np.ndarray | None) -> None:
        """Where the camera's centre was, (N,3) m in the first frame's axes; None when it is not known."""
        self.centre = torch.zeros(len(self.times), 3) if centre is None else torch.as_tensor(centre, dtype=torch.float32)

    def _windows(self) -> list[slice]:
        frames, starts = len(self.times), [0]
        while starts[-1] + WINDOW < frames:
            starts.append(starts[-1] + WINDOW - OVERLAP)
        return [slice(s, min(s + WINDOW, frames)) for s in starts]

    def _targets(self) -> Targets:
        names = [BLAZEPOSE_NAMES[i] for i in self.points.landmarks]
        self.pairs = torch.tensor([[names.index(a), names.index(b)] for a, b in LIMBS])
        used = self.points.landmarks
        ends = self.turned[:, used] if self.lifted is None else self._lifted_landmarks()
        limb = ends[:, self.pairs[:, 1]] - ends[:, self.pairs[:, 0]]
        directions = torch.nn.functional.normalize(limb, dim=-1)
        weights = self.shown[:, used] * self.points.trust
        direction_weights = torch.minimum(weights[:, self.pairs[:, 0]], weights[:, self.pairs[:, 1]])
        if self.lifted is not None:
            direction_weights = self._lifted_trust()
        as_tensor = lambda array: None if array is None else torch.as_tensor(np.asarray(array, np.float32))
        wrists, wrist_weights = self.wrists or (None, None)
        heads, head_places, head_weights = self.head or (None, None, None)
        return Targets(
            self.pixels[:, used], weights, self.trust[:, _LEG_LANDMARKS].sqrt().mean(1), directions, direction_weights,
            self.times, self.to_first, self.centre, self.K,
            as_tensor(wrists), as_tensor(wrist_weights), as_tensor(heads), as_tensor(head_places), as_tensor(head_weights),
            self.head_alone, None if self.lifted is None else as_tensor(self._lifted_turns()), self.alone,
        )

    def _lifted_turns(self) -> np.ndarray:
        """(T,22,3,3): the lifter's rotations; legs that no frame shows hang at rest."""
        rotations = self.lifted.rotations
        if not self.legs_seen:
            rotations = rotations.copy()
            rotations[:, energy.LEG_JOINTS] = np.eye(3)
        return rotations

    def _lifted_landmarks(self) -> Tensor:
        """(T,K,3) m about the pelvis, camera axes: where the lifter puts the used landmarks of the present shape."""
        local = torch.as_tensor(self._lifted_turns(), dtype=torch.float32)
        rotations, joints = joint_transforms(local, self.body.rest_joints(self.betas)[:22])
        return self.points.positions(rotations, joints)

    def _lifted_trust(self) -> Tensor:
        """(T,P): how sure the lifter is of each limb's direction, against the deviation `Sigmas.bone`."""
        variance = torch.as_tensor(self.lifted.spread[..., 1], dtype=torch.float32)[:, self.points.joints] ** 2
        return self.sigmas.bone**2 / (variance[:, self.pairs[:, 0]] + variance[:, self.pairs[:, 1]] + _LIMB_FLOOR**2)

    def _tick(self) -> None:
        self._steps_done += 1
        if self._steps_done % 10 == 0:
            self.check(self._steps_done, self._steps_total)

    def first_guess(self) -> BodyFit:
        """The closed-form pose of every frame, smoothed over time; mean shape. Camera axes."""
        targets = self._targets()
        rotations, trans = self._closed_form(targets)
        confidence, times = self._joint_confidence(targets), self.times.numpy()
        smooth = [smooth_rotations(rotations[:, j].numpy(), confidence[:, j], times, _GUESS_CUTOFF) for j in range(22)]
        trans = smooth_curves(trans.numpy(), confidence[:, 0], times, _GUESS_CUTOFF)
        return BodyFit(np.stack(smooth, 1).astype(np.float32), trans.astype(np.float32), self.betas.numpy(), confidence)

    def fit_view(self) -> BodyFit:
        """Stage "view": shape first, then pose and translation of every frame in camera axes."""
        targets = self._targets()
        rotations, trans = self._closed_form(targets)
        chosen = self._shape_frames(targets)
        part = targets.of(chosen)
        part.times = torch.arange(len(chosen)) * 1e3  # so far apart that no smoothness acts between them
        self._optimise(sixd_from_matrix(rotations[chosen]), trans[chosen], part, "shape", fit_shape=True)
        self._turn_evidence(matrix_from_rotvec(self.lean).expand(len(self.times), 3, 3))
        self.lean, targets = torch.zeros(3), self._targets()
        self.points, self.soles = body_points(self.body, self.betas), sole_points(self.body, self.betas)
        rotations, trans = self._closed_form(targets)
        return self._fit_windows(sixd_from_matrix(rotations), trans, targets, "view", None)

    def _closed_form(self, targets: Targets) -> tuple[Tensor, Tensor]:
        """Local rotations (T,22,3,3) and translation (T,3) m of the present shape, frame by frame."""
        rest = self.body.rest_joints(self.betas)
        local = initial_rotations(self.turned, rest) if self.lifted is None else targets.turns.clone()
        if not self.legs_seen:
            local[:, energy.LEG_JOINTS] = torch.eye(3)
        rotations, joints = joint_transforms(local, rest[:22])
        trans = initial_translation(self.points.positions(rotations, joints), targets.pixels, targets.weights, self.K)
        return local, despike(trans, targets.weights.sum(1), targets.times)

    def tell_up(self, up: np.ndarray) -> None:
        """From now on the fit knows up, (3,) in the first camera's axes, and keeps the body above its feet."""
        self.up = torch.as_tensor(up, dtype=torch.float32)

    def turn_detected(self, turn: np.ndarray) -> None:
        """Turns the detector's 3D of all frames by one rotation (3,3) in the first frame's camera axes; fit again after it."""
        turns = self.to_first.transpose(1, 2) @ torch.as_tensor(turn, dtype=torch.float32) @ self.to_first
        self._turn_evidence(turns)

    def _turn_evidence(self, turns: Tensor) -> None:
        """Turns what says how limbs point by (T,3,3), camera axes."""
        self.turned = self.turned @ turns.transpose(1, 2)
        if self.lifted is not None:
            rotations = self.lifted.rotations.copy()
            rotations[:, 0] = turns.numpy().astype(np.float64) @ rotations[:, 0]
            self.lifted = replace(self.lifted, rotations=rotations)

    def fit_world(self, start: BodyFit, ground: Ground) -> BodyFit:
        """Stage "world": from `start`, with planted feet held to the floor; the camera's place must be known."""
        sixd = sixd_from_matrix(torch.as_tensor(start.rotations, dtype=torch.float32))
        return self._fit_windows(sixd, torch.as_tensor(start.trans, dtype=torch.float32), self._targets(), "world", ground)

    def _shape_frames(self, targets: Targets) -> Tensor:
        quality = targets.weights.sum(1)
        count = min(_SHAPE_FRAMES, len(quality))
        bins = torch.linspace(0, len(quality), count + 1).long()
        return torch.stack([b0 + quality[b0:b1].argmax() for b0, b1 in itertools.pairwise(bins)])

    def _fit_windows(self, sixd: Tensor, trans: Tensor, targets: Targets, stage: str, ground: Ground | None) -> BodyFit:
        out_sixd, out_trans = sixd.clone(), trans.clone()
        for number, frames in enumerate(self._windows()):
            fitted_sixd, fitted_trans = self._optimise(
                sixd[frames], trans[frames], targets.of(frames), stage, ground=_cut_ground(ground, frames)
            )
            if number == 0:
                out_sixd[frames], out_trans[frames] = fitted_sixd, fitted_trans
                continue
            # Cross-fade the overlap, so that windows join without a step.
            ramp = torch.linspace(0, 1, OVERLAP + 2)[1:-1]
            lap = slice(frames.start, frames.start + OVERLAP)
            out_sixd[lap] = torch.lerp(out_sixd[lap], fitted_sixd[:OVERLAP], ramp[:, None, None])
            out_trans[lap] = torch.lerp(out_trans[lap], fitted_trans[:OVERLAP], ramp[:, None])
            rest = slice(frames.start + OVERLAP, frames.stop)
            out_sixd[rest], out_trans[rest] = fitted_sixd[OVERLAP:], fitted_trans[OVERLAP:]
        return BodyFit(
            matrix_from_6d(out_sixd).numpy(), out_trans.numpy(), self.betas.numpy(), self._joint_confidence(targets)
        )

    def _joint_confidence(self, targets: Targets) -> np.ndarray:
        """(T,22): the best landmark that a joint's subtree shows, since a seen hand fixes the elbow."""
        confidence = np.zeros((len(self.times), 22), np.float32)
        for landmark, joint in enumerate(self.points.joints):
            confidence[:, joint] = np.maximum(confidence[:, joint], self.trust[:, self.points.landmarks[landmark]].numpy())
        for joint in range(21, 0, -1):
            parent = PARENTS[joint]
            confidence[:, parent] = np.maximum(confidence[:, parent], confidence[:, joint])
        return confidence

    def _optimise(
        self, sixd: Tensor, trans: Tensor, targets: Targets, stage: str, fit_shape: bool = False, ground: Ground | None = None
    ) -> tuple[Tensor, Tensor]:
        sixd, trans = (frames_last(values.clone()).requires_grad_() for values in (sixd, trans))
        targets = targets.frames_last()
        betas, lean = self.betas.clone().requires_grad_(fit_shape), self.lean.clone().requires_grad_(fit_shape)
        unknowns = {"rotations": sixd, "trans": trans} | ({"betas": betas, "lean": lean} if fit_shape else {})
        steps = self.iterations[stage]
        adam = OneCycleAdam(list(unknowns.values()), [_RATE[name] for name in unknowns], steps)
        points = self.points
        rest = self.body.rest_joints(self.betas)[:22]
        smooth = None if fit_shape else smoother(_PRECONDITION / max(median_step(targets.times), 1e-3), len(trans))
        directions = targets.directions
        missed, outlier_limits = None, self.sigmas.pixel_outlier
        for step in range(steps):
            if fit_shape:
                points = body_points(self.body, betas)
                rest = self.body.rest_joints(betas)[:22]
                targets.directions = directions @ matrix_from_rotvec(lean).T
            local = matrices_of(smoothed(sixd, smooth))
            if step % _PRIOR_EVERY == 0:
                prior = self.prior.choose(local)
            place = smoothed(trans, smooth)
            if not fit_shape and step >= kicks.LOOK * steps:
                if missed is None:
                    missed = self._missed(local.detach(), place.detach(), rest, points, targets)
                outlier_limits = kicks.limits(missed, step / steps, self.sigmas.pixel_outlier)
            loss = self._energy(local, place, rest, points, targets, ground, outlier_limits)
            loss = loss + prior.distance(local) / self.sigmas.pose_prior**2
            if fit_shape:
                # Frames repeat the same evidence about one shape: the prior counts as many of them.
                loss = loss + (betas**2).sum() / self.sigmas.shape**2 * (0.5 * len(trans))
                loss = loss + (lean**2).sum() / self.sigmas.lean**2 * (0.5 * len(trans))
            adam.descend(loss)
            self._tick()
        if fit_shape:
            self.betas, self.lean = betas.detach(), lean.detach()
        return smoothed(sixd.detach(), smooth).contiguous(), smoothed(trans.detach(), smooth).contiguous()

    def _missed(self, local: Tensor, trans: Tensor, rest: Tensor, points: BodyPoints, targets: Targets) -> Tensor:
        """(T,K) sigmas, see `kicks.misses`."""
        marks = points.positions(*pose_chain(local, rest)) + trans[:, None]
        names = [BLAZEPOSE_NAMES[i] for i in points.landmarks]
        other = [names.index(_other_side(name)) for name in names]
        off = lambda these: energy.picture_offsets(these, targets.pixels, targets.K).norm(dim=-1) / self.sigmas.pixel
        places = targets.pixels * energy.metres_per_pixel(marks, targets.K)
        places = places - places[:, [names.index("left_hip"), names.index("right_hip")]].mean(1, keepdim=True)
        return kicks.misses(off(marks), off(marks[:, other]), places, targets.weights, targets.times, targets.alone, names)

    def _energy(
        self, local: Tensor, trans: Tensor, rest: Tensor, points: BodyPoints, targets: Targets, ground: Ground | None,
        outlier_limits: float | Tensor,
    ) -> Tensor:
        s = self.sigmas
        rotations, joints = pose_chain(local, rest)
        marks = points.positions(rotations, joints)
        total = energy.reprojection(marks + trans[:, None], targets.pixels, targets.weights, targets.K, s, outlier_limits)
        ends = points.positions(rotations, joints, in_depth=True) if targets.turns is None else marks
        outlier = _DIRECTION_OUTLIER if targets.turns is None else _LIFTED_OUTLIER
        total = total + energy.bone_directions(ends, self.pairs, targets.directions, targets.direction_weights, s, outlier)
        total = total + energy.anatomy(local, rest, self.widths, s)
        if targets.turns is not None:
            total = total + energy.turned_away(local, targets.turns, s)
        if targets.wrists is not None:
            off = energy.geodesic_squared(rotations[:, 20:22], targets.wrists)
            total = total + (targets.wrist_weights * off).sum() / s.wrist**2
        if targets.heads is not None:
            trust = targets.head_weights / s.head**2 + targets.head_alone / s.head_alone**2
            total = total + (trust * energy.geodesic_squared(rotations[:, 15], targets.heads)).sum()
            total = total + (targets.head_alone * energy.head_place(joints[:, 15] + trans, targets.head_places, s)).sum()
        if self.up is not None:
            total = total + energy.imbalance(turned(targets.to_first, joints), self.up, targets.legs, s)
        if len(trans) < 3:
            return total
        # Smoothness belongs to the world: undo the camera's own turning.
        place = turned(targets.to_first, trans[:, None])[:, 0] + targets.centre
        relative = turned(targets.to_first, joints - joints[:, :1])
        thrown = (energy.second_difference(relative, targets.times) ** 2).sum(-1) / s.acceleration**2
        total = total + energy.heavy_tailed(thrown, s.acceleration_tail).sum()
        total = total + (energy.second_difference(place, targets.times) ** 2).sum() / s.root_acceleration**2
        root = turned(targets.to_first, local[:, 0].transpose(1, 2))  # its three axes
        for turns in (root, local[:, 1:]):
            total = total + (energy.second_difference(turns, targets.times) ** 2).sum() / s.turning**2 / 2.0
        if ground is not None:
            total = total + self._ground_energy(rotations, joints, trans, targets, ground)
        return total

    def _ground_energy(self, rotations: Tensor, joints: Tensor, trans: Tensor, targets: Targets, ground: Ground) -> Tensor:
        s = self.sigmas
        soles = turned(targets.to_first, self.soles.positions(rotations, joints) + trans[:, None]) + targets.centre[:, None]
        contacts = torch.as_tensor(ground.contacts, dtype=torch.float32)
        step = (targets.times[1:] - targets.times[:-1]).clamp(min=1e-3)[:, None, None]
        both = torch.minimum(contacts[1:], contacts[:-1])
        speed = (((soles[1:] - soles[:-1]) / step) ** 2).sum(-1)
        # Robust: a contact may be none, and somebody may stand on a box.
        total = (both * energy.robust(speed / s.contact_speed**2, s.contact_escape / s.contact_speed)).sum()
        height = (soles @ torch.as_tensor(ground.up, dtype=torch.float32) - ground.floor) / s.contact_height
        return total + (contacts * energy.robust(height**2, s.contact_outlier)).sum()


def _other_side(name: str) -> str:
    side, _, rest = name.partition("_")
    return {"left": "right_", "right": "left_"}.get(side, name) + rest


def _cut_ground(ground: Ground | None, frames: slice) -> Ground | None:
    return None if ground is None else Ground(ground.contacts[frames], ground.up, ground.floor)
