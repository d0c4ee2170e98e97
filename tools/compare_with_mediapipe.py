# SPDX-License-Identifier: GPL-3.0-or-later
"""How far our landmarks are from those of the `mediapipe` package's holistic solution, on the same frames.

    .venv/bin/python tools/compare_with_mediapipe.py VIDEO... [--mediapipe-python PYTHON] [--golden FILE.npz]

Both sides see the same decoded pixels and the same presentation times, without temporal smoothing.
Distances are in pixels of a person 1000 px tall: the person's size is the median of the longer side
of the box of all 33 body landmarks. Body: landmarks that mediapipe calls visible. Hands: frames in which
both sides see that hand; hands that one side put on the other arm count as seen, and so as wrong.

`--golden FILE` instead keeps numbers (no pictures) of every 20th frame for tests/mocap/keypoints: where
mediapipe looked, and what it found there.

mediapipe is a development oracle, not a dependency: see `bench_capture.py` for its environment.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def run_holistic(size: tuple[int, int], times: list[float], output: Path) -> None:
    """The oracle's side, in mediapipe's own environment: raw RGB frames on standard input -> npz of px.

    `region` (N,4) px, px, px, rad: centre, side and angle of where the body will be looked for in the NEXT frame.
    """
    from mediapipe.python.solution_base import SolutionBase

    width, height = size
    count = len(times)
    found = {
        "body": np.full((count, 33, 2), np.nan), "visible": np.zeros((count, 33)), "hands": np.full((count, 2, 21, 2), np.nan),
        "face": np.full((count, 468, 2), np.nan), "region": np.full((count, 4), np.nan),
    }

    def pixels(landmarks) -> np.ndarray:
        return np.array([(point.x * width, point.y * height) for point in landmarks.landmark])

    inputs = {
        "model_complexity": 1, "smooth_landmarks": False, "enable_segmentation": False, "smooth_segmentation": False,
        "refine_face_landmarks": False, "use_prev_landmarks": True,
    }
    outputs = ["pose_landmarks", "pose_landmarks_roi", "left_hand_landmarks", "right_hand_landmarks", "face_landmarks"]
    graph = "mediapipe/modules/holistic_landmark/holistic_landmark_cpu.binarypb"
    with SolutionBase(binary_graph_path=graph, side_inputs=inputs, outputs=outputs) as holistic:
        for i, time in enumerate(times):
            image = np.frombuffer(sys.stdin.buffer.read(width * height * 3), np.uint8).reshape(height, width, 3)
            # The package counts 30 frames a second whatever the video; its filters should see the true times.
            holistic._simulated_timestamp = round(time * 1e6) - 33333
            result = holistic.process({"image": image})
            if result.pose_landmarks:
                found["body"][i] = pixels(result.pose_landmarks)
                found["visible"][i] = [point.visibility for point in result.pose_landmarks.landmark]
                roi = result.pose_landmarks_roi
                found["region"][i] = roi.x_center * width, roi.y_center * height, roi.width * width, roi.rotation
            for side, hand in enumerate((result.left_hand_landmarks, result.right_hand_landmarks)):
                if hand:
                    found["hands"][i, side] = pixels(hand)
            if result.face_landmarks:
                found["face"][i] = pixels(result.face_landmarks)[:468]
    np.savez(output, **found)


def golden_of(theirs: dict[str, np.ndarray], every: int = 20) -> dict[str, np.ndarray]:
    """Every 20th frame: where mediapipe looked (the body's region, the last hands and face) and what it found."""
    frames = np.arange(every, len(theirs["body"]), every)
    kept = {"frames": frames, "body_size": np.array(person_size(theirs["body"])), "body_region": theirs["region"][frames - 1]}
    for name in ("body", "visible", "hands", "face"):
        kept[name] = theirs[name][frames]
    for name in ("hands", "face"):
        kept[f"{name}_before"] = theirs[name][frames - 1]
    return {name: values if name == "frames" else values.astype(np.float32) for name, values in kept.items()}


def oracle(video: Path, python: Path) -> dict[str, np.ndarray]:
    """mediapipe's landmarks of every frame of a video, px."""
    from smplit.video.decode import VideoReader

    with VideoReader(video) as reader:
        times = [frame.time for frame in reader]
    with tempfile.TemporaryDirectory() as folder, VideoReader(video) as reader:
        output, clock = Path(folder) / "oracle.npz", Path(folder) / "times.txt"
        np.savetxt(clock, times)
        command = [str(python), __file__, "--oracle", str(reader.info.width), str(reader.info.height), str(clock), str(output)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for frame in reader:
            process.stdin.write(frame.image.tobytes())
        process.stdin.close()
        if process.wait():
            raise SystemExit(f"mediapipe failed: {' '.join(command)}")
        with np.load(output) as arrays:
            return dict(arrays)


def person_size(body: np.ndarray) -> float:
    """px: how tall the person of (N,33,2) is in the picture."""
    return float(np.nanmedian(np.ptp(body, axis=1).max(-1)))


def compare(video: Path, theirs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """{part: distances of its frames, px of a person 1000 px tall}; the person of ours nearest to theirs counts."""
    from smplit.mocap.observe import observe
    from smplit.mocap.options import CaptureOptions
    from smplit.progress import Reporter

    people = [person for shot in observe(video, CaptureOptions(camera="static"), Reporter()) for person in shot.people]
    scale = 1000.0 / person_size(theirs["body"])
    distances: dict[str, list[float]] = {"body": [], "left hand": [], "right hand": [], "face": []}
    for i, body in enumerate(theirs["body"]):
        seen = [(p, i - p.first) for p in people if 0 <= i - p.first < len(p) and p.seen[i - p.first]]
        if not seen or np.isnan(body[0, 0]):
            continue
        person, row = min(seen, key=lambda one: np.linalg.norm(one[0].body[one[1]] - body, axis=-1).mean())
        visible = theirs["visible"][i] > 0.5
        if visible.any():
            distances["body"].append(np.linalg.norm(person.body[row] - body, axis=-1)[visible].mean())
        for side, name in enumerate(("left hand", "right hand")):
            hand = theirs["hands"][i, side]
            if person.hand_confidence[row, side] > 0 and np.isfinite(hand[0, 0]):
                distances[name].append(np.linalg.norm(person.hands[row, side] - hand, axis=-1).mean())
        face = theirs["face"][i]
        if person.face_confidence[row] > 0 and np.isfinite(face[0, 0]):
            distances["face"].append(np.linalg.norm(person.face[row, :, :2] - face, axis=-1).mean())
    return {name: scale * np.array(values) for name, values in distances.items()}


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1] == "--oracle":
        width, height, clock, output = sys.argv[2:]
        run_holistic((int(width), int(height)), np.loadtxt(clock, ndmin=1).tolist(), Path(output))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--mediapipe-python", type=Path)
    parser.add_argument("--golden", type=Path, help="write the numbers for the tests here and compare nothing")
    arguments = parser.parse_args()
    from bench_capture import mediapipe_python

    python = mediapipe_python(arguments.mediapipe_python)
    if arguments.golden:
        golden = {}
        for video in arguments.videos:
            golden |= {f"{video.stem}.{name}": values for name, values in golden_of(oracle(video, python)).items()}
        np.savez_compressed(arguments.golden, **golden)
        return
    print(f"{'video':28}{'part':12}{'frames':>7}{'mean':>8}{'median':>8}{'90 %':>8}   px of a person 1000 px tall")
    for video in arguments.videos:
        for part, values in compare(video, oracle(video, python)).items():
            figures = [values.mean(), np.median(values), np.percentile(values, 90)] if len(values) else []
            print(f"{video.stem:28}{part:12}{len(values):7d}" + "".join(f"{figure:8.2f}" for figure in figures), flush=True)


if __name__ == "__main__":
    main()
