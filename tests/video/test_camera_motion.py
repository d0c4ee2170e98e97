# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera against rendered truth: textured planes seen through a pinhole, with noise and people in the way."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.video.camera_motion import CameraTracker
from smplit.video.camera_scale import Feet, metric_ground

WIDTH, HEIGHT, FOCAL = 640, 360, 620.0
K = np.array([[FOCAL, 0.0, WIDTH / 2], [0.0, FOCAL, HEIGHT / 2], [0.0, 0.0, 1.0]])
NOBODY = np.zeros((0, 4))
TEXELS = 20  # per metre
COLUMNS, ROWS = np.arange(WIDTH, dtype=np.float32)[None], np.arange(HEIGHT, dtype=np.float32)[:, None]


class Place:
    """A street: ground, house fronts on both sides, an end wall and posts; camera axes x right, y down, z ahead."""

    def __init__(self, seed: int = 0):
        rng = np.random.default_rng(seed)
        ahead, right, down = np.eye(3)[2], np.eye(3)[0], np.eye(3)[1]
        # Corner (m), two sides (unit), their lengths (m); drawn in this order, far to near.
        self.planes = [
            self._plane(rng, [-30, -12, 32], right, down, 60, 14),
            self._plane(rng, [-9, -12, -10], ahead, down, 42, 13.6),
            self._plane(rng, [9, -12, -10], ahead, down, 42, 13.6),
            self._plane(rng, [-9, 1.6, -10], right, ahead, 18, 42, slabs=400),
        ]
        for x, z in ((-5, 16), (4, 14), (-3, 11), (5, 10), (-4.5, 8), (2.6, 7.5)):
            self.planes.append(self._plane(rng, [x, -1.5, z], right, down, 0.7, 3.1))

    @staticmethod
    def _plane(rng, corner, along, across, length, width, slabs=0):
        """`slabs`: light and dark rectangles on it, 0.3 m by 1 m: what gives grazing ground its corners."""
        size = int(width * TEXELS), int(length * TEXELS)
        fine = cv2.GaussianBlur(rng.normal(size=size), (0, 0), 1.2)
        coarse = cv2.resize(rng.normal(size=(size[0] // 8 + 2, size[1] // 8 + 2)), size[::-1], interpolation=cv2.INTER_CUBIC)
        texture = 125 + 22 * fine / fine.std() + 30 * coarse
        for x, y, shade in zip(rng.integers(0, size[1], slabs), rng.integers(0, size[0], slabs), rng.choice([-90, 90], slabs), strict=True):
            texture[y : y + TEXELS, x : x + TEXELS // 3] += shade
        axes = np.stack([np.asarray(along) / TEXELS, np.asarray(across) / TEXELS, np.asarray(corner, float)], 1)
        return np.clip(texture, 1, 255).astype(np.uint8), axes

    def picture(self, rotation: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """Grey (H,W) float32, 0..255; `rotation` world to camera, `centre` (3,) m."""
        image = np.full((HEIGHT, WIDTH), 200, np.uint8)
        # Pixel centres are halves in K's frame and whole numbers in OpenCV's.
        to_pixels = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]]) @ K
        for texture, axes in self.planes:
            homography = to_pixels @ rotation @ (axes - np.array([[0, 0, 1]]) * centre[:, None])
            corners = np.array([[0, 0, 1], [texture.shape[1], 0, 1], [0, texture.shape[0], 1], [*texture.shape[::-1], 1]]) @ homography.T
            low, high = np.array([0, 0]), np.array([WIDTH, HEIGHT])
            ahead = (corners[:, 2] > 0.1).all()
            if ahead:
                seen = corners[:, :2] / corners[:, 2:]
                low, high = np.clip(np.stack([seen.min(0) - 1, seen.max(0) + 2]).astype(int), 0, (WIDTH, HEIGHT))
            if (high <= low).any() or (corners[:, 2] <= 0.1).all():
                continue
            shift = np.array([[1.0, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]])
            drawn = cv2.warpPerspective(texture, shift @ homography, tuple(int(n) for n in high - low), flags=cv2.INTER_LINEAR)
            shown = drawn > 0
            if not ahead:
                depth = np.linalg.inv(homography)[2].astype(np.float32)
                shown &= depth[0] * COLUMNS + (depth[1] * ROWS + depth[2]) > 1e-9
            np.copyto(image[low[1] : high[1], low[0] : high[0]], drawn, where=shown)
        return image.astype(np.float32)


class Passer:
    """A textured rectangle that moves over the picture; its texture moves with it."""

    def __init__(self, size: tuple[int, int], start: tuple[float, float], speed: tuple[float, float], seed: int):
        noise = np.random.default_rng(seed).normal(size=size[::-1])
        self.texture = np.clip(110 + 120 * cv2.GaussianBlur(noise, (0, 0), 2.0) * 2, 0, 255).astype(np.float32)
        self.start, self.speed = np.array(start, float), np.array(speed, float)

    def draw(self, image: np.ndarray, frame: int) -> np.ndarray:
        """Draws into `image` and returns its box (4,)."""
        low = np.rint(self.start + frame * self.speed).astype(int)
        high = low + self.texture.shape[::-1]
        a, b = np.clip(low, 0, (WIDTH, HEIGHT)), np.clip(high, 0, (WIDTH, HEIGHT))
        image[a[1] : b[1], a[0] : b[0]] = self.texture[a[1] - low[1] : b[1] - low[1], a[0] - low[0] : b[0] - low[0]]
        return np.concatenate([low, high])


def track(rotations, centres, passers=(), told=True, noise=3.0, mode="auto", intrinsics=K):
    """Renders the shot and tracks it; people are drawn, and told to the tracker when `told`."""
    rng, place = np.random.default_rng(1), Place()
    tracker = CameraTracker(WIDTH, HEIGHT, mode)
    still = None
    for frame, (rotation, centre) in enumerate(zip(rotations, centres, strict=True)):
        if still is None or not np.array_equal(rotation, rotations[0]) or not np.array_equal(centre, centres[0]):
            still = place.picture(rotation, centre)
        image = still.copy()
        boxes = [passer.draw(image, frame) for passer in passers]
        image = np.clip(image + rng.normal(size=image.shape) * noise, 0, 255).astype(np.uint8)
        tracker.add(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), np.array(boxes).reshape(-1, 4) if told else NOBODY)
    return tracker.finish(intrinsics)


def turning(axis: str, degrees: np.ndarray) -> np.ndarray:
    """World-to-camera rotations (N,3,3) of a camera that turns by `degrees` (N,) about its own axis."""
    return Rotation.from_euler(axis, degrees[:, None], degrees=True).as_matrix().transpose(0, 2, 1)


def error_degrees(found: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """(N,) angle between the found and the true turn since the first frame."""
    true = rotations @ rotations[0].T
    return np.degrees(Rotation.from_matrix(found @ true.transpose(0, 2, 1)).magnitude())


def standing(count: int) -> np.ndarray:
    return np.zeros((count, 3))


LOOKS_AHEAD = np.eye(3)
PEOPLE = lambda: [Passer((90, 230), (40, 100), (6, 0), 3), Passer((70, 190), (560, 130), (-5, 0), 4)]


def test_a_standing_camera_with_noise_and_people_walking_by_is_static():
    found = track(np.tile(LOOKS_AHEAD, (40, 1, 1)), standing(40), PEOPLE())
    assert found.kind == "static"
    assert np.array_equal(found.rotation, np.tile(np.eye(3), (40, 1, 1)))
    assert np.median(found.residual) < 0.5


def test_a_large_person_who_fills_most_of_the_picture_does_not_move_a_standing_camera():
    big = Passer((420, 330), (-200, 30), (9, 0), 5)
    assert track(np.tile(LOOKS_AHEAD, (50, 1, 1)), standing(50), [big]).kind == "static"


def test_a_large_mover_that_no_detector_reported_does_not_move_a_standing_camera():
    bus = Passer((230, 240), (-120, 60), (8, 0), 6)
    assert track(np.tile(LOOKS_AHEAD, (50, 1, 1)), standing(50), [bus], told=False).kind == "static"


@pytest.mark.parametrize("axis, degrees", [("y", 40.0), ("x", -25.0), ("z", 30.0)], ids=["pan", "tilt", "roll"])
def test_a_turn_is_told_to_half_a_degree_at_its_end(axis, degrees):
    rotations = turning(axis, np.linspace(0, degrees, 50))
    found = track(rotations, standing(50), PEOPLE())
    assert found.kind == "rotating"
    assert error_degrees(found.rotation, rotations).max() < 0.5
    assert found.path is None


def test_a_pan_there_and_back_ends_where_it_began():
    rotations = turning("y", 25 * np.sin(np.linspace(0, np.pi, 60)))
    found = track(rotations, standing(60), PEOPLE())
    assert found.kind == "rotating"
    assert error_degrees(found.rotation, rotations)[-1] < 0.15


def test_a_shaken_hand_held_camera_is_followed_frame_by_frame():
    rng = np.random.default_rng(2)
    shake = cv2.GaussianBlur(rng.normal(size=(60, 3)), (1, 7), 1.5) * np.array([2.0, 2.0, 1.0])
    rotations = Rotation.from_euler("xyz", shake, degrees=True).as_matrix()
    found = track(rotations, standing(60), PEOPLE())
    assert found.kind == "rotating"
    assert error_degrees(found.rotation, rotations).max() < 0.2


def test_a_trembling_tripod_is_static():
    shake = np.random.default_rng(2).normal(size=(50, 3)) * 0.04
    assert track(Rotation.from_euler("xyz", shake, degrees=True).as_matrix(), standing(50), PEOPLE()).kind == "static"


def scaled(path: np.ndarray, true: np.ndarray) -> np.ndarray:
    """The path with the one factor that fits it to the truth."""
    return path * (path * true).sum() / (path**2).sum()


@pytest.mark.parametrize("step", [(0.0, 0.0, 0.07), (0.05, 0.0, 0.0), (0.03, 0.0, -0.04)], ids=["forward", "sideways", "back and aside"])
def test_a_travelling_camera_tells_its_path_up_to_one_factor(step):
    centres = np.arange(60)[:, None] * np.array(step)
    rotations = turning("y", 3 * np.sin(np.linspace(0, 6, 60)))
    found = track(rotations, centres, [Passer((90, 230), (270, 80), (0, 0), 3)])
    assert found.kind == "travelling"
    assert error_degrees(found.rotation, rotations).max() < 0.5
    assert np.linalg.norm(scaled(found.path, centres) - centres, axis=1).max() < 0.1 * np.linalg.norm(centres[-1])


def test_a_blank_wall_is_static_and_says_that_nothing_was_seen():
    tracker = CameraTracker(WIDTH, HEIGHT)
    rng = np.random.default_rng(0)
    for _ in range(15):
        tracker.add(np.clip(180 + rng.normal(size=(HEIGHT, WIDTH, 3)) * 2, 0, 255).astype(np.uint8), NOBODY)
    found = tracker.finish(K)
    assert found.kind == "static"
    assert (found.residual == WIDTH).all()
    assert "too little texture" in found.note
    assert np.isfinite(found.rotation).all()


def test_a_person_in_front_of_everything_hides_the_camera_without_breaking_it():
    everywhere = Passer((WIDTH, HEIGHT), (0, 0), (0, 0), 7)
    found = track(np.tile(LOOKS_AHEAD, (12, 1, 1)), standing(12), [everywhere])
    assert found.kind == "static"
    assert found.note


def test_a_pan_tells_the_focal_length_that_nobody_gave():
    rotations = turning("y", np.linspace(0, 40, 50))
    guess = K.copy()
    guess[[0, 1], [0, 1]] = 0.75 * FOCAL
    found = track(rotations, standing(50), intrinsics=guess)
    assert found.focal == pytest.approx(FOCAL, rel=0.01)


def test_static_mode_looks_at_nothing_and_moving_mode_never_answers_static():
    rotations = np.tile(LOOKS_AHEAD, (12, 1, 1))
    assert track(turning("y", np.linspace(0, 20, 12)), standing(12), mode="static").kind == "static"
    assert track(rotations, standing(12), mode="moving").kind != "static"


def test_an_unknown_mode_and_an_empty_shot_are_refused():
    with pytest.raises(ValueError, match="wobbly"):
        CameraTracker(WIDTH, HEIGHT, "wobbly")
    with pytest.raises(ValueError, match="at least one frame"):
        CameraTracker(WIDTH, HEIGHT).finish(K)


def test_the_ground_under_somebodys_feet_makes_the_path_metric():
    centres = np.arange(50)[:, None] * np.array([0.0, 0.0, 0.08])
    found = track(np.tile(LOOKS_AHEAD, (50, 1, 1)), centres)
    # Somebody walks 8 m ahead on the ground, 1.6 m below the camera, and is not drawn.
    foot = np.tile([0.3, 1.6, 8.0], (50, 1))
    feet = Feet(np.arange(50), foot[:, :2] / foot[:, 2:] * FOCAL + K[:2, 2], foot[:, 2], np.ones(50))
    ground = metric_ground(found.rotation, found.path, found.points, found.points_frame, K, feet)
    assert np.linalg.norm(ground.metres * found.path - centres, axis=1).max() < 0.05 * np.linalg.norm(centres[-1])
    assert np.degrees(np.arccos(-ground.up[1])) < 2.0
    assert ground.height == pytest.approx(1.6, rel=0.05)
