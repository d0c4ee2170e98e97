# SPDX-License-Identifier: GPL-3.0-or-later
"""Films recorded motions with rendered people and writes down what the body detector says of them.

    .venv/bin/python tools/render_detections.py --data store.safetensors -o out/detections --minutes 60

Training data of the lifter (`smplit/mocap/lifter`): how BlazePose errs in pixels and in depth is learned from pairs of
truth and detection, because no formula tells it. Clothes, places and cameras are drawn at random. One file of pairs for
every `--clips` clips; N frames in all, C clips, at 15 frames a second:

`poses` (N,22,3) rad and `trans` (N,3) m in the world (Z up), `betas` (C,10), `R` (C,3,3), `t` (C,3) world-to-camera in
OpenCV axes (the camera stands still), `first` (C+1,) rows of each clip, `source` (C,) index of the recording in the store,
`start` (C,) its first frame there, `rays` (N,33,2) = ((x, y) px - principal point) / focal length, `confidence` (N,33),
`world` (N,33,3) m, `present` (N,) bool, `box` (N,4) in the unit of `rays`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from truth_clips.looks import LOOKS, Look
from truth_clips.people import wander
from truth_clips.places import build
from truth_clips.renderer import Renderer

from smplit.axes import axis_angle_from_matrix, matrix_from_axis_angle
from smplit.body.model import BodyModel
from smplit.datasets.split import TRAIN, Split
from smplit.datasets.store import MotionStore
from smplit.mocap.keypoints.blazepose import BodyLandmarker, region_from_circle
from smplit.mocap.keypoints.bodies import body_box
from smplit.mocap.keypoints.regions import PointFilter, Region
from smplit.training.commands import FREE_LICENCES

WINDOW = 288  # px of the square part of the picture that is drawn around the person
FPS, SECONDS = 15, 3.0
# How often each part of the pack is filmed: many kinds of motion count, not hours.
_SHARES = {"cmu": 0.6, "bandai": 0.22, "reactidle": 0.1, "deepmimic": 0.05, "ase": 0.03, "style100": 0.01}
_ROOM = 5.5  # m: further out the camera would stand behind the room's walls
_LOOKS = ("ann", "bo", "cem", "dee")  # those of the tuning clips; the validation clips' are for reporting only


def _look(random: np.random.Generator) -> Look:
    base = LOOKS[str(random.choice(_LOOKS))]
    colour = lambda low, high: tuple(random.uniform(low, high) * random.uniform(0.6, 1.0, 3))
    return Look(
        tuple(np.asarray(base.skin) * random.uniform(0.7, 1.15)), colour(0.01, 0.35), colour(0.05, 0.8), colour(0.05, 0.9), colour(0.03, 0.4),
        colour(0.04, 0.8), base.iris, float(random.uniform(0.28, 0.65)), float(random.choice([-1.235, -0.8, -1.05])), int(random.integers(4)),
        float(random.choice([0.0, 0.0, 0.4])), base.hairline, float(random.uniform(0.005, 0.02)), float(random.uniform(0.006, 0.024)),
    )


class _Studio:
    """Draws clips and asks the detector about them."""

    def __init__(self, store: MotionStore, seed: int, commercial_safe: bool = False, part: str = TRAIN):
        self.random = np.random.default_rng(seed)
        self.body = BodyModel.load()
        self.store = store
        self.renderer = Renderer((WINDOW, WINDOW), self.body)
        self.landmarker = BodyLandmarker("cpu", 1)
        recordings = Split.load().indices(store)[part]
        self.sources: list[list[int]] = []
        self.shares = []
        for name, share in _SHARES.items():
            chosen = [i for i in recordings if store.clips[i].part.startswith(name) and store.clips[i].seconds > SECONDS + 0.2]
            chosen = [i for i in chosen if not commercial_safe or store.clips[i].licence in FREE_LICENCES]
            if chosen:
                self.sources.append(chosen)
                self.shares.append(share)
        self.shares = np.array(self.shares) / np.sum(self.shares)

    def clip(self) -> dict[str, np.ndarray]:
        """One clip's rows, and its figures."""
        random = self.random
        sources = self.sources[random.choice(len(self.sources), p=self.shares)]
        index = int(random.choice(sources))
        frames = self.store.frames(index)
        count = int(SECONDS * FPS)
        step = round(self.store.fps / FPS)
        start = int(random.integers(0, max(1, frames.stop - frames.start - count * step)))
        rows = np.arange(frames.start + start, frames.stop)[: count * step : step]
        poses = np.zeros((len(rows), 55, 3), np.float32)
        poses[:, :22] = self.store.poses[rows]
        poses[:, 25:] = self._fingers(len(rows))
        trans = np.asarray(self.store.trans[rows], np.float64)
        turn = _about_z(random.uniform(0, 2 * np.pi))
        rest = self.body.rest_joints().numpy()[0]
        poses[:, 0] = axis_angle_from_matrix(turn @ matrix_from_axis_angle(poses[:, 0]))
        path = (trans + rest) @ turn.T
        path[:, :2] -= 0.5 * (path[:, :2].min(0) + path[:, :2].max(0))
        betas = np.clip(random.normal(0, 1.0, 10), -2, 2).astype(np.float32)
        trans = path - self.body.rest_joints(betas).numpy()[0]
        vertices = self.body.vertices(poses.reshape(len(rows), -1), trans, betas)
        shift = float(np.quantile(vertices[..., 2].min(1), 0.1))
        trans[:, 2] -= shift
        vertices[..., 2] -= shift
        R, t, focal, window = self._camera(vertices)
        self._dress(vertices, R, t)
        return {
            "poses": poses[:, :22], "trans": trans.astype(np.float32), "betas": betas, "R": R, "t": t,
            "source": np.array(index), "start": np.array(start), **self._film(vertices, R, t, focal, window),
        }

    def _fingers(self, count: int) -> np.ndarray:
        curl = self.random.uniform(0.05, 0.7)
        fingers = np.zeros((count, 30, 3), np.float32)
        fingers[:, :15, 2], fingers[:, 15:, 2] = -curl, curl
        fingers[:, [12, 13, 14, 27, 28, 29]] *= 0.2
        return fingers

    def _camera(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
        """R (3,3), t (3,), focal length px, and where the window lies in each frame (T,2) px from the principal point."""
        random = self.random
        distance = float(np.exp(random.uniform(np.log(1.8), np.log(9.0))))
        height = float(np.clip(random.normal(1.45, 0.45), 0.2, 3.4)) if random.random() < 0.65 else 0.2 + distance * random.uniform(0.0, 0.85)
        height = min(height, 5.0)
        azimuth = random.uniform(0, 2 * np.pi)
        eye = np.array([distance * np.cos(azimuth), distance * np.sin(azimuth), height])
        aside = random.normal(0, 0.22) * distance
        target = np.array([-np.sin(azimuth) * aside, np.cos(azimuth) * aside, random.normal(0.95, 0.2)])
        roll = random.normal(0, 3.0) if random.random() < 0.8 else random.normal(0, 12.0)
        R = _looking(target - eye, np.radians(roll))
        t = -R @ eye
        seen = vertices @ R.T.astype(np.float32) + t.astype(np.float32)
        rays = seen[..., :2] / np.maximum(seen[..., 2:], 0.2)
        low, high = rays.min(1), rays.max(1)
        size = float(np.quantile((high - low).max(1), 0.9))
        middle = 0.5 * (low + high)
        share = random.uniform(0.45, 0.85)
        if random.random() < 0.25:  # the picture ends at the hips, or somewhere on the legs
            share = random.uniform(1.1, 1.9)
            top = low[:, 1] + size * random.uniform(0.2, 0.42)
            middle[:, 1] = top
        focal = share * WINDOW / size
        middle = np.stack([np.convolve(np.pad(c, 7, mode="edge"), np.ones(15) / 15, "valid") for c in middle.T], 1)
        middle = middle + 0.05 * size * wander(np.arange(len(middle)) / FPS, random, 2, 1.5)
        return R, t, focal, middle * focal - WINDOW / 2

    def _dress(self, vertices: np.ndarray, R: np.ndarray, t: np.ndarray) -> None:
        random = self.random
        eye = -R.T @ t
        ground = vertices[::5, :, :2].mean(1)
        clear = (eye[:2] + np.linspace(0, 1, 12)[:, None, None] * (ground - eye[:2])).reshape(-1, 2)
        places = ["room", "street", "park"] if np.abs(eye[:2]).max() < _ROOM else ["street", "park"]
        place = build(str(random.choice(places)), int(random.integers(1 << 20)), clear)
        sun = (*random.uniform(-0.8, 0.8, 2), random.uniform(0.6, 1.2))
        self.renderer.set_place(place, [_look(random)], sun, tuple(random.uniform(0.35, 0.65, 3)), int(random.integers(97)))

    def _film(self, vertices: np.ndarray, R: np.ndarray, t: np.ndarray, focal: float, window: np.ndarray) -> dict[str, np.ndarray]:
        random = self.random
        count = len(vertices)
        out = {
            "rays": np.zeros((count, 33, 2), np.float32), "confidence": np.zeros((count, 33), np.float32),
            "world": np.zeros((count, 33, 3), np.float32), "present": np.zeros(count, bool), "box": np.zeros((count, 4), np.float32),
        }
        region, follow = None, None
        noise = random.uniform(0, 6)
        for n in range(count):
            K = np.array([[focal, 0, -window[n, 0]], [0, focal, -window[n, 1]], [0, 0, 1.0]])
            image = self.renderer.draw([vertices[n]], R, t, K)
            image = np.clip(image + random.normal(0, noise, image.shape), 0, 255).astype(np.uint8)
            tries = 1
            if region is None:
                seen = vertices[n] @ R.T + t
                points = seen[:, :2] / seen[:, 2:] * focal - window[n]
                low, high = np.clip(points.min(0), 0, WINDOW), np.clip(points.max(0), 0, WINDOW)
                middle, side = 0.5 * (low + high), 1.3 * float((high - low).max())
                region, follow, tries = Region(float(middle[0]), float(middle[1]), side, 0.0), None, 2
            for _ in range(tries):
                body = self.landmarker(image, [region])[0]
                if body.presence < 0.5:
                    break
                region = region_from_circle(body.circle)
            if body.presence < 0.5:
                region = None
                continue
            follow = follow or PointFilter(body.circle, n / FPS)
            size = 2.0 * float(np.linalg.norm(body.circle[1] - body.circle[0]))
            region = region_from_circle(follow(body.circle, n / FPS, size))
            box = body_box(body, image.shape)
            out["present"][n] = True
            out["rays"][n] = (body.pixels + window[n]) / focal
            out["box"][n] = (box + np.tile(window[n], 2)) / focal
            beyond = np.maximum(np.maximum(-body.pixels, body.pixels - WINDOW), 0.0).max(1)
            out["confidence"][n] = body.confidence * np.clip(1.0 - beyond / (0.02 * region.side), 0.05, 1.0)
            out["world"][n] = body.world
        return out


def _about_z(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def _looking(forward: np.ndarray, roll: float) -> np.ndarray:
    """World-to-camera rotation (3,3) that looks along `forward` (3,), turned by `roll` rad about it."""
    z = forward / np.linalg.norm(forward)
    x = np.cross(z, [0.0, 0.0, 1.0])
    x /= np.linalg.norm(x)
    level = np.stack([x, np.cross(z, x), z])
    c, s = np.cos(roll), np.sin(roll)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]) @ level


