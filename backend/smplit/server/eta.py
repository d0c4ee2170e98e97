# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a whole job is and when it ends, from the progress of its stages."""

from __future__ import annotations

import math
from collections.abc import Mapping

_MEMORY_SECONDS = 8.0  # the speed of the last few seconds counts; stages differ in speed
_SETTLE_SECONDS = 1.0  # before that much time an estimate is a guess and none is given


class StagePlan:
    """Fraction of a job from (clip, stage, done of total): each stage has its share of a clip's time."""

    def __init__(self, shares: Mapping[str, float], clips: int):
        total = sum(shares.values()) or 1.0
        self._clips = max(clips, 1)
        self._start, self._share = {}, {}
        before = 0.0
        for name, share in shares.items():
            self._start[name], self._share[name] = before / total, share / total
            before += share
        self.fraction = 0.0

    def update(self, clip: int, stage: str, done: int, total: int | None) -> float:
        """0..1 of the job; never falls. A stage without a share or a total moves nothing."""
        within = self._start.get(stage, 0.0)
        if total and stage in self._share:
            within += self._share[stage] * min(max(done / total, 0.0), 1.0)
        self.fraction = max(self.fraction, min((clip + within) / self._clips, 1.0))
        return self.fraction


class Eta:
    """Seconds left, smoothed: the recent speed of `fraction`, and an estimate that does not jump."""

    def __init__(self, now: float):
        self._began = self._last = now
        self._fraction = 0.0
        self._gained = self._spent = 0.0  # fraction and seconds, older ones fading
        self._left: float | None = None

    def update(self, fraction: float, now: float) -> float | None:
        """Call with each new fraction; None while too little is known. `now` in seconds, any monotonic clock."""
        passed = now - self._last
        if passed > 0:
            fade = math.exp(-passed / _MEMORY_SECONDS)
            self._gained = self._gained * fade + max(fraction - self._fraction, 0.0)
            self._spent = self._spent * fade + passed
            self._last, self._fraction = now, max(fraction, self._fraction)
            self._settle(passed)
        if self._left is None or now - self._began < _SETTLE_SECONDS:
            return None
        return self._left

    def _settle(self, passed: float) -> None:
        if self._gained <= 0:
            return
        estimate = (1.0 - self._fraction) * self._spent / self._gained
        if self._left is None or self._fraction >= 1.0:
            self._left = estimate
            return
        weight = 1.0 - math.exp(-passed / (0.25 * _MEMORY_SECONDS))
        self._left = max(self._left - passed, 0.0) * (1.0 - weight) + estimate * weight
