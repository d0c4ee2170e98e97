# SPDX-License-Identifier: GPL-3.0-or-later
"""One person of a truth clip: recorded body motion, made-up fingers and face, placed in the world."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation, RotationSpline

from smplit.axes import axis_angle_from_matrix, matrix_from_axis_angle
from smplit.body.model import SURFACE_POINTS, BodyModel
from smplit.datasets.bvh import Bvh, parse_bvh
from smplit.datasets.retarget import Retargeter, TargetBody
from smplit.motion import JOINT_NAMES, Motion, joint_transforms

_J = {name: i for i, name in enumerate(JOINT_NAMES)}
SOLES = ("left_heel", "left_big_toe", "right_heel", "right_big_toe")  # in the order of CONTACT_NAMES
_PLANTED_SPEED, _PLANTED_HEIGHT = 0.25, 0.035  # m/s, m above the standing height
# Which T-pose file belongs to which part of the pack.
_REST = {"cmu_expmap": "cmu_expmap", "cmu_daz": "cmu_daz", "cmu_iclone": "cmu_iclone", "cmu_m21": "cmu_m21",
         "cmu_keijiro": "cmu_keijiro", "reactidle": "reactidle"}


@dataclass(frozen=True)
class Person:
    """`source` names a BVH of the motion pack (without .bvh); `start` s into it; `heading` deg, where
    the person faces in the middle of the clip (0 = +X, 90 = +Y); `at` (x, y) m, where the path's
    middle lies; `betas` the shape; `look` a row of `looks.LOOKS`."""

    source: str
    heading: float
    look: str
    start: float = 0.0
    at: tuple[float, float] = (0.0, 0.0)
    betas: tuple[float, ...] = ()


@dataclass
class Performance:
    """What a person does in a clip: `motion` in the world; `vertices` (T,V,3) m; `joints` (T,55,3) m;
    `soles` (T,4,3) m in the order of `SOLES`."""

    motion: Motion
    vertices: np.ndarray
    joints: np.ndarray
    soles: np.ndarray


class MotionPack:
    """The folder of recorded motion: archives of BVH files and their T-poses."""

    def __init__(self, folder: Path):
        self.folder = folder

    def read(self, source: str) -> tuple[Bvh, Bvh]:
        """A clip and its skeleton's T-pose."""
        part = source.partition("/")[0]
        rest = f"cmu_amc_{source.split('/')[1]}" if part == "cmu_amc" else _REST[part]
        with tarfile.open(self.folder / f"{part}.tar.xz") as archive:
            member = archive.extractfile(f"{source}.bvh")
            clip = parse_bvh(member.read().decode("utf-8"), source)
        return clip, parse_bvh((self.folder / "rest_tpose" / f"{rest}_tpose.bvh").read_text(encoding="utf-8"), rest)


def perform(person: Person, times: np.ndarray, pack: MotionPack, body: BodyModel, seed: int) -> Performance:
    """Moves the body of `person` at `times` (T,) s of the clip."""
    random = np.random.default_rng(seed)
    betas = np.zeros(10, np.float32)
    betas[: len(person.betas)] = person.betas
    rest = body.rest_joints(betas).numpy()
    clip, tpose = pack.read(person.source)
    recorded = Retargeter(tpose, TargetBody(rest, _sole(body, betas)))(clip, person.source)
    motion = _resample(recorded, times + person.start)
    motion.betas = betas
    poses = motion.poses.reshape(len(times), -1, 3)
    poses[:, _J["left_index1"] :] = _hands(times, body, random)
    poses[:, _J["jaw"]], poses[:, _J["left_eye_smplhf"]], motion.expression = _face(times, body, random)
    poses[:, _J["right_eye_smplhf"]] = poses[:, _J["left_eye_smplhf"]]
    motion.expression_names = body.expression_names
    motion.poses = poses.reshape(len(times), -1)
    motion.frame_times = times
    _place(motion, rest, person)
    return _stand_on_floor(motion, body, rest)


def _sole(body: BodyModel, betas: np.ndarray) -> float:
    shaped = body.v_template + body.shapedirs[..., :10] @ betas
    return float(shaped[:, 1].min())


def _resample(motion: Motion, times: np.ndarray) -> Motion:
    """The motion at `times` (T,) s by splines (smooth to the second derivative, so that 60 fps is real)."""
    known = np.arange(len(motion)) / motion.fps
    if times[-1] > known[-1] + 1e-6:
        raise ValueError(f"the recording ends at {known[-1]:.2f} s, {times[-1]:.2f} s asked for")
    poses = motion.poses.reshape(len(motion), -1, 3)
    out = np.zeros((len(times), poses.shape[1], 3))
    for joint in range(22):
        out[:, joint] = RotationSpline(known, Rotation.from_rotvec(poses[:, joint]))(times).as_rotvec()
    fps = (len(times) - 1) / (times[-1] - times[0])
    return Motion(out.reshape(len(times), -1), CubicSpline(known, motion.trans)(times), fps)


def wander(times: np.ndarray, random: np.random.Generator, count: int, period: float) -> np.ndarray:
    """(T,count) smooth random curves of unit deviation whose humps last about `period` s."""
    step = 0.02
    grid = np.arange(times[0] - 2 * period, times[-1] + 2 * period, step)
    noise = gaussian_filter1d(random.normal(size=(len(grid), count)), period / 3 / step, axis=0)
    noise /= noise.std(0) + 1e-9
    return CubicSpline(grid, noise)(times)


