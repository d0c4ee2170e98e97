# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of a data set's recordings: clips and hours by data set and licence, and every refusal with its reason."""

from __future__ import annotations

from collections import defaultdict

from smplit.datasets.judge import REASONS
from smplit.datasets.store import Clip

_TILTED = 0.005  # slope of a floor that is worth a word


class Report:
    """Filled while recordings come in; `rows()` is the terminal's table, `summary()` and `full()` go into files."""

    def __init__(self, source: str, fps: float, window: int):
        self._settings = {"source": source, "fps": fps, "window": window}
        self._kept: dict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0, 0.0, 0.0, 0.0, 0, 0.0])
        self._dropped: list[dict[str, str]] = []

    def add(self, name: str, clip: Clip | None, reason: str, detail: str, slope: float, scale: float) -> None:
        """One recording's outcome."""
        if clip is None:
            self._dropped.append({"name": name, "reason": reason, "why": REASONS.get(reason, reason), "detail": detail})
            return
        row = self._kept[clip.info.dataset, clip.info.part, clip.info.licence]
        row[0] += 1
        row[1] += len(clip) / clip.fps / 3600
        row[2] += float(clip.contacts[:, :2].any(1).sum() + clip.contacts[:, 2:].any(1).sum()) / 2
        row[3] += len(clip)
        row[4] += slope > _TILTED
        row[5] += scale * len(clip)

    def skip(self, name: str, reason: str) -> None:
        """A file that was not read at all."""
        self._dropped.append({"name": name, "reason": "skipped", "why": reason, "detail": ""})

    def rows(self) -> list[dict]:
        """Per data set, part and licence: clips, hours, share of time that a foot is planted, floors levelled, mean factor of the path."""
        rows = []
        for (dataset, part, licence), (clips, hours, planted, frames, levelled, scale) in self._kept.items():
            rows.append({
                "dataset": dataset, "part": part, "licence": licence, "clips": int(clips), "hours": round(hours, 3),
                "planted": round(planted / max(frames, 1), 3), "levelled": int(levelled),
                "scale": round(scale / max(frames, 1), 3),
            })
        return rows

    def summary(self) -> dict:
        """Figures without the list of names."""
        rows = self.rows()
        licences: dict[str, float] = defaultdict(float)
        for row in rows:
            licences[row["licence"] or "not stated"] += row["hours"]
        reasons: dict[str, int] = defaultdict(int)
        for entry in self._dropped:
            reasons[entry["why"]] += 1
        return {
            **self._settings, "clips": sum(row["clips"] for row in rows), "hours": round(sum(row["hours"] for row in rows), 3),
            "hours_by_licence": {name: round(hours, 3) for name, hours in licences.items()},
            "dropped": len(self._dropped), "dropped_by_reason": dict(reasons), "sets": rows,
        }

    def full(self) -> dict:
        """The summary and every recording that was dropped."""
        return {**self.summary(), "dropped_recordings": self._dropped}
