# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera of a result: its frames are gathered from everybody's chunks; at the end it is built and keyed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import bpy
import numpy as np

from . import camera as filming
from . import footage, marks
from .actions import Channel
from .animation import Track, transform_channels
from .timing import Clock

_STILL_TURN, _STILL_MOVE = 2e-4, 1e-3  # rad, m: a tripod
_SAME_TIME = 1e-4  # s
_ROLE = "camera"


class Shot:
    """The camera object `name` of a result, and the video behind it."""

    def __init__(self, name: str, result: str, clock: Clock, video: Path | None) -> None:
        self._name, self._result = name, result
        self._clock = clock
        self._video = video
        self._lenses: dict[int, np.ndarray] = {}  # K of each person
        self._size: tuple[float, float] | None = None  # px of the upright video, where the motion says it
        self._pieces: list[tuple[int, Mapping[str, np.ndarray]]] = []
        self._steps: Iterator[None] | None = None
        self._built = False

    def add(self, person: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Keeps the camera of a chunk; `arrays` hold `frame_times` too."""
        if "camera_K" in arrays and np.shape(arrays["camera_K"]) == (3, 3):
            self._lenses[person] = np.asarray(arrays["camera_K"], np.float64)
        if "smplit_video_size" in arrays and np.shape(arrays["smplit_video_size"]) == (2,):
            self._size = tuple(map(float, arrays["smplit_video_size"]))
        if "camera_R" in arrays and "camera_t" in arrays:
            self._pieces.append((person, {name: arrays[name] for name in ("frame_times", "camera_R", "camera_t")}))
            self._built = False

    @property
    def camera(self) -> bpy.types.Object | None:
        return marks.find(bpy.data.objects, self._name, self._result, _ROLE)

    def advance(self, scene: bpy.types.Scene, collection: Callable[[bpy.types.Scene], bpy.types.Collection]) -> bool:
        """One more step of building; True when the camera stands, or when there is none to build.

        `collection` makes the collection that the camera goes into.
        """
        if self._built or not self._lenses or not self._pieces:
            return True
        if self._steps is None:
            self.remove()  # more frames came after it was built
            self._steps = self._build(scene, collection(scene))
        if next(self._steps, "built") == "built":
            self._built, self._steps = True, None
        return self._built

    def _build(self, scene: bpy.types.Scene, collection: bpy.types.Collection) -> Iterator[None]:
        times, R, t, lenses = self._gather()
        image = footage.load(self._video) if self._video is not None else None
        K = lenses[0]
        size = self._size or (footage.upright_size(image, K) if image is not None else None) or tuple(2.0 * K[:2, 2])
        yield
        camera = filming.build_camera(self._name, K, size, scene, collection)
        marks.mark(camera, self._result, _ROLE)
        self._key_moves(camera, times, R, t)
        self._key_lens(camera.data, times, lenses)
        yield
        rate = footage.rate_of(image, times) if image is not None else None
        if rate is not None:
            last = max(float(times[-1]) + 1.0 / rate, float(self._clock.times(scene.frame_end)))
            footage.put_behind(camera, footage.Footage(image, rate), last, self._clock, self._data_track)

    def _gather(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Times (N,) s rising, R (N,3,3), t (N,3), K (N,3,3). One camera filmed everybody: a time counts once,
        and the chunk that came last decides."""
        known = [(person, piece) for person, piece in reversed(self._pieces) if person in self._lenses]
        times = np.concatenate([piece["frame_times"] for _, piece in known])
        rows = np.argsort(times, kind="stable")
        rows = rows[np.diff(times[rows], prepend=-np.inf) > _SAME_TIME]
        lenses = np.concatenate([np.broadcast_to(self._lenses[person], (len(piece["frame_times"]), 3, 3)) for person, piece in known])
        R, t = (np.concatenate([piece[name] for _, piece in known]) for name in ("camera_R", "camera_t"))
        return times[rows], R[rows], t[rows], lenses[rows]

    def _key_moves(self, camera: bpy.types.Object, times: np.ndarray, R: np.ndarray, t: np.ndarray) -> None:
        """One transform for a camera that stood still, keys for one that moved."""
        quaternions, locations = filming.camera_transforms(R, t)
        camera.rotation_quaternion, camera.location = quaternions[0], locations[0]
        turn = 2.0 * np.arccos(np.clip(np.abs(quaternions @ quaternions[0]), 0.0, 1.0))
        if turn.max() <= _STILL_TURN and np.abs(locations - locations[0]).max() <= _STILL_MOVE:
            return
        track = Track(transform_channels(), self._name, self._result, "camera moves", quaternions=1)
        track.put(0, self._clock.frames(times), np.concatenate([quaternions, locations], axis=1))
        track.write(camera)
        track.tidy(camera)

    def _key_lens(self, data: bpy.types.Camera, times: np.ndarray, lenses: np.ndarray) -> None:
        """Parts of one video may be filmed with different lenses."""
        focal = lenses[:, 0, 0] if data.sensor_fit == "HORIZONTAL" else lenses[:, 1, 1]
        if np.ptp(focal) > 1e-4 * focal[0]:
            track = self._data_track(Channel("lens", 0, "Lens"))
            track.put(0, self._clock.frames(times), (focal * data.lens / focal[0])[:, None])
            track.write(data)
            track.tidy(data)

    def _data_track(self, channel: Channel) -> Track:
        return Track([channel], marks.name_with(self._name, " lens"), self._result, "camera lens")

    def after_undo(self) -> None:
        """Blender's data is that of another moment: the camera is built again where it is missing."""
        if self.camera is None or not self._built:
            self._built, self._steps = False, None

    def remove(self) -> None:
        """Takes the camera and its actions out of the file; the footage too where nobody else uses it."""
        if (camera := self.camera) is not None:
            marks.remove([camera])
        roles = ("camera moves", "camera lens")
        bpy.data.batch_remove([action for action in bpy.data.actions if any(marks.is_marked(action, self._result, role) for role in roles)])