def _hands(times: np.ndarray, body: BodyModel, random: np.random.Generator) -> np.ndarray:
    """(T,30,3) rad: relaxed fingers that curl, spread and move one after the other."""
    with np.load(body.path, allow_pickle=False) as archive:
        components = np.stack([archive["hands_componentsl"], archive["hands_componentsr"]])[:, [0, 2, 3, 4, 5]]
    # Components of the open body: all fingers' curl, spread, thumb opposition, index against little
    # finger, thumb curl; scaled so that 1 turns the joint that turns most by one radian.
    components = components / np.abs(components).max(2, keepdims=True)
    middle, swing = np.array([0.42, -0.05, 0.15, 0.0, 0.2]), np.array([0.22, 0.07, 0.12, 0.12, 0.15])
    sides = []
    for side in range(2):
        amounts = middle + swing * wander(times, random, 5, 1.3)
        amounts[:, 0] = np.clip(amounts[:, 0], 0.08, 1.2)
        sides.append(amounts @ components[side])
    return np.concatenate(sides, 1).reshape(len(times), 30, 3)


def _face(times: np.ndarray, body: BodyModel, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Jaw (T,3) rad, gaze (T,3) rad, expression (T,E): talking, blinking, a smile that comes and goes."""
    names = {name: i for i, name in enumerate(body.expression_names)}
    curves = wander(times, random, 6, 1.0)
    jaw = np.zeros((len(times), 3))
    talking = np.clip(curves[:, 0], 0, None) / 2
    jaw[:, 0] = 0.2 * np.clip(talking * (0.6 + 0.6 * wander(times, random, 1, 0.18)[:, 0]), 0, 1)
    gaze = np.stack([0.05 * curves[:, 1], 0.12 * curves[:, 2], np.zeros(len(times))], 1)
    expression = np.zeros((len(times), len(names)))
    expression[:, names["smile"]] = np.clip(0.4 + 0.4 * curves[:, 3], 0, 1)
    expression[:, names["brows_up"]] = np.clip(0.6 * curves[:, 4], 0, 1)
    expression[:, names["brows_down"]] = np.clip(-0.6 * curves[:, 4], 0, 0.8)
    blink = 0.8
    while blink < times[-1]:
        expression[:, names["blink"]] += np.exp(-(((times - blink) / 0.07) ** 2))
        blink += random.uniform(1.2, 3.5)
    return jaw, gaze, expression


def _place(motion: Motion, rest: np.ndarray, person: Person) -> None:
    """Turns and shifts the motion about Z: heading and place of the middle of the clip."""
    roots = matrix_from_axis_angle(motion.poses[:, :3])
    facing = roots[len(motion) // 2] @ np.array([0.0, 0.0, 1.0])
    turn = np.radians(person.heading) - np.arctan2(facing[1], facing[0])
    about_z = Rotation.from_euler("z", turn).as_matrix()
    motion.poses[:, :3] = axis_angle_from_matrix(about_z @ roots)
    path = (motion.trans + rest[0]) @ about_z.T
    middle = 0.5 * (path[:, :2].min(0) + path[:, :2].max(0))
    path[:, :2] += np.asarray(person.at) - middle
    motion.trans = path - rest[0]


def _stand_on_floor(motion: Motion, body: BodyModel, rest: np.ndarray) -> Performance:
    """Levels the capture floor (recordings tilt by up to 6 cm over 4 m) and puts its height at zero."""
    vertices = body.vertices(motion.poses, motion.trans, motion.betas, motion.expression)
    soles = vertices[:, [SURFACE_POINTS[name][0] for name in SOLES]]
    lowest = vertices[..., 2].min(1)
    under = np.take_along_axis(soles, soles[..., 2].argmin(1)[:, None, None], 1)[:, 0, :2]
    planted = lowest < np.quantile(lowest, 0.6)
    design = np.concatenate([under, np.ones((len(under), 1))], 1)
    level = np.zeros(3)
    if np.ptp(under[planted], axis=0).max() > 1.0:
        level = np.linalg.lstsq(design[planted], lowest[planted], rcond=None)[0]
    roots = (motion.trans + rest[0])[:, :2]
    slope = roots @ level[:2]
    shift = slope + np.quantile(lowest - slope, 0.1)
    motion.trans[:, 2] -= shift
    vertices[..., 2] -= shift[:, None].astype(np.float32)
    joints = joint_transforms(motion.poses, rest)[1] + motion.trans[:, None]
    soles = vertices[:, [SURFACE_POINTS[name][0] for name in SOLES]]
    motion.contacts = _contacts(soles, motion.frame_times)
    return Performance(motion, vertices, joints, soles)


def _contacts(soles: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T,4) 0 or 1 from heels and toes (T,4,3) m: low and nearly at rest."""
    speed = np.linalg.norm(np.gradient(soles, times, axis=0), axis=-1)
    standing = np.quantile(soles[..., 2], 0.1, axis=0)
    return ((speed < _PLANTED_SPEED) & (soles[..., 2] < standing + _PLANTED_HEIGHT)).astype(np.float32)
