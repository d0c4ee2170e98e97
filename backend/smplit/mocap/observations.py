# SPDX-License-Identifier: GPL-3.0-or-later
"""What the video stages hand to the fitting stages. Pixels are of the upright (rotated) frame."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from smplit.video.lens import Lens


@dataclass
class PersonLandmarks:
    """One person through one shot, dense over consecutive frames `first ... first + N - 1`.

    Pixel coordinates: x right, y down, origin at the top-left corner of the top-left pixel.
    """

    person: int
    first: int  # video frame index of row 0
    seen: np.ndarray  # (N,) bool: a detector saw the person in this frame
    boxes: np.ndarray  # (N,4) px x0, y0, x1, y1
    body: np.ndarray  # (N,33,2) px, BlazePose order
    body_confidence: np.ndarray  # (N,33) 0..1, 0 where unseen
    body_world: np.ndarray  # (N,33,3) m, hip-centred, camera axes (x right, y down, z forward)
    hands: np.ndarray  # (N,2,21,2) px; hand 0 is the person's LEFT, 1 the RIGHT
    hand_confidence: np.ndarray  # (N,2) 0..1
    hands_world: np.ndarray  # (N,2,21,3) m, hand-centred, camera axes
    face: np.ndarray  # (N,468,3) px; z in px too, smaller is nearer
    face_confidence: np.ndarray  # (N,) 0..1
    # (N,51) 0..1 ARKit actions in the order of `face_actions.ACTIONS`, NaN where no face was large enough; None: nobody looked.
    face_actions: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.seen)

    def part(self, rows: slice) -> PersonLandmarks:
        """Some consecutive frames of it."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in ("person", "first")}
        cut = {name: values[rows] for name, values in arrays.items() if values is not None}
        return replace(self, first=self.first + rows.indices(len(self))[0], **cut)

    def straightened(self, lens: Lens) -> PersonLandmarks:
        """As a pinhole with the lens's matrix would have seen it; what such a picture cannot show loses its confidence."""
        body, shown = lens.straighten(self.body)
        face = np.concatenate([lens.straighten(self.face[..., :2])[0], self.face[..., 2:]], -1)
        boxes = lens.straighten(self.boxes.reshape(-1, 2, 2))[0].reshape(-1, 4)
        return replace(
            self, body=body.astype(np.float32), body_confidence=self.body_confidence * shown, face=face.astype(np.float32),
            hands=lens.straighten(self.hands)[0].astype(np.float32), boxes=boxes.astype(np.float32),
        )

    def as_filmed(self, lens: Lens) -> PersonLandmarks:
        """The way back from `straightened`: where the lens put every point on the picture. Confidence stays."""
        bent = lambda points: lens.bend(np.asarray(points, np.float64).reshape(-1, 2)).reshape(points.shape).astype(np.float32)
        face = np.concatenate([bent(self.face[..., :2]), self.face[..., 2:]], -1)
        boxes = bent(self.boxes.reshape(-1, 2, 2)).reshape(-1, 4)
        return replace(self, body=bent(self.body), face=face, hands=bent(self.hands), boxes=boxes)


@dataclass
class CameraMotion:
    """The camera through one shot, relative to the shot's first frame.

    `rotation` (N,3,3) takes vectors of the first frame's camera to frame n's camera (OpenCV axes).
    `kind` is "static", "rotating" (turns about its centre) or "travelling" (its centre moves too).
    """

    rotation: np.ndarray
    kind: str
    K: np.ndarray  # (3,3) px
    focal_source: str  # "given", "metadata", "turning" (from a pan's background) or "guess"
    residual: np.ndarray  # (N,) px: median background reprojection error; the picture's width where nothing was seen
    # (N,3) a travelling camera's centre in the first frame's camera axes, up to one factor for the whole shot
    # (the unit is about the background's distance); None for the other kinds.
    path: np.ndarray | None = None
    # (M,3) background points in the same axes and unit, (M,) frame of the shot each was found in; None likewise.
    points: np.ndarray | None = None
    points_frame: np.ndarray | None = None
    # (M,5) straight edges of the background, of `video.verticals`: row of the shot, x0, y0, x1, y1 px; None: not looked for.
    lines: np.ndarray | None = None
    # (N,3) m the camera's centre in the first frame's camera axes, once it is known in metres; zeros unless travelling.
    centre: np.ndarray | None = None
    # (3,3) first frame's camera axes -> a world whose z is up, where the user supplied the camera in one; None: to be found out.
    to_world: np.ndarray | None = None
    size: tuple[int, int] | None = None  # px, width and height of the picture; None: twice the principal point

    def part(self, rows: slice) -> CameraMotion:
        """The camera of some consecutive frames; background points are left out."""
        cut = lambda values: None if values is None else values[rows]
        return CameraMotion(
            self.rotation[rows], self.kind, self.K, self.focal_source, self.residual[rows], cut(self.path), centre=cut(self.centre),
            to_world=self.to_world, size=self.size,
        )
