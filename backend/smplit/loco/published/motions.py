# SPDX-License-Identifier: GPL-3.0-or-later
"""The published LOCO from end to end: a named path, styles and a start -> motions.

For users who have a published checkpoint, or one of our own training of that network. The motions travel: the
original put its trajectory away before saving (root at 0, a rotation of no meaning), which is not copied. They stand
on the floor, and the frames that the original repeats at the start are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from smplit.body.model import BodyModel
from smplit.difftraj.features import BodyShape, posed
from smplit.difftraj.original_features import (
    JOINT_POSITIONS,
    decode_path,
    decode_root,
    from_origin,
    matrix_from_columns_6d,
    motion_features,
    on_known_pelvis,
)
from smplit.difftraj.predict import resampled
from smplit.errors import BadInput
from smplit.loco.published.files import OriginalLoco
from smplit.loco.published.options import RolloutOptions
from smplit.loco.published.paths import FPS, named_path, path_control
from smplit.loco.published.rollout import drawing, roll_out
from smplit.motion import NUM_JOINTS, Motion
from smplit.progress import Reporter

_BODY = 22
_BODY_ROTATIONS = slice(11, 137)


@dataclass
class Rollout:
    """A motion made by `original_rollout`, its style ("" without) and the path it was told, (T,2) m in its own frame."""

    motion: Motion
    style: str
    path: np.ndarray


def original_rollout(
    loco: OriginalLoco, options: RolloutOptions, body: BodyModel, *, styles: Sequence[str] = (), starts: Sequence[Motion] = (),
    seed: int = 10, device: str = "cpu", reporter: Reporter | None = None,
) -> list[Rollout]:
    """`options.num_samples` motions along one path, at 30 frames a second. They start at the origin, facing X.

    Args:
        styles: names, one for each sample, repeated as often as needed; without any they are drawn, as in the original.
        starts: what was done before: the last frames of each, repeated in the same way. Without any the network begins
            from the mean of its training.
        seed: of noise, of the random path, and of styles where none is named.

    Raises:
        BadInput: an option or style that cannot be.
    """
    reporter = reporter or Reporter()
    if options.num_samples < 1:
        raise BadInput(f"{options.num_samples} samples cannot be made.", "Ask for 1 or more.", "bad_option")
    if not 0 < options.gen_time_length < np.inf:
        raise BadInput(f"{options.gen_time_length} seconds hold no motion.", "Ask for a time above 0.", "bad_time")
    frames = max(1, round(options.gen_time_length * FPS))
    path = named_path(options.difine_traj, frames, options.infer_walk_speed, bool(options.traj_rev_dir), seed)
    control = path_control(path, loco.past * options.infer_step + loco.future, options.traj_face_type)
    names = _styles(loco, styles, options.num_samples, seed)
    past = torch.stack([_past(loco, starts[n % len(starts)] if starts else None, body) for n in range(options.num_samples)])
    told = control if loco.control is None else loco.control.normalised(control)
    style = torch.nn.functional.one_hot(torch.tensor([loco.styles.index(n) for n in names]), len(loco.styles)).float() if loco.styles else None
    network = loco.network.to(device).eval()
    pieces: list[Tensor] = []
    made = roll_out(
        network, past.to(device), torch.as_tensor(told.T, dtype=torch.float32, device=device), frames, loco.future,
        drawing(torch.Generator(device).manual_seed(seed)), None if style is None else style.to(device), options.infer_step,
    )
    for piece in made:
        pieces.append(piece.cpu())
        reporter.stage("roll-out", min(frames, options.infer_step * (len(pieces) - 1)), frames)
        reporter.check()
    values = torch.cat(pieces[1:], -1)[:, :, 0, :frames].transpose(1, 2).double().numpy()  # the first piece repeats the past
    walked = decode_path(control[:frames])[0]
    return [Rollout(motion_of(loco, loco.motion.restored(one), body), name, walked) for one, name in zip(values, names, strict=True)]


def _styles(loco: OriginalLoco, wanted: Sequence[str], count: int, seed: int) -> list[str]:
    """One style a sample."""
    unknown = [name for name in wanted if name not in loco.styles]
    if unknown:
        from difflib import get_close_matches

        near = get_close_matches(unknown[0], loco.styles, 3, 0.4) or loco.styles[:5]
        known = f"Near it: {', '.join(near)}." if loco.styles else "This network knows no styles; leave --style out."
        raise BadInput(f"There is no style '{unknown[0]}'.", known, "unknown_style")
    if not loco.styles:
        return [""] * count
    drawn = wanted or [str(name) for name in np.random.default_rng(seed).choice(loco.styles, count)]
    return [drawn[n % len(drawn)] for n in range(count)]


def _past(loco: OriginalLoco, start: Motion | None, body: BodyModel) -> Tensor:
    """(203,1,P) normalised: the last frames of a motion, at 30 a second; its first is held where it is too short."""
    if start is None:
        return torch.zeros(len(loco.motion.mean), 1, loco.past)
    start.check("The start")
    times = np.arange(len(start)) / start.fps if start.frame_times is None else np.asarray(start.frame_times, np.float64)
    wanted = np.maximum(times[-1] - np.arange(loco.past, -1, -1) / FPS, times[0])  # one more: a step needs the frame before
    poses = torch.as_tensor(np.asarray(start.poses, np.float32).reshape(len(start), -1, 3)[:, :_BODY])
    if len(start) == 1:
        poses, times, trans = poses.expand(2, -1, -1), np.array([0.0, 1.0]), np.repeat(np.asarray(start.trans), 2, 0)
    else:
        trans = np.asarray(start.trans, np.float64)
    local = resampled(poses, times, wanted).double().numpy()
    rest = body.rest_joints(np.asarray(start.betas, np.float32)).cpu().numpy().astype(np.float64)
    places = np.stack([np.interp(wanted, times, axis) for axis in trans.T], 1) + rest[0] - _pelvis(loco)
    known_rest = on_known_pelvis(rest[:_BODY], loco.motion.mean[JOINT_POSITIONS])
    features = motion_features(places, Rotation.from_matrix(local[:, 0]), local[:, 1:], known_rest)
    return torch.as_tensor(loco.motion.normalised(features)[1:].T[:, None], dtype=torch.float32)


def motion_of(loco: OriginalLoco, values: np.ndarray, body: BodyModel) -> Motion:
    """A sample's 203 numbers (T,203) as a motion of the mean body, its lowest sole on the floor."""
    trans, root = decode_root(from_origin(values[:, :11]))
    rows = values[:, _BODY_ROTATIONS].reshape(len(values), _BODY - 1, 6)
    local = np.concatenate([root.as_matrix()[:, None], matrix_from_columns_6d(rows).swapaxes(-1, -2)], 1)
    poses = np.zeros((len(values), NUM_JOINTS, 3), np.float32)
    poses[:, :_BODY] = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_rotvec().reshape(len(values), _BODY, 3)
    pelvis = trans + _pelvis(loco)
    shape = BodyShape.of(body)
    lowest = posed(torch.as_tensor(local, dtype=torch.float32, device=shape.bones.device), shape)[1][..., 2].amin(-1).cpu().numpy()
    pelvis[:, 2] -= (lowest + pelvis[:, 2]).min()
    rest = body.rest_joints()[0].cpu().numpy()
    return Motion(poses.reshape(len(values), -1), (pelvis - rest).astype(np.float32), FPS)


def _pelvis(loco: OriginalLoco) -> np.ndarray:
    """(3,) m: the rest pelvis of the body that the network was trained on."""
    return loco.motion.mean[JOINT_POSITIONS][:3]

