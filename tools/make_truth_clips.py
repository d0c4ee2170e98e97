# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders short videos of the open body whose every joint, contact and camera is known.

    .venv/bin/python tools/make_truth_clips.py --set tuning -o out/truth/tuning
    .venv/bin/python tools/make_truth_clips.py --only rolled --frames 20 -o /tmp/look

Needs the folder of recorded motion (`--motion`, by default `../shared/motion` beside the checkout),
moderngl and an EGL driver (Debian: libegl1 libgl1-mesa-dri). Each clip gives `NAME.mp4` and
`NAME_truth.npz`, T frames and P people, world Z up in metres with the floor at z = 0:

`joints` (T,P,55,3); `poses` (T,P,165), `trans` (T,P,3), `betas` (P,10), `expression` (T,P,E) of the
body named in `body`; `contacts` (T,P,4); `foot_points` (T,P,4,3) m, heels and big toes of the skin,
named by `foot_point_names`; `boxes` (T,P,4) px; `camera_R` (T,3,3), `camera_t` (T,3) world-to-camera
in OpenCV axes; `camera_K` (3,3) px, the picture's origin at the top-left corner of its top-left
pixel; `up` (T,3) the world's up direction in camera axes; `fps`, `frame_times` (T,) s, `size` (2,)
px, `names` (55,) joint names, `contact_names`, `people` (looks), `clip`, `set`, `camera_kind`.
"""

from __future__ import annotations

import argparse
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from truth_clips.cameras import camera_path, intrinsics
from truth_clips.clips import SETS, Clip
from truth_clips.looks import LOOKS
from truth_clips.people import SOLES, MotionPack, Performance, perform
from truth_clips.places import build
from truth_clips.renderer import Renderer

from smplit.body.model import BodyModel
from smplit.models import CHECKOUT_FILES
from smplit.motion import CONTACT_NAMES, JOINT_NAMES

_REPOSITORY = Path(__file__).resolve().parents[1]
_TICKS = 90_000  # time base of the video track, 1/s
_PER_FRAME = ("joints", "poses", "trans", "expression", "contacts", "foot_points", "boxes", "camera_R", "camera_t", "up", "frame_times")


def make_clip(
    clip: Clip, set_name: str, body: BodyModel, pack: MotionPack, output: Path, scale: float = 1.0, frames: int | None = None
) -> dict:
    """Renders one clip and writes its truth; returns its figures."""
    size = tuple(2 * round(side * scale / 2) for side in clip.size)
    times = np.arange(round(clip.seconds * clip.fps)) / clip.fps
    people = [perform(person, times, pack, body, clip.seed * 100 + i) for i, person in enumerate(clip.people)]
    middle = np.mean([p.joints[:, 0] for p in people], axis=0)
    R, t = camera_path(clip.camera, times, middle, clip.seed)
    K = intrinsics(clip.camera, size)
    shown = len(times) if frames is None else min(frames, len(times))
    renderer = Renderer(size, body)
    place = build(clip.place, clip.seed, _sight_lines(people, R, t))
    renderer.set_place(place, [LOOKS[p.look] for p in clip.people], clip.sun, clip.tint, clip.seed)
    started = time.monotonic()
    with _Video(output / f"{clip.name}.mp4", size, clip.fps) as video:
        for n in range(shown):
            video.write(renderer.draw([p.vertices[n] for p in people], R[n], t[n], K))
    seconds = time.monotonic() - started
    truth = _truth(clip, set_name, body, people, R, t, K, size, times)
    cut = {name: array[:shown] if name in _PER_FRAME else array for name, array in truth.items()}
    np.savez_compressed(output / f"{clip.name}_truth.npz", **cut)
    return {"clip": clip.name, "frames": shown, "seconds_per_frame": seconds / shown, "in_picture": _in_picture(truth)}


def _sight_lines(people: list[Performance], R: np.ndarray, t: np.ndarray) -> np.ndarray:
    """(M,2) m, ground points between the camera and everybody, now and then along the clip."""
    eye = -np.einsum("tji,tj->ti", R, t)[::10, None, None, :2]
    roots = np.stack([p.joints[::10, 0, :2] for p in people], 1)[:, :, None]
    return (eye + np.linspace(0, 1, 12)[:, None] * (roots - eye)).reshape(-1, 2)


def _project(points: np.ndarray, R: np.ndarray, t: np.ndarray, K: np.ndarray) -> np.ndarray:
    """World points (T,...,3) m -> (T,...,2) px."""
    seen = np.einsum("tij,t...j->t...i", R, points) + t.reshape(len(t), *([1] * (points.ndim - 2)), 3)
    return seen[..., :2] / seen[..., 2:] * K[[0, 1], [0, 1]] + K[:2, 2]


def _truth(clip: Clip, set_name: str, body: BodyModel, people: list[Performance], R, t, K, size, times) -> dict:
    stack = lambda name: np.stack([getattr(p.motion, name) for p in people], 1).astype(np.float32)
    outlines = [_project(p.vertices[:, ::10], R, t, K) for p in people]
    boxes = np.stack([np.concatenate([o.min(1), o.max(1)], 1) for o in outlines], 1)
    return {
        "joints": np.stack([p.joints for p in people], 1).astype(np.float32), "poses": stack("poses"), "trans": stack("trans"),
        "betas": np.stack([p.motion.betas for p in people]), "expression": stack("expression"),
        "expression_names": np.array(body.expression_names), "contacts": stack("contacts"),
        "foot_points": np.stack([p.soles for p in people], 1).astype(np.float32), "foot_point_names": np.array(SOLES),
        "boxes": boxes.astype(np.float32), "camera_R": R, "camera_t": t, "camera_K": K, "up": R[:, :, 2],
        "fps": np.array(clip.fps), "frame_times": times, "size": np.array(size), "names": np.array(JOINT_NAMES),
        "contact_names": np.array(CONTACT_NAMES), "people": np.array([p.look for p in clip.people]), "clip": np.array(clip.name),
        "set": np.array(set_name), "body": np.array(body.name), "body_sha256": np.array(body.sha256), "camera_kind": np.array(clip.camera.kind),
    }


def _in_picture(truth: dict) -> float:
    """Share of body joints that lie inside the picture."""
    pixels = _project(truth["joints"][:, :, :22], truth["camera_R"], truth["camera_t"], truth["camera_K"])
    return float(((pixels >= 0) & (pixels < truth["size"])).all(-1).mean())


class _Video:
    """H.264 through PyAV, exact frame times, nearly lossless."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float):
        self._container = av.open(str(path), "w")
        self._stream = self._container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options={"crf": "17", "preset": "veryfast"})
        self._stream.width, self._stream.height, self._stream.pix_fmt = *size, "yuv420p"
        self._stream.time_base = Fraction(1, _TICKS)
        self._fps, self._count = fps, 0

    def __enter__(self) -> _Video:
        return self

    def write(self, picture: np.ndarray) -> None:
        """One (H,W,3) uint8 RGB frame."""
        frame = av.VideoFrame.from_ndarray(picture, "rgb24")
        frame.pts, frame.time_base = round(self._count / self._fps * _TICKS), Fraction(1, _TICKS)
        self._count += 1
        self._container.mux(self._stream.encode(frame))

    def __exit__(self, kind, error, trace) -> None:
        if error is None:
            self._container.mux(self._stream.encode())
        self._container.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--set", choices=sorted(SETS), default="tuning", help="which clips (only tuning is for tuning; the others are for reporting)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these clips alone")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the clips")
    parser.add_argument("--motion", type=Path, default=_REPOSITORY.parent / "shared" / "motion", help="folder of recorded motion")
    parser.add_argument("--scale", type=float, default=1.0, help="picture size against the clip's own")
    parser.add_argument("--frames", type=int, help="render only the first so many frames")
    arguments = parser.parse_args()
    if not (arguments.motion / "rest_tpose").is_dir():
        parser.error(f"no recorded motion in '{arguments.motion}': name its folder with --motion")
    clips = [c for c in SETS[arguments.set] if not arguments.only or c.name in arguments.only]
    unknown = set(arguments.only or ()) - {c.name for c in clips}
    if unknown:
        parser.error(f"no clip {', '.join(sorted(unknown))} in set {arguments.set}: {', '.join(c.name for c in SETS[arguments.set])}")
    arguments.output.mkdir(parents=True, exist_ok=True)
    # Always the open body: a set must not change with the files a developer happens to own.
    body = BodyModel.load(CHECKOUT_FILES / "body" / "OPEN_NEUTRAL.npz")
    pack = MotionPack(arguments.motion)
    for clip in clips:
        figures = make_clip(clip, arguments.set, body, pack, arguments.output, arguments.scale, arguments.frames)
        shown = "{clip}: {frames} frames, {seconds_per_frame:.3f} s a frame, {in_picture:.0%} of the joints in the picture"
        print(shown.format(**figures), flush=True)


if __name__ == "__main__":
    main()
