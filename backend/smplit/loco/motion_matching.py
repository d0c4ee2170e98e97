# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion matching: the classical way along a path, which the network is compared with.

Every few frames the recordings of the style are searched for the frame whose body moves like the character's now and whose
recording goes on as the plan does, seen from where the character is; there the character goes on, its pose brought over by
offsets that die away (inertialisation: Bollo, Inertialization, GDC 2018). Between searches the character walks as recorded.

Alone it neither holds its feet nor returns to the path but by choosing recordings that lead there. `pull` draws it onto the plan,
`foot_lock` plants its feet after that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from smplit.axes import axis_angle_from_matrix
from smplit.body.model import BodyModel
from smplit.datasets.store import MotionStore
from smplit.difftraj.features import JOINTS
from smplit.difftraj.planting import plant_feet
from smplit.loco import frames as numbers
from smplit.loco.frames import as_tensor
from smplit.loco.matching_clips import AHEAD, TRAJECTORY, MatchingClips, trajectory_features
from smplit.loco.plan import Plan
from smplit.motion import NUM_JOINTS, Motion

SEARCH_EVERY = 10  # frames
_HALF_LIFE = 0.10  # s, of the offsets of pose and velocity after a jump
_PULL, _PULL_FACING = 0.02, 0.05  # s, half-lives of what is left to the plan
_MOST_BACK = 0.3  # m: a query asks for no more return to the path than this, all of it at its last point
_FIRST_CHOICES = 6  # frames that a seed may start with


@dataclass(frozen=True)
class Segment:
    """Frames (n,CHANNELS) of a walk with the character's place (n,2) m and facing (n,) rad."""

    frames: np.ndarray
    place: np.ndarray
    facing: np.ndarray


class MotionMatching:
    """A generator: plan, style, seed -> motion."""

    def __init__(self, store: MotionStore, body: BodyModel, *, pull: bool = False, foot_lock: bool = False, every: int = SEARCH_EVERY):
        self.store, self.body, self.pull, self.foot_lock, self.every = store, body, pull, foot_lock, every
        self._clips: dict[str, MatchingClips] = {}

    def clips(self, style: str) -> MatchingClips:
        """The style's recordings, laid out when first asked for."""
        if style not in self._clips:
            self._clips[style] = MatchingClips.of_style(self.store, style, self.body, self.every)
        return self._clips[style]

    def __call__(self, plan: Plan, style: str, seed: int) -> Motion:
        parts = list(Walker(self.clips(style), plan, seed, self.pull, self.every).segments())
        whole = Segment(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("frames", "place", "facing")))
        return self._motion(whole, plan, 0, self.foot_lock)

    def stream(self, plan: Plan, style: str, seed: int) -> Iterator[Motion]:
        """The same piece by piece, as it is found; without planted feet, which look ahead."""
        first = 0
        for part in Walker(self.clips(style), plan, seed, self.pull, self.every).segments():
            yield self._motion(part, plan, first, False)
            first += len(part.facing)

    def _motion(self, part: Segment, plan: Plan, first: int, foot_lock: bool) -> Motion:
        rotations, pelvis, contacts = (
            v.numpy().astype(np.float64) for v in numbers.decode(as_tensor(part.frames), as_tensor(part.place), as_tensor(part.facing))
        )
        poses = np.zeros((len(pelvis), NUM_JOINTS, 3))
        poses[:, :JOINTS] = axis_angle_from_matrix(rotations)
        if foot_lock:
            betas = np.zeros(10, np.float32)
            poses[:, :JOINTS], pelvis = plant_feet(poses, pelvis, contacts, np.arange(len(poses)) / plan.fps, self.body, betas)
        pelvis = pelvis + np.column_stack([np.zeros((len(pelvis), 2)), plan.place[first : first + len(pelvis), 2]])
        rest = self.body.rest_joints()[0].cpu().numpy()
        poses, trans = poses.reshape(len(poses), -1).astype(np.float32), (pelvis - rest).astype(np.float32)
        return Motion(poses, trans, plan.fps, contacts=contacts.astype(np.float32))


