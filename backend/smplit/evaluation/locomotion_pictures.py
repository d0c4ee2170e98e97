# SPDX-License-Identifier: GPL-3.0-or-later
"""Contact sheets of styled walks: a row per style, the way from above, then one stride from the side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from smplit.body.model import BodyModel
from smplit.evaluation.body_track import BodyTrack
from smplit.export.whole_file import whole_file
from smplit.loco.plan import Plan
from smplit.motion import Motion
from smplit.view.camera import look_at
from smplit.view.floor import backdrop, draw_grid, draw_shadow
from smplit.view.performer import performers
from smplit.view.raster import draw
from smplit.view.sheet import sheet, write_png, write_words

_ROW, _BODY_WIDTH = 230, 132  # px
_COLUMNS = 2  # of styles
_BODIES, _BETWEEN = 9, 5  # bodies in a row, frames between them
_DISTANCE, _AIM = 4.0, 0.85  # m from the body, height looked at
_SIDEWAYS = np.radians(75.0)  # from straight ahead
_ASKED, _WALKED, _LEFT, _RIGHT = (235, 235, 235), (84, 158, 237), (245, 132, 90), (107, 199, 120)  # RGB


def style_sheet(walks: Mapping[str, tuple[Motion, Plan | None]], body: BodyModel, path: Path) -> None:
    """Writes a PNG: for every style its motion, and the plan that it was to follow, if there was one."""
    rows = [_row(style, motion, asked, body) for style, (motion, asked) in walks.items()]
    with whole_file(path) as temporary:
        write_png(temporary, sheet(rows, _COLUMNS))


def _row(style: str, motion: Motion, asked: Plan | None, body: BodyModel) -> np.ndarray:
    track = BodyTrack.of(motion, body)
    tiles = [_from_above(track, asked)]
    write_words(tiles[0], style)
    person = performers([motion], body)[0]
    middle = max(0, (len(motion) - _BODIES * _BETWEEN) // 2)
    for frame in range(middle, min(len(motion), middle + _BODIES * _BETWEEN), _BETWEEN):
        tiles.append(_from_the_side(track, person, frame))
    row = np.zeros((_ROW, _ROW + _BODIES * _BODY_WIDTH, 3), np.uint8)
    drawn = np.concatenate(tiles, 1)
    row[:, : drawn.shape[1]] = drawn
    return row


def _from_the_side(track: BodyTrack, person, frame: int) -> np.ndarray:
    aim = np.array([*track.joints[frame, 0, :2], 0.0])
    aim[2] = track.soles[frame, :, 2].min() + _AIM
    angle = track.heading[frame] - _SIDEWAYS
    camera = look_at(aim + _DISTANCE * np.array([np.cos(angle), np.sin(angle), 0.12]), aim, _BODY_WIDTH, _ROW)
    image = backdrop(_BODY_WIDTH, _ROW)
    draw_grid(image, camera, aim[:2], 4.0)
    placed = person.placed(frame)
    draw_shadow(image, camera, placed.vertices)
    draw(image, [placed], camera)
    return image


def _from_above(track: BodyTrack, asked: Plan | None) -> np.ndarray:
    """The asked line, the pelvis' way, and where soles stood; x to the right, y up."""
    image = np.full((_ROW, _ROW, 3), 40, np.uint8)
    lines = [track.joints[:, 0, :2]] + ([] if asked is None else [asked.drawn[:, :2]])
    low, high = np.min([line.min(0) for line in lines], 0), np.max([line.max(0) for line in lines], 0)
    scale = 0.8 * _ROW / max(float((high - low).max()), 0.5)
    pixel = lambda points: np.round(((points - (low + high) / 2) * (scale, -scale) + _ROW / 2) * 16).astype(np.int32)
    if asked is not None:
        cv2.polylines(image, [pixel(asked.drawn[:, :2])], asked.closed, _ASKED, 2, cv2.LINE_AA, 4)
    for number, colour in enumerate((_LEFT, _LEFT, _RIGHT, _RIGHT)):
        for point in pixel(track.soles[track.contacts[:, number] > 0.5, number, :2]):
            cv2.circle(image, tuple(int(v) for v in point), 16, colour, -1, cv2.LINE_AA, 4)
    cv2.polylines(image, [pixel(track.joints[:, 0, :2])], False, _WALKED, 1, cv2.LINE_AA, 4)
    return image
