# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast capture is, and how it grows: against the mediapipe holistic loop, and against itself on 10 times the frames.

    .venv/bin/python tools/bench_capture.py VIDEO [--repeats 3] [--growth 10]

Every run is a process of its own, runs alternate, and medians are compared, so that a busy machine
touches both sides alike. mediapipe is a development oracle, not a dependency: it is installed into
an environment of its own (`--mediapipe-python` names an existing one).
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MEDIAPIPE = ("mediapipe==0.10.21", "absl-py", "attrs", "flatbuffers", "protobuf<5", "matplotlib", "numpy<2", "opencv-python<5")
ROOT = Path(__file__).resolve().parents[1]


def capture_once(video: Path) -> dict:
    """One whole capture (hands and face on), model loading included: s, frames, peak memory MB."""
    started = time.perf_counter()
    from smplit.mocap.pipeline import capture

    with tempfile.TemporaryDirectory() as folder:
        results = capture(video, Path(folder))
    return {
        "seconds": time.perf_counter() - started, "frames": max(len(r.motion) for r in results), "people": len(results),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def holistic_once(video: Path) -> dict:
    """The reference: mediapipe's holistic solution (model complexity 1) over every frame; set-up is not counted."""
    import cv2
    import mediapipe

    reader = cv2.VideoCapture(str(video))
    frames = 0
    with mediapipe.solutions.holistic.Holistic(model_complexity=1) as holistic:
        started = time.perf_counter()
        while True:
            good, image = reader.read()
            if not good:
                break
            holistic.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            frames += 1
        return {"seconds": time.perf_counter() - started, "frames": frames}


def repeat_video(source: Path, target: Path, times: int) -> None:
    """The clip forwards and backwards in turn, `times` in all: longer, without a cut."""
    import av

    with av.open(str(source)) as reader:
        stream = reader.streams.video[0]
        frames = [frame.to_ndarray(format="yuv420p") for frame in reader.decode(stream)]
        rate, width, height = stream.average_rate, stream.width, stream.height
    with av.open(str(target), "w") as writer:
        out = writer.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "20"})
        out.width, out.height, out.pix_fmt = width, height, "yuv420p"
        for turn in range(times):
            for picture in frames if turn % 2 == 0 else reversed(frames):
                for packet in out.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")):
                    writer.mux(packet)
        for packet in out.encode():
            writer.mux(packet)


def in_process(python: Path | str, mode: str, video: Path) -> dict:
    """Runs this file again with another interpreter and reads the figures it prints last."""
    done = subprocess.run([str(python), __file__, str(video), "--mode", mode], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{mode} run failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def mediapipe_python(given: Path | None) -> Path:
    if given:
        return given
    folder = Path(tempfile.gettempdir()) / "smplit-mediapipe"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "--no-deps", MEDIAPIPE[0]], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *MEDIAPIPE[1:]], check=True)
    return python


def median(runs: list[dict], name: str) -> float:
    return statistics.median(run[name] for run in runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--growth", type=int, default=0, help="also compare with a clip this many times as long")
    parser.add_argument("--mediapipe-python", type=Path)
    parser.add_argument("--mode", choices=("compare", "capture", "holistic"), default="compare", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.mode != "compare":
        print(json.dumps((capture_once if arguments.mode == "capture" else holistic_once)(arguments.video)))
        return
    oracle = mediapipe_python(arguments.mediapipe_python)
    ours, theirs = [], []
    for _ in range(arguments.repeats):
        ours.append(in_process(sys.executable, "capture", arguments.video))
        theirs.append(in_process(oracle, "holistic", arguments.video))
    report = {
        "video": arguments.video.name, "repeats": arguments.repeats, "frames": ours[0]["frames"], "people": ours[0]["people"],
        "capture_s": median(ours, "seconds"), "holistic_s": median(theirs, "seconds"),
        "ratio": median(ours, "seconds") / median(theirs, "seconds"), "peak_mb": median(ours, "peak_mb"),
    }
    if arguments.growth:
        with tempfile.TemporaryDirectory() as folder:
            longer = Path(folder) / "longer.mp4"
            repeat_video(arguments.video, longer, arguments.growth)
            # The same encoder on both sides: only the length differs.
            same = Path(folder) / "same.mp4"
            repeat_video(arguments.video, same, 1)
            short, long = in_process(sys.executable, "capture", same), in_process(sys.executable, "capture", longer)
        report |= {
            "growth": arguments.growth, "growth_time": long["seconds"] / short["seconds"],
            "growth_memory": long["peak_mb"] / short["peak_mb"], "long_peak_mb": long["peak_mb"],
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
