# SPDX-License-Identifier: GPL-3.0-or-later
"""Brow, blink and jaw curves of a captured face against the reference blend-shape model's, on the same frames.

    .venv/bin/python tools/compare_face_curves.py VIDEO... --task face_landmarker_v2_with_blendshapes.task
                                                  [--mediapipe-python PYTHON] [--golden FILE.npz]

The reference is MediaPipe's FaceLandmarker (478 points with irises, 52 blend shapes) in VIDEO mode, fed with the frames and
times that our decoder reads. A curve is compared by Pearson's and Spearman's (rank) correlation over the frames in which both
sides see the face and no hand covers that half of it: what either says under a hand is invented. `lag` is the shift, in frames,
at which Pearson's is largest. `swing` is the reference curve's range between its 5th and 95th percentile: of a curve that hardly
moves, a correlation says little. Our jawOpen is the jaw joint's angle. `mouth opening` is the gap of the lips, in mm, when
either side's curves move the open body's face.

`--golden FILE` instead keeps the reference's curves (numbers only) for tests/mocap/face, and where the face is first found.

mediapipe is a development oracle, not a dependency: see `bench_capture.py` for its environment.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

LAGS = 3  # frames, either way


def run_reference(size: tuple[int, int], times: np.ndarray, task: Path, output: Path) -> None:
    """The oracle's side, in mediapipe's own environment: raw RGB frames on standard input -> npz.

    `blendshapes` (N,52) 0..1, NaN where it sees no face; `names` (52,).
    """
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=task.read_bytes()), running_mode=vision.RunningMode.VIDEO, num_faces=1,
        output_face_blendshapes=True,
    )
    width, height = size
    blendshapes, names = np.full((len(times), 52), np.nan), None
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for i, time in enumerate(times):
            pixels = np.frombuffer(sys.stdin.buffer.read(width * height * 3), np.uint8).reshape(height, width, 3)
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)
            found = landmarker.detect_for_video(image, round(time * 1000)).face_blendshapes
            if found:
                blendshapes[i] = [entry.score for entry in found[0]]
                names = [entry.category_name for entry in found[0]]
    np.savez(output, blendshapes=blendshapes, names=np.array(names or []))


def reference(video: Path, task: Path, python: Path) -> dict[str, np.ndarray]:
    """{blend shape: (N,) 0..1} of every frame of a video."""
    from smplit.video.decode import VideoReader

    with VideoReader(video) as reader:
        times = [frame.time for frame in reader]
    with tempfile.TemporaryDirectory() as folder, VideoReader(video) as reader:
        output, clock = Path(folder) / "reference.npz", Path(folder) / "times.txt"
        np.savetxt(clock, times)
        command = [str(python), __file__, "--oracle", str(reader.info.width), str(reader.info.height), str(clock), str(task), str(output)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for frame in reader:
            process.stdin.write(frame.image.tobytes())
        process.stdin.close()
        if process.wait():
            raise SystemExit(f"mediapipe failed: {' '.join(command)}")
        with np.load(output) as arrays:
            if not len(arrays["names"]):
                raise SystemExit(f"the reference sees no face in {video}")
            return dict(zip(arrays["names"].tolist(), arrays["blendshapes"].T, strict=True))


def face_of(video: Path):
    """Our landmarks of the person whose face is largest, with the shot's times and camera."""
    from smplit.mocap.observe import observe
    from smplit.mocap.options import CaptureOptions
    from smplit.progress import Reporter

    people = [(shot, person) for shot in observe(video, CaptureOptions(camera="static"), Reporter()) for person in shot.people]
    size = lambda person: float(np.linalg.norm(person.face[:, 33, :2] - person.face[:, 263, :2], axis=-1) @ person.face_confidence)
    shot, person = max(people, key=lambda one: size(one[1]))
    return person, shot.frame_times[person.first - shot.start :][: len(person)], shot.camera.K


def compare(video: Path, theirs: dict[str, np.ndarray]) -> list[tuple]:
    """(curve, frames, Pearson, Spearman, lag, Pearson with it, swing) of every curve that matters."""
    from smplit.body.model import BodyModel
    from smplit.mocap.face.landmark_fit import fit_face
    from smplit.mocap.face.occlusion import covered

    person, times, K = face_of(video)
    body = BodyModel.load()
    fit = fit_face(person, K, body, times)
    theirs = {name: values[person.first : person.first + len(person)] for name, values in theirs.items()}
    mouth, eyes = covered(person)
    both = np.isfinite(theirs["jawOpen"]) & (person.face_confidence > 0)
    ours = dict(zip(body.expression_names, fit.expression.T.astype(float), strict=True)) | {"jawOpen": fit.jaw[:, 0].astype(float)}
    rows = []
    for name, (left, right) in curves(ours, theirs, body).items():
        rows.append((name, *agreement(left, right, both & ((eyes if name.startswith(("brow", "eye", "blink")) else mouth) < 0.3))))
    return rows


