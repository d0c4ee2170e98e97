# SPDX-License-Identifier: GPL-3.0-or-later
"""The sets of truth clips: `tuning` for development, `validation` and, close to somebody's hands, `half_body` for reporting only.

`tuning` and `validation` share no recording and no look of a person. `half_body` has the looks of
`validation`, and recordings that the lifter and the pose prior may have learned from; its fingers, like
everybody's here, are made up. Recorded subjects (CMU numbers): tuning 02, 05-07, 60, reactidle 008 and
two that the pack leaves unnamed; validation 135, reactidle 003 and others that are unnamed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from truth_clips.cameras import Camera
from truth_clips.people import Person


@dataclass(frozen=True)
class Clip:
    """One truth clip: `seconds` long at `fps`, `size` (width, height) px."""

    name: str
    people: tuple[Person, ...]
    camera: Camera
    place: str = "room"
    seconds: float = 4.5
    fps: float = 30.0
    size: tuple[int, int] = (960, 540)
    sun: tuple[float, float, float] = (-0.4, -0.7, 1.0)
    tint: tuple[float, float, float] = (0.55, 0.58, 0.5)
    seed: int = field(default=0)


_TUNING = (
    Clip("front_walk", (Person("cmu_iclone/005/005_01", -90, "ann", at=(0, 0.2)),), Camera(azimuth=-60, distance=5.2, focal=0.85), seed=1),
    Clip("rolled", (Person("cmu_iclone/006/006_10", -90, "cem", start=1.0, betas=(1.5, -0.5, 0.5)),),
         Camera(azimuth=-75, distance=5.0, roll=15, height=1.3), seed=4, seconds=5.0, tint=(0.6, 0.5, 0.4)),
    Clip("pan", (Person("cmu_iclone/007/007_05", -20, "ann", betas=(0.0, -1.0)),),
         Camera("pan", distance=4.4, height=1.5), place="street", seconds=4.2, seed=5),
    Clip("high_12fps", (Person("cmu_amc/02/02_05", -90, "ann", start=4.0, betas=(0.5, -0.5)),),
         Camera(distance=3.9, height=3.0, aim=0.9, azimuth=-70, focal=0.8), fps=12.0, seconds=6.0, seed=9, tint=(0.4, 0.5, 0.6)),
    Clip("turning_24fps", (Person("cmu_daz/salsa/salsa_01_s1", -60, "bo", start=2.0, betas=(1.0, 0.5)),),
         Camera(azimuth=-100, distance=3.2, height=1.2, focal=0.7), place="street", fps=24.0, seed=2, sun=(0.5, -0.6, 0.9)),
    Clip("travel", (Person("cmu_iclone/007/007_04", 15, "bo", betas=(-0.5, 1.0)),),
         Camera("travel", azimuth=-60, distance=2.9, height=1.4, shake=0.3, focal=0.65), place="park", seconds=3.6, seed=6),
    Clip("crossing", (Person("cmu_iclone/007/007_03", 0, "dee", at=(0, -0.5), betas=(-1.2, 0.5)),
                      Person("cmu_iclone/006/006_01", 180, "cem", at=(0, 0.6), betas=(0.8,))),
         Camera(distance=5.2, height=1.5, focal=0.9), place="street", seconds=3.4, seed=7),
    Clip("arms", (Person("cmu_iclone/005/005_02", -90, "dee", start=2.0, betas=(-1.0, 0.3)),),
         Camera(distance=3.2, height=1.5, aim=1.1, shake=0.5, focal=1.15), seed=3, tint=(0.5, 0.45, 0.6), seconds=4.0),
    Clip("bend_60fps", (Person("cmu_amc/02/02_06", -70, "bo", start=3.0, betas=(0.3, 0.3)),),
         Camera(azimuth=-95, distance=5.0, shake=1.0, height=1.6, focal=1.25), fps=60.0, seconds=3.0, seed=8),
    Clip("idle", (Person("reactidle/008_genuine", -75, "ann", start=30.0, betas=(0.4, -0.4)),),
         Camera(distance=3.9, height=1.5, focal=0.9), seed=10, seconds=4.0, place="street"),
    Clip("jump", (Person("cmu_expmap/train/jumping__jumping_5", -60, "cem", betas=(-0.6, 0.8)),),
         Camera(azimuth=-80, distance=4.4, height=2.6, focal=0.9), seed=11, seconds=2.8),
    Clip("indian_dance", (Person("cmu_daz/indian/indian_14", -90, "dee", start=4.0, betas=(0.9, 0.2)),),
         Camera(azimuth=-70, distance=4.0, height=0.9, roll=-8, focal=1.1), seed=12, seconds=4.0, place="park"),
)

_VALIDATION = (
    Clip("walk", (Person("cmu_expmap/train/walking_extra__walking_20", -60, "eli", betas=(0.7, 0.9)),),
         Camera(azimuth=-80, distance=5.6, height=1.2, focal=1.1), place="street", seed=21, seconds=4.0, sun=(0.3, -0.8, 0.8)),
    Clip("karate_rolled", (Person("cmu_keijiro/135_02_s4", -90, "gus", start=2.0, betas=(1.2, 0.4, -0.6)),),
         Camera(azimuth=-110, distance=4.6, roll=-15, height=1.5), seed=22, seconds=4.0, tint=(0.45, 0.55, 0.5)),
    Clip("traffic_5fps_portrait", (Person("cmu_expmap/train/directing_traffic__directing_traffic_4", -80, "hua", start=6.0, betas=(-1.3, -0.4)),),
         Camera(distance=3.4, height=1.3, shake=0.3, focal=1.3), fps=5.0, seconds=8.0, size=(540, 960), seed=23, place="park"),
    Clip("soccer_pan", (Person("cmu_expmap/train/soccer__soccer_1", 0, "fay", start=1.0, betas=(-0.4, 0.6)),),
         Camera("pan", azimuth=-95, distance=5.0, height=1.6, shake=0.4, focal=0.85), place="park", seconds=4.0, seed=24),
    Clip("jacks_high", (Person("cmu_m21/jumping-jack", -90, "eli", start=4.0, betas=(-0.8, -0.8)),),
         Camera(azimuth=-60, distance=4.0, height=3.2, focal=0.85), seed=25, seconds=4.0, place="street"),
    Clip("two_idle", (Person("reactidle/003_acted", -60, "fay", start=20.0, at=(-0.8, 0.2), betas=(0.2, 0.2)),
                      Person("cmu_m21/wipe", -110, "gus", start=5.0, at=(0.6, 0.0), betas=(0.9, -0.4))),
         Camera(distance=3.8, height=1.6, focal=0.8), seed=26, seconds=4.0),
    Clip("walk_travel_24fps", (Person("cmu_expmap/train/walking_extra__walking_28", -30, "hua", betas=(-0.6, 0.2)),),
         Camera("travel", azimuth=-80, distance=3.6, height=1.3, shake=0.4, focal=0.95), fps=24.0, seconds=4.0, place="park", seed=27),
    Clip("box_60fps", (Person("cmu_m21/box-1_s0", -80, "gus", start=6.0, betas=(0.5, 1.0)),),
         Camera(azimuth=-100, distance=2.5, height=1.4, focal=0.55), fps=60.0, seconds=2.0, seed=28, tint=(0.6, 0.55, 0.5)),
)

_HALF_BODY = (
    Clip("signals", (Person("cmu_expmap/train/basketball_signal__basketball_signal_1", -90, "eli", start=1.0),),
         Camera(azimuth=-85, distance=1.6, height=1.5, aim=1.3, focal=1.1), seed=41, seconds=3.0, size=(960, 720)),
    Clip("signals_raised", (Person("cmu_expmap/train/basketball_signal__basketball_signal_3", -90, "gus", start=1.0, betas=(0.8, -0.4)),),
         Camera(azimuth=-100, distance=1.7, height=1.4, aim=1.3), seed=42, seconds=3.0, size=(960, 720)),
    Clip("traffic_turning", (Person("cmu_expmap/train/directing_traffic__directing_traffic_1_s1", -90, "hua", start=0.3, betas=(-0.8, 0.4)),),
         Camera(azimuth=-80, distance=1.6, height=1.4, aim=1.25), seed=43, seconds=3.0, size=(960, 720)),
)

SETS = {"tuning": _TUNING, "validation": _VALIDATION, "half_body": _HALF_BODY}
