# SPDX-License-Identifier: GPL-3.0-or-later
"""One motion without its video: on a metre grid, from the front and a little to the side.

The film's camera follows the person without turning, so that every turn seen is the person's own.
The picture is an animator's contact sheet: ghosts along the path when the person travels, and
stills with their times.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from smplit.axes import matrix_from_axis_angle
from smplit.body.model import BodyModel
from smplit.export.joints import world_joints
from smplit.export.whole_file import whole_file
from smplit.motion import JOINT_NAMES, Motion
from smplit.progress import Reporter
from smplit.view.camera import Camera, look_at
from smplit.view.floor import backdrop, draw_grid, draw_marks, draw_path, draw_shadow
from smplit.view.mp4 import Mp4Writer
from smplit.view.performer import Performer, performers, spread
from smplit.view.raster import Placed, draw
from smplit.view.sheet import sheet, write_png, write_words

_FILM = (960, 540)  # px
_STILL, _STILLS, _COLUMNS = (232, 320), 16, 8  # px; number; in a row
_PANORAMA_HEIGHT = 640  # px
_SIDE = np.radians(35.0)  # how far the camera stands beside the way that the person faces
_HEIGHT_ANGLE = np.radians(14.0)  # and above it
_DISTANCE = 4.2  # m from a standing adult
_CALM, _CALM_HEIGHT = 0.5, 1.5  # s: the camera's own movement is smoothed by this; a squat must not move it
_TRAVELS = 1.2  # m: below this the ghosts would stand in each other
_GHOST_STEP = 0.75  # m between ghosts
_MOST_GHOSTS = 12
_FEET = [JOINT_NAMES.index(name) for name in ("left_ankle", "left_foot", "right_ankle", "right_foot")]  # as CONTACT_NAMES
_PLANTED = np.array([1.0, 0.92, 0.45])  # RGB of the dot below a planted foot


def render_motion(
    motion: Motion, png: str | Path | None = None, mp4: str | Path | None = None, reporter: Reporter | None = None, body: BodyModel | None = None
) -> None:
    """Writes a picture and a film of a motion; each file whole or not at all.

    Args:
        motion: the person.
        png, mp4: files to write; either may be left out.
        reporter: told of progress, may cancel.
        body: the body model; the best one found when absent.

    Raises:
        BadInput: a file cannot be written, or the motion's times make no sense.
    """
    reporter = reporter or Reporter()
    stage = _Stage(motion, body or BodyModel.load())
    with ExitStack() as files:
        picture = files.enter_context(whole_file(png)) if png is not None else None
        film = files.enter_context(whole_file(mp4)) if mp4 is not None else None
        if picture is not None:
            write_png(picture, _contact_sheet(stage, reporter))
        if film is not None:
            with Mp4Writer(film, *_FILM, motion.fps) as writer:
                for frame, time in enumerate(stage.person.times):
                    reporter.check()
                    writer.add(stage.picture(frame, *_FILM), float(time - stage.person.times[0]))
                    reporter.stage("film", frame + 1, len(motion))


class _Stage:
    """The person, their path, and where the camera stands."""

    def __init__(self, motion: Motion, body: BodyModel):
        self.person: Performer = performers([motion], body)[0]
        joints = world_joints(motion, body)
        self.root = joints[:, 0]  # (T,3) m
        self.feet = joints[:, _FEET]  # (T,4,3) m
        self.planted = None if motion.contacts is None else np.asarray(motion.contacts) > 0.5
        rate = (len(motion) - 1) / (self.person.times[-1] - self.person.times[0]) if len(motion) > 1 else 1.0
        self._aim = np.stack(
            [gaussian_filter1d(self.root[:, axis], calm * rate, mode="nearest") for axis, calm in enumerate((_CALM, _CALM, _CALM_HEIGHT))], -1
        )
        self.facing = _mean_facing(motion)

    def direction(self, side: float = _SIDE) -> np.ndarray:
        """(3,) unit: from the person to a camera `side` rad beside the way the person faces."""
        angle = self.facing + side
        return np.array([np.cos(angle) * np.cos(_HEIGHT_ANGLE), np.sin(angle) * np.cos(_HEIGHT_ANGLE), np.sin(_HEIGHT_ANGLE)])

    def picture(self, frame: int, width: int, height: int) -> np.ndarray:
        """(H,W,3) uint8 RGB of one frame, seen by the camera that follows."""
        aim = self._aim[frame]
        distance = _DISTANCE * max(1.0, 0.72 * height / width)  # a narrow picture must hold stretched arms
        camera = look_at(aim + distance * self.direction(), aim, width, height)
        image = self.scenery(camera, aim[:2], 6.0)
        self.draw(image, camera, frame, self.person.placed(frame))
        write_words(image, f"{self.person.times[frame]:.2f} s")
        return image

    def scenery(self, camera: Camera, centre: np.ndarray, reach: float) -> np.ndarray:
        """Backdrop, grid and path, before any body."""
        image = backdrop(camera.width, camera.height)
        draw_grid(image, camera, centre, reach)
        draw_path(image, camera, self.root[:, :2], 0.75 * self.person.colour)
        return image

    def draw(self, image: np.ndarray, camera: Camera, frame: int, placed: Placed) -> None:
        """The body of a frame with its shadow and its planted feet."""
        draw_shadow(image, camera, placed.vertices)
        draw(image, [placed], camera)
        if self.planted is not None:
            draw_marks(image, camera, self.feet[frame, self.planted[frame]] * (1.0, 1.0, 0.0), _PLANTED)


def _mean_facing(motion: Motion) -> float:
    """Angle around Z, rad from X, of the way the pelvis faces on average (first frame's for a person who turns around)."""
    forward = matrix_from_axis_angle(np.asarray(motion.poses)[:, :3])[:, :2, 2]  # body +Z in the world, seen from above
    mean = forward.mean(0)
    chosen = mean if np.linalg.norm(mean) > 0.3 else forward[0]
    return float(np.arctan2(chosen[1], chosen[0]))


def _contact_sheet(stage: _Stage, reporter: Reporter) -> np.ndarray:
    tiles = []
    moments = list(spread(stage.person.times, _STILLS))
    for done, time in enumerate(moments, 1):
        reporter.check()
        tiles.append(stage.picture(stage.person.frame_at(time), *_STILL))
        reporter.stage("picture", done, len(moments))
    stills = sheet(tiles, _COLUMNS)
    if np.ptp(stage.root[:, :2], axis=0).max() < _TRAVELS:
        return stills
    return np.concatenate([_panorama(stage, stills.shape[1], _PANORAMA_HEIGHT), stills])


def _panorama(stage: _Stage, width: int, height: int) -> np.ndarray:
    """Ghosts along the whole path, the later the more solid."""
    frames = _ghost_frames(stage.root[:, :2])
    bodies = [stage.person.placed(frame) for frame in frames]
    camera = _camera_on_all(stage, [body.vertices for body in bodies], width, height)
    centre = stage.root[:, :2].mean(0)
    image = stage.scenery(camera, centre, float(np.linalg.norm(np.ptp(stage.root[:, :2], axis=0))) / 2 + 5.0)
    for number in np.argsort([-camera.see(stage.root[frame])[2] for frame in frames]):
        late = (number + 1) / len(frames)
        pale = 0.55 * (1.0 - late)
        ghost = Placed(bodies[number].surface, bodies[number].vertices, bodies[number].colours * (1 - pale) + pale, 0.45 + 0.55 * late)
        stage.draw(image, camera, frames[number], ghost)
    return image


def _ghost_frames(ground: np.ndarray) -> list[int]:
    """Frames about equally far apart along the path (T,2) m, first and last among them."""
    along = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(ground, axis=0), axis=1))]
    count = int(np.clip(round(along[-1] / _GHOST_STEP) + 1, 2, _MOST_GHOSTS))
    return sorted({int(np.searchsorted(along, at).clip(0, len(along) - 1)) for at in np.linspace(0.0, along[-1], count)})


