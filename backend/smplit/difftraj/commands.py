# SPDX-License-Identifier: GPL-3.0-or-later
"""What `smplit difftraj` does: local poses in files -> the same with a trajectory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from smplit.body.model import BodyModel
from smplit.difftraj.predict import trajectories
from smplit.errors import BadInput
from smplit.export.whole_file import whole_file
from smplit.imports import import_motion
from smplit.motion import Motion
from smplit.progress import Reporter

_HALF_TURN = 180.0  # degrees, when an axis is named without an angle


def add_trajectories(
    files: Sequence[Path], output: Path, body: BodyModel, reporter: Reporter, *, weights: str | Path = "auto", samples: int = 0, seed: int = 0,
    turn: np.ndarray | None = None, lock_feet: bool = True, original: Path | None = None, statistics: Path | None = None, steps: int = 100,
    keep_heading: bool = False, device: str = "cpu",
) -> list[dict]:
    """Reads every file, gives it a trajectory, writes the result.

    Args:
        files: motions that `smplit import` reads.
        output: one .npz for one motion, else a folder.
        turn: (3,3) that turns the input first.
        original: checkpoint of the published network to use instead of ours, with its `statistics` and sampling `steps`.
        keep_heading: the published network's headings are replaced by the input's (ours always keeps them).

    Returns:
        A row per file written: file, frames, path in metres.

    Raises:
        BadInput: an input or option cannot be used; nothing is written for that input.
    """
    targets = _targets(files, output, samples)
    rows = []
    for done, (file, names) in enumerate(zip(files, targets, strict=True)):
        reporter.stage("trajectories", done, len(files))
        reporter.check()
        motion = _turned(without_camera(import_motion(file)), body, turn)
        if original is None:
            found = trajectories(motion, samples=samples, seed=seed, weights=weights, body=body, lock_feet=lock_feet, device=device)
        else:
            found = [_published(motion, body, original, statistics, steps, seed, keep_heading, device)]
        for name, result in zip(names, found, strict=True):
            name.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(name) as temporary:
                result.save(temporary)
            path = np.linalg.norm(np.diff(result.trans[:, :2], axis=0), axis=-1).sum()
            rows.append({"file": str(name), "frames": len(result), "path_m": round(float(path), 3)})
    reporter.stage("trajectories", len(files), len(files))
    return rows


def axis_turn(flip_x: bool, flip_y: bool, flip_z: bool, degrees: float | None) -> np.ndarray | None:
    """(3,3) of `--flip-x --flip-y --flip-z --rot-deg`: a turn about each named axis, by half a turn when no angle is given;
    an angle alone turns about z (up). None without any."""
    axes = [axis for axis, flag in zip("xyz", (flip_x, flip_y, flip_z), strict=True) if flag]
    if not axes and not degrees:
        return None
    angle = _HALF_TURN if degrees is None else degrees
    turn = Rotation.identity()
    for axis in axes or "z":
        turn = Rotation.from_euler(axis, angle, degrees=True) * turn
    return turn.as_matrix()


def without_camera(motion: Motion) -> Motion:
    """The motion without the camera that filmed it: where that stood by a new path nobody knows."""
    return replace(motion, camera_R=None, camera_t=None, camera_K=None)


def _turned(motion: Motion, body: BodyModel, turn: np.ndarray | None) -> Motion:
    if turn is None:
        return motion
    rest = body.rest_joints(np.asarray(motion.betas, np.float32))[0].cpu().numpy()
    poses = np.array(motion.poses, np.float64).reshape(len(motion), -1, 3)
    poses[:, 0] = Rotation.from_matrix(turn @ Rotation.from_rotvec(poses[:, 0]).as_matrix()).as_rotvec()
    trans = (motion.trans + rest) @ turn.T - rest
    return replace(motion, poses=poses.reshape(len(motion), -1).astype(np.float32), trans=trans.astype(np.float32), extras=dict(motion.extras))


def _published(
    motion: Motion, body: BodyModel, checkpoint: Path, statistics: Path | None, steps: int, seed: int, keep_heading: bool, device: str
) -> Motion:
    from smplit.difftraj.original import OriginalDiffTraj

    if statistics is None:
        raise BadInput("--original needs --statistics.", "Name the mean and std npz that came with the checkpoint.", "bad_option")
    model = OriginalDiffTraj.load(checkpoint, statistics, device)
    rest = body.rest_joints(np.asarray(motion.betas, np.float32)).cpu().numpy()
    return model.with_trajectory(motion, rest, steps=steps, seed=seed, keep_heading=keep_heading)


def _targets(files: Sequence[Path], output: Path, samples: int) -> list[list[Path]]:
    if not files:
        raise BadInput("No motion was named.", "Write: smplit difftraj MOTION.npz -o OUT.npz.", "no_motion")
    if len(files) == 1 and samples <= 1 and output.suffix.lower() == ".npz":
        return [[output]]
    if output.suffix.lower() == ".npz":
        raise BadInput(f"'{output}' is one file, but there is more than one result.", "Name a folder.", "bad_option")
    stems = [file.stem for file in files]
    doubled = sorted({stem for stem in stems if stems.count(stem) > 1})
    if doubled:
        raise BadInput(f"Several motions are called '{doubled[0]}': their results would overwrite each other.", "Rename one, or use two folders.")
    if samples <= 1:
        return [[output / f"{stem}.npz"] for stem in stems]
    return [[output / f"{stem}_s{number}.npz" for number in range(1, samples + 1)] for stem in stems]
