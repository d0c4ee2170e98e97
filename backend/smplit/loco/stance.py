# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody who stands, or turns where they stand: feet that step round one after the other, a body that breathes.

The network learnt walking; told to stand, it marches on the spot in most styles. How a style holds itself is therefore taken from
the mean of its own walk, the life in it from people who stood (`idle`), and the steps are made here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from smplit.body.model import BodyModel
from smplit.difftraj.features import heading
from smplit.loco import frames as numbers
from smplit.loco.feet import Body
from smplit.loco.idle import Idle
from smplit.loco.legs import ANKLE, SIDES, TOE, FootTrack, around_the_world, joints_at, on_their_feet
from smplit.loco.plan import Plan
from smplit.loco.set_off import eased
from smplit.mocap.fit.points import sole_points
from smplit.motion import BODY_JOINTS

_FLAT = Rotation.from_matrix([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # a foot at rest, put into the world facing x
_WIDTH, _TOES_OUT = (0.075, 0.17), np.radians([-5.0, 25.0])  # m of an ankle from the middle; rad
_REACH, _GIVE = 0.985, 0.006  # of a leg: whoever stands straighter snaps the knees; m, how softly the pelvis comes down before that
_BENT = 0.3  # rad: a knee, before the leg reaches for its foot
_BEHIND = 0.03  # m: the ankles are so far behind the pelvis joint when the weight is over the feet
_STEP, _EARLIER = 11, 7  # frames of a step; it is made for what the facing will be so long after it
_TWISTED, _ASTRAY = np.radians(28.0), 0.07  # rad, m off its place: a foot steps
_TWISTED_AT_REST, _ASTRAY_AT_REST = np.radians(4.0), 0.015  # the same, once the turn is over
_STILL_TURNING, _STILL_GOING = 0.03, 0.005  # rad, m: whoever turns or goes more than that has not come to rest
_BETWEEN = 1  # frames from one foot's landing to the other's lift
_OPEN = np.radians([-2.0, 65.0])  # rad between the feet, toes outward: beyond, they would cross, or the hips
_LIFT, _ONTO = 0.055, 0.035  # m that a foot is lifted, and that the pelvis goes over the other
_LIVENS = 30  # frames until the idle is all there
_LOOKS, _MOST_LOOK = 12, np.radians(40.0)  # frames, rad: the head turns so much earlier
_J = {name: i for i, name in enumerate(BODY_JOINTS)}
_HEAD = [_J["neck"], _J["head"]]


@dataclass(frozen=True)
class Stance:
    """How a style stands, in the plan's frame.

    Attributes:
        rotations: (22,3,3) local, the root's in the plan's frame. height: m of the pelvis, if the legs reach.
        place: side -> (2,) m of the ankle; yaw: side -> rad of the foot.
        ankle: m, its height when the foot is flat. rest: (J,3) m, joints at rest.
    """

    rotations: np.ndarray
    height: float
    place: dict[str, np.ndarray]
    yaw: dict[str, float]
    ankle: float
    rest: np.ndarray

    @classmethod
    def of(cls, walk: torch.Tensor, body: BodyModel, size: float) -> Stance:
        """The mean of a walk (T,CHANNELS), with the feet below the body. `size`: leg of `body` by that of the body that walks."""
        rest = body.rest_joints().cpu().numpy().astype(np.float64)
        ankle = -float(sole_points(body, torch.zeros(10)).offsets[0, 1])
        decoded = lambda frames: numbers.decode(frames, torch.zeros(len(frames), 2), torch.zeros(len(frames)))[0].numpy().astype(np.float64)
        around = around_the_world(decoded(walk))
        at = joints_at(around, rest)
        wide = np.clip((at[:, ANKLE["left"], 1] - at[:, ANKLE["right"], 1]).mean() / 2, *_WIDTH)
        place, yaw = {}, {}
        for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
            foot = heading(torch.from_numpy(around[:, ANKLE[side]])).numpy()
            out = sign * np.arctan2(np.sin(foot).mean(), np.cos(foot).mean())
            place[side], yaw[side] = np.array([-_BEHIND, sign * wide]), sign * float(np.clip(out, *_TOES_OUT))
        mean = decoded(walk.mean(0, keepdim=True))
        for side in SIDES:  # knees that bend over the toes; a mean of swinging legs may bend anywhere
            mean[:, _J[f"{side}_hip"]] = Rotation.from_euler("xy", [-_BENT / 2, yaw[side]]).as_matrix()
            mean[:, _J[f"{side}_knee"]] = Rotation.from_euler("x", _BENT).as_matrix()
            mean[:, TOE[side]] = np.eye(3)
        tall = float(walk[:, numbers.HEIGHT].quantile(0.75) * numbers.UNITS[numbers.HEIGHT]) * size
        return cls(mean[0], tall, place, yaw, ankle, rest)

    def too_high(self, rotations: np.ndarray, pelvis: np.ndarray, feet: dict[str, FootTrack]) -> np.ndarray:
        """(K,) m by which the pelvis must come down for both legs to reach their feet with bent knees."""
        joints = joints_at(around_the_world(rotations), self.rest) + pelvis[:, None]
        down = np.zeros(len(pelvis))
        for side in SIDES:
            hip, foot = joints[:, _J[f"{side}_hip"]], feet[side].ankle
            leg = np.linalg.norm(np.diff(self.rest[[_J[f"{side}_{part}"] for part in ("hip", "knee", "ankle")]], axis=0), axis=1).sum()
            reach = np.sqrt(np.maximum((_REACH * leg) ** 2 - ((foot - hip)[:, :2] ** 2).sum(1), 0.0))
            over = (hip[:, 2] - foot[:, 2] - down - reach) / _GIVE
            down += _GIVE * np.logaddexp(0.0, over)
        return down


@dataclass(frozen=True)
class _Step:
    side: str
    first: int
    last: int
    place: np.ndarray  # (2,) m of the ankle after it
    yaw: float


class Standing:
    """Frames `first` to `last` (exclusive) of a plan on which somebody stands; what they do is the same however it is asked for.

    Args:
        stance: how; idle: with what life, None: like a statue.
        begins, ends: the idle is none yet, or no more, at that end.
    """

    def __init__(self, plan: Plan, first: int, last: int, stance: Stance, idle: Idle | None, seed: int, begins: bool, ends: bool):
        self.plan, self.first, self.last, self.stance, self.idle, self.seed = plan, first, last, stance, idle, seed
        self._lively = begins, ends
        rows = plan.rows(np.arange(first, last + _STEP + _EARLIER + _LOOKS))
        self._place, self._facing = rows.place[:, :2], rows.facing

    def at(self, frames: np.ndarray) -> Body:
        """At `frames` (K,) of the plan."""
        rotations, pelvis, feet = self._posed(frames)
        contacts = np.repeat(np.stack([feet[side].stands for side in SIDES], 1), 2, 1).astype(np.float64)
        return Body(*on_their_feet(rotations, pelvis, feet, self.stance.rest, self.plan.fps), contacts)

    def carried(self, frame: int, planned: Plan) -> tuple[Body, dict[str, FootTrack]]:
        """As at `frame`, carried along with the rows of a plan (K); and where the feet stand at that frame."""
        rotations, pelvis, feet = self._posed(np.array([frame]))
        begun = self.plan.rows(np.array([frame]))
        turn = Rotation.from_rotvec(np.outer(planned.facing - begun.facing, [0, 0, 1]))
        rotations = np.repeat(rotations, len(planned), 0)
        rotations[:, 0] = (turn * Rotation.from_matrix(rotations[:, 0])).as_matrix()
        level = np.array([1, 1, 0])
        pelvis = turn.apply(np.repeat(pelvis - begun.place * level, len(planned), 0)) + planned.place * level
        return Body(rotations, pelvis, np.ones((len(planned), 4))), feet

    def _posed(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, FootTrack]]:
        """Local rotations (K,22,3,3), root in the world, pelvis (K,3) m, and the feet, for which the legs do not reach yet."""
        within = np.clip(frames - self.first, 0, self.last - self.first - 1)
        facing, place = self._facing[within], self._place[within]
        turned = Rotation.from_rotvec(np.stack([0 * facing, 0 * facing, facing], 1)).as_matrix()
        rotations = np.tile(self.stance.rotations, (len(within), 1, 1, 1))
        sway = np.zeros((len(within), 3))
        if self.idle is not None:
            turns, sway = self.idle.at(within / self.plan.fps, self.seed)
            share = self._life(within)
            part = Rotation.from_matrix(turns.reshape(-1, 3, 3)).as_rotvec().reshape(len(within), -1, 3) * share[:, None, None]
            turns = Rotation.from_rotvec(part.reshape(-1, 3)).as_matrix().reshape(turns.shape)
            sway = sway * share[:, None]
            rotations[:, 1:] = rotations[:, 1:] @ turns[:, 1:]
            rotations[:, 0] = turns[:, 0] @ rotations[:, 0]
        look = np.clip(self._facing[within + _LOOKS] - facing, -_MOST_LOOK, _MOST_LOOK) / len(_HEAD)
        for joint in _HEAD:  # about the body's own upright, y
            rotations[:, joint] = Rotation.from_rotvec(np.stack([0 * look, look, 0 * look], 1)).as_matrix() @ rotations[:, joint]
        rotations[:, 0] = turned @ rotations[:, 0]
        feet = {side: self._foot(side, within) for side in SIDES}
        pelvis = np.column_stack([place, np.full(len(within), self.stance.height)]) + (turned @ sway[..., None])[..., 0]
        pelvis[:, :2] += self._onto(within)
        pelvis[:, 2] -= self.stance.too_high(rotations, pelvis, feet)
        return rotations, pelvis, feet

    def _life(self, within: np.ndarray) -> np.ndarray:
        begins, ends = self._lively
        count = self.last - self.first
        share = np.minimum(within / _LIVENS if begins else 1.0, (count - 1 - within) / _LIVENS if ends else 1.0)
        return eased(np.clip(share + np.zeros(len(within)), 0, 1))

    @cached_property
    def _steps(self) -> list[_Step]:
        """One foot after the other, when it is twisted against the body or has been left behind."""
        now = {side: self._wanted(side, 0) for side in SIDES}
        steps: list[_Step] = []
        frame, count = 0, self.last - self.first
        while frame + _STEP <= count - 1:
            lands = frame + _STEP + _EARLIER
            then = slice(lands - _EARLIER, lands + _STEP)
            over = np.ptp(self._facing[then]) < _STILL_TURNING and np.ptp(self._place[then], axis=0).max() < _STILL_GOING
            twisted, astray = (_TWISTED_AT_REST, _ASTRAY_AT_REST) if over else (_TWISTED, _ASTRAY)
            turning = self._facing[lands] - self._facing[frame]
            off = {}
            for number, side in enumerate(SIDES):
                place, yaw = self._wanted(side, lands)
                off[side] = max(abs(yaw - now[side][1]) / twisted, np.linalg.norm(place - now[side][0]) / astray)
                off[side] *= 1.001 if (turning < 0) == bool(number) else 1.0  # to the left, the left foot first
            side = max(off, key=off.get)
            if steps and steps[-1].side == side and off[other := SIDES[side == SIDES[0]]] > 0.5:
                side = other
            if off[side] < 1:
                frame += 1
                continue
            now[side] = self._allowed(side, lands, now[SIDES[side == SIDES[0]]][1])
            steps.append(_Step(side, frame, frame + _STEP, *now[side]))
            frame += _STEP + _BETWEEN
        return steps

    def _allowed(self, side: str, within: int, other: float) -> tuple[np.ndarray, float]:
        """As `_wanted`, turned less where the other foot, at `other` rad, is in the way."""
        sign = 1.0 if side == SIDES[0] else -1.0
        wanted = self._facing[within]
        opens = sign * (wanted + self.stance.yaw[side] - other)
        return self._wanted(side, within, wanted + sign * (np.clip(opens, *_OPEN) - opens))

    def _wanted(self, side: str, within: int, facing: float | None = None) -> tuple[np.ndarray, float]:
        """Where a foot's ankle (2,) m and the foot, rad, belong at a frame, or for another facing then."""
        facing = self._facing[within] if facing is None else facing
        cos, sin = np.cos(facing), np.sin(facing)
        x, y = self.stance.place[side]
        return self._place[within] + [cos * x - sin * y, sin * x + cos * y], float(facing + self.stance.yaw[side])

    def _foot(self, side: str, within: np.ndarray) -> FootTrack:
        """The foot at frames from the first one on."""
        place, yaw = self._wanted(side, 0)
        at, turn = np.tile(place, (len(within), 1)), np.full(len(within), yaw)
        up, stands = np.zeros(len(within)), np.ones(len(within), bool)
        for step in (s for s in self._steps if s.side == side):
            share = np.clip((within - step.first) / (step.last - step.first), 0, 1)
            done = eased(share)
            at, turn = at + done[:, None] * (step.place - place), turn + done * (step.yaw - yaw)
            up += _LIFT * np.sin(np.pi * share) ** 2
            stands &= (share <= 0) | (share >= 1)
            place, yaw = step.place, step.yaw
        rotation = Rotation.from_rotvec(np.stack([0 * turn, 0 * turn, turn], 1)) * _FLAT
        return FootTrack(np.column_stack([at, self.stance.ankle + up]), rotation.as_matrix(), stands)

    def _onto(self, within: np.ndarray) -> np.ndarray:
        """(K,2) m that the pelvis goes over the foot that stands while the other steps."""
        onto = np.zeros((len(within), 2))
        for step in self._steps:
            share = np.clip((within - step.first + _BETWEEN) / (step.last - step.first + 2 * _BETWEEN), 0, 1)
            side = SIDES[step.side == SIDES[0]]
            away = self._wanted(side, step.first)[0] - self._place[step.first]
            onto += (np.sin(np.pi * share) ** 2)[:, None] * away * (_ONTO / max(np.linalg.norm(away), 1e-6))
        return onto
