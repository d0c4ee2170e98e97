# SPDX-License-Identifier: GPL-3.0-or-later
"""How far our landmarks are from those of the `mediapipe` package's holistic solution, on the same frames.

    .venv/bin/python tools/compare_with_mediapipe.py VIDEO... [--mediapipe-python PYTHON] [--golden FILE.npz]

Both sides see the same decoded pixels and the same presentation times, without temporal smoothing.
Distances are in pixels of a person 1000 px tall: the person's size is the median of the longer side
of the box of all 33 body landmarks. Body: landmarks that mediapipe calls visible. Hands: frames in which
both sides see that hand; hands that one side put on the other arm count as seen, and so as wrong.
`--golden` keeps mediapipe's landmarks (numbers only, no pictures) of every tenth frame for the tests.

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
    """The oracle's side, in mediapipe's own environment: raw RGB frames on standard input -> npz of px."""
    import mediapipe

    width, height = size
    count = len(times)
    found = {
        "body": np.full((count, 33, 2), np.nan), "visible": np.zeros((count, 33)), "hands": np.full((count, 2, 21, 2), np.nan),
        "face": np.full((count, 468, 2), np.nan),
    }

    def pixels(landmarks) -> np.ndarray:
        return np.array([(point.x * width, point.y * height) for point in landmarks.landmark])

    with mediapipe.solutions.holistic.Holistic(model_complexity=1, smooth_landmarks=False) as holistic:
        for i, time in enumerate(times):
            image = np.frombuffer(sys.stdin.buffer.read(width * height * 3), np.uint8).reshape(height, width, 3)
            # The solution counts 30 frames a second whatever the video; its filters should see the true times.
            holistic._simulated_timestamp = round(time * 1e6) - 33333
            result = holistic.process(image)
            if result.pose_landmarks:
                found["body"][i] = pixels(result.pose_landmarks)
                found["visible"][i] = [point.visibility for point in result.pose_landmarks.landmark]
            for side, hand in enumerate((result.left_hand_landmarks, result.right_hand_landmarks)):
                if hand:
                    found["hands"][i, side] = pixels(hand)
            if result.face_landmarks:
                found["face"][i] = pixels(result.face_landmarks)[:468]
    np.savez(output, **found)


def oracle(video: Path, python: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """mediapipe's landmarks of every frame of a video, and the frames' times (N,) s."""
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
            return dict(arrays), np.array(times)


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
    parser.add_argument("--golden", type=Path, help="write mediapipe's landmarks of every tenth frame here")
    arguments = parser.parse_args()
    from bench_capture import mediapipe_python

    python = mediapipe_python(arguments.mediapipe_python)
    golden = {}
    print(f"{'video':28}{'part':12}{'frames':>7}{'mean':>8}{'median':>8}{'90 %':>8}   px of a person 1000 px tall")
    for video in arguments.videos:
        theirs, _ = oracle(video, python)
        for part, values in compare(video, theirs).items():
            figures = [values.mean(), np.median(values), np.percentile(values, 90)] if len(values) else []
            print(f"{video.stem:28}{part:12}{len(values):7d}" + "".join(f"{figure:8.2f}" for figure in figures), flush=True)
        if arguments.golden:
            golden |= {f"{video.stem}.{name}": values[::10].astype(np.float32) for name, values in theirs.items()}
    if arguments.golden:
        np.savez_compressed(arguments.golden, **golden)


if __name__ == "__main__":
    main()
