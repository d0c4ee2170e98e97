# SPDX-License-Identifier: GPL-3.0-or-later
"""BVH files of any known skeleton onto the SMPL-X body: `smplit import`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from smplit.datasets.bvh import read_bvh
from smplit.datasets.joint_names import read_map, recognise
from smplit.datasets.rest_pose import given_rest_pose, own_rest_pose, upright
from smplit.datasets.retarget import Retargeter, TargetBody
from smplit.datasets.soles import FootedBody
from smplit.errors import BadInput
from smplit.motion import Motion


def read_bvh_motion(
    path: str | Path, rest_pose: str | Path | None = None, joint_map: str | Path | None = None, fps: float | None = None,
    body: str | Path | None = None,
) -> Motion:
    """A BVH file -> Motion in our world: Z up, floor at z = 0, metres, the file's path and heading.

    Limbs point as the source's do; the hips are where the source's are, times the ratio of leg lengths.

    Args:
        path: BVH file; its unit, its up axis and the way it faces do not matter.
        rest_pose: BVH whose first frame is a T-pose of the same skeleton; else the file's own is used.
        joint_map: JSON, SMPL-X body joint -> joint of the file, for skeletons that are not known.
        fps: frames per second, where the file's header is wrong.
        body: body model file; default the best there is.

    Raises:
        BadInput: not a BVH file, damaged, fewer than two frames, an unknown skeleton (lists the joints
            that are missing) or no rest pose (says how to give one).
    """
    source = f"'{path}'"
    clip = read_bvh(path)
    if len(clip) < 2:
        raise BadInput(
            f"{source} holds one frame: a pose, not a motion.", "Choose a motion; a T-pose is given beside one, with --rest-pose.", "one_frame"
        )
    if fps is not None:
        clip = replace(clip, frame_time=_frame_time(fps))
    joints = recognise(clip.names, source, read_map(joint_map) if joint_map is not None else None)
    if rest_pose is not None:
        rest = given_rest_pose(rest_pose, clip, joints)
    else:
        rest = own_rest_pose(clip, joints, source)
    footed = FootedBody.load(body)
    motion = Retargeter(rest, TargetBody(footed.joints, footed.sole), joints)(upright(clip, joints, rest), source)
    motion.poses, motion.trans = motion.poses.astype(np.float32), motion.trans.astype(np.float32)
    motion.extras |= {"smplit_source": np.array(Path(path).name), "smplit_source_skeleton": np.array(joints.skeleton)}
    motion.check(source)
    return motion


def _frame_time(fps: float) -> float:
    if not 0 < fps <= 1000:
        raise BadInput(f"--fps {fps} is not a number of frames per second from 0 to 1000.", "Write the recording's own rate.", "bad_fps")
    return 1.0 / fps