def _join(clips: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    joined = {}
    for name in clips[0]:
        values = [clip[name] for clip in clips]
        joined[name] = np.stack(values) if name in ("betas", "R", "t", "source", "start") else np.concatenate(values)
    joined["first"] = np.cumsum([0] + [len(clip["present"]) for clip in clips])
    return joined


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="motion store")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the files of pairs")
    parser.add_argument("--minutes", type=float, default=60.0, help="how long to go on")
    parser.add_argument("--clips", type=int, default=20, help="clips in a file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commercial-safe", action="store_true", help="only recordings that commercial use is allowed of")
    parser.add_argument("--part", default=TRAIN, help="part of the split; others than train serve 'smplit eval wham'")
    args = parser.parse_args()
    torch.set_num_threads(1)
    studio = _Studio(MotionStore.open(args.data), args.seed, args.commercial_safe, args.part)
    args.output.mkdir(parents=True, exist_ok=True)
    started, number = time.monotonic(), 0
    while time.monotonic() - started < 60 * args.minutes:
        clips = [studio.clip() for _ in range(args.clips)]
        part = args.output / f"pairs_{args.seed}_{number:04d}.part.npz"
        np.savez_compressed(part, **_join(clips))
        part.rename(args.output / f"pairs_{args.seed}_{number:04d}.npz")
        number += 1
        print(f"{number * args.clips} clips, {(time.monotonic() - started) / (number * args.clips):.2f} s each", flush=True)


if __name__ == "__main__":
    main()
