# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts are where two scenes meet, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from smplit.video.decode import VideoReader
from smplit.video.shots import CutDetector

_VIDEOS = Path(__file__).parents[3] / "shared" / "videos"


def scene(seed: int, width: int = 900, height: int = 400) -> np.ndarray:
    """Rectangles of all sizes: something like a street, (H,W,3)."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), rng.integers(60, 200, 3), np.uint8)
    for _ in range(160):
        x, y = rng.integers(0, (width, height))
        w, h = rng.integers(8, 120, 2)
        cv2.rectangle(image, (int(x), int(y)), (int(x + w), int(y + h)), rng.integers(0, 255, 3).tolist(), -1)
    return image


def window(image: np.ndarray, x: float, y: float = 40.0, width: int = 480, height: int = 270) -> np.ndarray:
    return cv2.warpAffine(image, np.array([[1, 0, -x], [0, 1, -y]], float), (width, height))


def cuts(frames) -> list[int]:
    detector = CutDetector()
    return [index for index, image in enumerate(frames) if detector.is_cut(image)]


def test_the_cut_between_two_scenes_is_found_at_its_frame():
    first, second = scene(1), scene(2)
    frames = [window(first, 2 * i) for i in range(20)] + [window(second, 2 * i) for i in range(20)]
    assert cuts(frames) == [20]


def test_a_cut_to_another_place_of_the_same_scene_is_found():
    wide = scene(3, width=2000)
    assert cuts([window(wide, i) for i in range(10)] + [window(wide, 1200 + i) for i in range(10)]) == [10]


def test_cuts_close_together_are_all_found():
    frames = [window(scene(seed), i) for seed in (1, 2, 3) for i in range(3)]
    assert cuts(frames) == [3, 6]


@pytest.mark.parametrize("speed", [5, 25, 45])
def test_a_pan_is_no_cut(speed):
    wide = scene(4, width=480 + 45 * 12)
    assert cuts([window(wide, speed * i) for i in range(12)]) == []


def test_a_flash_is_no_cut():
    frames = [window(scene(5), i) for i in range(12)]
    frames[6] = cv2.convertScaleAbs(frames[6], alpha=0.6, beta=95)
    assert cuts(frames) == []


def test_slow_light_and_zoom_are_no_cuts():
    image = window(scene(6), 0)
    frames = []
    for i in range(30):
        turn = cv2.getRotationMatrix2D((240, 135), 0.5 * i, 1.0 + 0.01 * i)
        frames.append(cv2.convertScaleAbs(cv2.warpAffine(image, turn, (480, 270), borderMode=cv2.BORDER_REFLECT), alpha=1.0 - 0.02 * i))
    assert cuts(frames) == []


def test_somebody_near_the_camera_who_leaps_is_no_cut():
    background, person = window(scene(7), 0), scene(8)[:270, :120]
    frames = []
    for x in (0, 130, 330, 40, 200):
        frame = background.copy()
        frame[:, x : x + 120] = person
        frames.append(frame)
    assert cuts(frames) == []


@pytest.mark.parametrize("size", [(270, 480), (720, 1280), (1280, 720), (31, 20)])
def test_any_picture_size_works(size):
    height, width = size
    first, second = (cv2.resize(scene(seed), (width, height)) for seed in (1, 2))
    assert cuts([first, first, second, second]) == [2]


@pytest.mark.slow
def test_real_clips_have_no_cut_inside_and_one_between_each_other():
    clips = sorted(_VIDEOS.glob("*.mp4"))
    if not clips:
        pytest.skip("needs the clips of ../shared/videos")
    detector, wanted, found, index = CutDetector(), [], [], 0
    for clip in clips:
        wanted.append(index)
        with VideoReader(clip, stop=4.0) as video:
            for frame in video:
                image = cv2.resize(frame.image, (640, 360))
                if detector.is_cut(image):
                    found.append(index)
                index += 1
    assert found == wanted[1:]
