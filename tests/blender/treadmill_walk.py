# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by the backend's Python: OUT.npz FPS SECONDS. The hand-made walk of the trajectory tests, held in place.

Beside a motion file's entries OUT has what is true of the walk: `planted` (T,2) left, right, and `path` (T,3) m from the first frame.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from smplit.body.model import BodyModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "difftraj"))
from synthetic_walk import walk


def main(output: str, fps: str, seconds: str) -> None:
    betas = np.linspace(-1.0, 1.0, 10)
    walked = walk(BodyModel.load(), float(seconds), float(fps), speed=1.0, turn_rate=0.3, betas=betas)
    frames = len(walked.planted)
    poses = walked.motion.poses.reshape(frames, 55, 3).copy()
    poses[:, 25:, 2] = 0.3 * np.sin(np.arange(frames) / 5.0)[:, None]  # fingers
    poses[:, 22, 0] = 0.1  # jaw
    held = replace(
        walked.motion, poses=poses.reshape(frames, 165), trans=np.tile(walked.motion.trans[:1], (frames, 1)),
        expression=np.stack([np.linspace(0.0, 0.8, frames), np.full(frames, 0.2)], 1), expression_names=("jawOpen", "mouthSmileLeft"),
        extras={"smplit_body": np.array("OPEN_NEUTRAL.npz")},
    )
    np.savez(output, planted=walked.planted, path=walked.pelvis - walked.pelvis[0], **held.arrays())


if __name__ == "__main__":
    main(*sys.argv[1:])