def curves(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], body) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pairs of curves (N,): single ones, means of both sides, and the mouth's opening on the body in mm."""
    from smplit.mocap.face.evidence import INNER_LIPS
    from smplit.mocap.face.surface_cache import kept_surface

    surface = kept_surface(body)
    gap = lambda moved: 1000 * (moved[..., INNER_LIPS[:, 0], 1] - moved[..., INNER_LIPS[:, 1], 1]).mean(-1)
    of_action = dict(zip(body.expression_names, gap(surface.expression), strict=True))
    single = ["browInnerUp", "browOuterUpLeft", "browOuterUpRight", "browDownLeft", "browDownRight", "eyeBlinkLeft", "eyeBlinkRight", "jawOpen"]
    means = {
        "brows up": single[:3], "brows down": single[3:5], "blink": single[5:7], "smile": ["mouthSmileLeft", "mouthSmileRight"],
    }
    pairs = {name: (ours[name], theirs[name]) for name in single}
    pairs |= {name: tuple(np.mean([side[part] for part in parts], axis=0) for side in (ours, theirs)) for name, parts in means.items()}
    opened = {name: of_action[name] for name in theirs if name in of_action}
    left = sum(ours[name] * mm for name, mm in opened.items() if name != "jawOpen") + ours["jawOpen"] * gap(surface.jaw[0])
    return pairs | {"mouth opening": (left, sum(theirs[name] * mm for name, mm in opened.items()))}


def agreement(ours: np.ndarray, theirs: np.ndarray, rows: np.ndarray) -> tuple:
    """(frames, Pearson, Spearman, lag, Pearson with it, swing) over some rows of two curves (N,)."""
    from scipy.stats import spearmanr

    def pearson(lag: int) -> float:
        late, early = slice(max(0, lag), len(rows) + min(0, lag)), slice(max(0, -lag), len(rows) + min(0, -lag))
        kept = rows[late] & rows[early]
        left, right = ours[late][kept], theirs[early][kept]
        return float(np.corrcoef(left, right)[0, 1]) if np.ptp(left) > 0 and np.ptp(right) > 0 else np.nan

    lag = max(range(-LAGS, LAGS + 1), key=lambda shift: np.nan_to_num(pearson(shift), nan=-1.0))
    ranks = float(spearmanr(ours[rows], theirs[rows])[0]) if np.ptp(ours[rows]) > 0 else np.nan
    return int(rows.sum()), pearson(0), ranks, lag, pearson(lag), float(np.subtract(*np.percentile(theirs[rows], [95, 5])))


def golden_of(video: Path, theirs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The reference's curves, and where our chain first finds the face: frame, and its region's middle, side and angle."""
    from smplit.mocap.keypoints.face import region_from_landmarks

    person, _, K = face_of(video)
    row = int(np.flatnonzero(person.face_confidence > 0.5)[0])
    region = region_from_landmarks(person.face[row].astype(np.float64))
    kept = {name: values.astype(np.float16) for name, values in theirs.items() if name != "_neutral"}
    return kept | {"first_frame": np.array(person.first + row), "region": np.array([region.x, region.y, region.side, region.angle]), "K": K}


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1] == "--oracle":
        width, height, clock, task, output = sys.argv[2:]
        run_reference((int(width), int(height)), np.loadtxt(clock, ndmin=1), Path(task), Path(output))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--task", type=Path, required=True)
    parser.add_argument("--mediapipe-python", type=Path)
    parser.add_argument("--golden", type=Path, help="write the numbers for the tests here and compare nothing")
    arguments = parser.parse_args()
    from bench_capture import mediapipe_python

    python = mediapipe_python(arguments.mediapipe_python)
    if arguments.golden:
        [video] = arguments.videos
        np.savez_compressed(arguments.golden, **golden_of(video, reference(video, arguments.task, python)))
        return
    print(f"{'video':26}{'curve':18}{'frames':>7}{'r':>7}{'rank r':>8}{'lag':>5}{'r':>7}{'swing':>8}")
    for video in arguments.videos:
        for name, frames, r, rank, lag, late, swing in compare(video, reference(video, arguments.task, python)):
            print(f"{video.stem:26}{name:18}{frames:7d}{r:7.2f}{rank:8.2f}{lag:5d}{late:7.2f}{swing:8.2f}", flush=True)


if __name__ == "__main__":
    main()