class Walker:
    """A character under way: where it is, which recorded frame it plays, and what is left of its offsets."""

    def __init__(self, clips: MatchingClips, plan: Plan, seed: int, pull: bool, every: int):
        self.clips, self.plan, self.pull, self.every = clips, plan, pull, every
        # Place, facing and their way ahead for every frame, and beyond the end.
        asked = plan.rows(np.arange(len(plan) + every + AHEAD[-1] + 1))
        self.asked_place, self.asked_facing = asked.place[:, :2], asked.facing
        self.place, self.facing = self.asked_place[0].copy(), float(self.asked_facing[0])
        self.offset = np.zeros((2, clips.frames.shape[1]))  # of the pose, and its change a second
        self.drift = np.zeros(3)  # of step and turn
        self.now = self._start(np.random.default_rng(seed))

    def segments(self) -> Iterator[Segment]:
        """The whole plan, `every` frames at a time."""
        for first in range(0, len(self.plan), self.every):
            if first:
                self._search(first)
            count = min(self.every, len(self.plan) - first)
            offsets = self._fading(np.arange(self.every + 1) / self.plan.fps)
            place, facing = self._walk(first, count)
            yield Segment((self.clips.frames[self.now : self.now + count] + offsets[0, :count]).astype(np.float32), place, facing)
            self.offset = offsets[:, -1]
            self.now += self.every

    def _fading(self, seconds: np.ndarray) -> np.ndarray:
        """(2,n,CHANNELS): offsets and their rates after `seconds`, critically damped."""
        rate = 2 * np.log(2) / _HALF_LIFE
        x, v = self.offset
        j = v + rate * x
        left, t = np.exp(-rate * seconds)[:, None], seconds[:, None]
        return np.stack([left * (x + j * t), left * (v - rate * j * t)])

    def _walk(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Place (count,2) and facing (count,) of the frames that are shown; the character is then at the frame after the segment."""
        places, facings = np.empty((self.every, 2)), np.empty(self.every)
        left = 0.5 ** (1 / (_HALF_LIFE * self.plan.fps))
        keep = [0.5 ** (1 / (half * self.plan.fps)) for half in (_PULL, _PULL_FACING)]
        for i in range(self.every):
            places[i], facings[i] = self.place, self.facing
            index = self.now + i
            x, y = self.clips.step[index] + self.drift[:2]
            cos, sin = np.cos(self.facing), np.sin(self.facing)
            self.place = self.place + (cos * x - sin * y, sin * x + cos * y)
            self.facing += float(self.clips.turn[index] + self.drift[2])
            self.drift = self.drift * left
            if self.pull:
                wanted, faces = self.asked_place[first + i + 1], self.asked_facing[first + i + 1]
                self.place = wanted + keep[0] * (self.place - wanted)
                self.facing = faces + keep[1] * _wrapped(self.facing - faces)
        return places[:count], facings[:count]

    def _query(self, frame: int) -> np.ndarray:
        """(12,) what the plan asks for from here on, normalised."""
        ahead = np.array(AHEAD)
        beside = self.place - self.asked_place[frame]
        back = min(1.0, _MOST_BACK / max(np.linalg.norm(beside), 1e-6)) * ahead / AHEAD[-1]
        ways = self.asked_place[frame + ahead] + (1 - back)[:, None] * beside
        raw = trajectory_features(self.place, np.array(self.facing), ways, self.asked_facing[frame + ahead])
        return (raw - self.clips.mean[TRAJECTORY]) * self.clips.scale[TRAJECTORY]

    def _start(self, random: np.random.Generator) -> int:
        """A frame to begin with: one of those that go on most like the plan, and move as fast as it does."""
        clips = self.clips
        speed = np.linalg.norm(self.asked_place[1] - self.asked_place[0]) * self.plan.fps
        moving = np.linalg.norm(clips.step[clips.starts], axis=1) * self.plan.fps
        cost = ((clips.features[clips.starts, TRAJECTORY] - self._query(0)) ** 2).sum(1) + 4 * (moving - speed) ** 2
        chosen: list[int] = []
        for row in np.argsort(cost):
            frame = int(clips.starts[row])
            if all(abs(frame - other) > self.every for other in chosen):
                chosen.append(frame)
            if len(chosen) == _FIRST_CHOICES:
                break
        return chosen[random.integers(len(chosen))]

    def _search(self, frame: int) -> None:
        """Goes on at the best frame there is; that may be the next of the same recording."""
        clips, now = self.clips, self.now
        wanted = np.concatenate([self._query(frame), clips.features[now, TRAJECTORY.stop :]])
        goes_on = clips.last[now] - now >= self.every
        distance, row = clips.tree.query(wanted)
        found = int(clips.starts[row])
        if goes_on and (abs(found - now) < self.every or distance**2 >= ((clips.features[now] - wanted) ** 2).sum()):
            return
        rate = lambda i: (clips.frames[i + 1].astype(np.float64) - clips.frames[i]) * self.plan.fps
        self.offset = self.offset + np.stack([clips.frames[now].astype(np.float64) - clips.frames[found], rate(now - 1) - rate(found)])
        steps = lambda i: np.array([*clips.step[i], clips.turn[i]])
        self.drift = self.drift + steps(now) - steps(found)
        self.now = found


def _wrapped(angle: float) -> float:
    return (angle + np.pi) % (2 * np.pi) - np.pi