def _camera_on_all(stage: _Stage, shapes: list[np.ndarray], width: int, height: int) -> Camera:
    """Looks across the path, from the side that the person faces, as near as keeps everybody in the picture."""
    points = np.concatenate([shape[::50] for shape in shapes])
    middle = (points.min(0) + points.max(0)) / 2
    spread_out = np.linalg.svd(stage.root[:, :2] - stage.root[:, :2].mean(0), full_matrices=False)[2][0]
    path = float(np.arctan2(spread_out[1], spread_out[0]))
    across = [path - np.pi / 2 - stage.facing, path + np.pi / 2 - stage.facing]  # beside the facing, as `_SIDE` is
    side = min((_wrapped(angle) for angle in across), key=lambda angle: abs(_wrapped(angle - _SIDE)))  # the film's side
    side -= np.sign(side) * min(abs(side), np.radians(20.0))  # a little towards the face
    near, far = 2.0, 2000.0
    for _ in range(30):
        distance = np.sqrt(near * far)
        camera = look_at(middle + distance * stage.direction(side), middle, width, height)
        seen = camera.see(points)
        pixels = camera.project(seen)
        fits = np.all(seen[:, 2] > 0.5) and np.all((pixels > 0.05 * height) & (pixels < (width - 0.05 * height, 0.95 * height)))
        near, far = (near, distance) if fits else (distance, far)
    return look_at(middle + far * stage.direction(side), middle, width, height)


def _wrapped(angle: float) -> float:
    return (angle + np.pi) % (2 * np.pi) - np.pi
