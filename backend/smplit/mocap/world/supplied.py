# SPDX-License-Identifier: GPL-3.0-or-later
"""What is doubtful about a camera that the user supplied, told by the people whom it saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from smplit.body.model import BodyModel
from smplit.mocap.observations import CameraMotion
from smplit.mocap.world.placement import PersonTrack, shot_up

_LEANING = 35.0  # deg: more than the estimate errs by, less than another axis for up means
_NO_UNIT = (
    "The unit of the camera's path could not be found from feet on the ground: "
    "only its turning is used, and people's paths come from their steps."
)


def doubts(body: BodyModel, people: Sequence[PersonTrack], camera: CameraMotion) -> list[str]:
    """Sentences for the user, after the camera got its place: none when nothing is wrong, or the camera was found out by us.

    Args:
        people: fitted in the camera.
        camera: of the whole shot.
    """
    told = []
    if camera.to_world is not None and any(person.legs_seen for person in people):
        seen = shot_up(body, list(people), replace(camera, to_world=None))
        lean = float(np.degrees(np.arccos(np.clip(seen @ camera.to_world[2], -1.0, 1.0))))
        if lean > _LEANING:
            told.append(f"In the world of the camera file people lean by {lean:.0f} degrees: its z axis should point up, as Blender's does.")
    if camera.kind == "travelling" and camera.centre is None:
        told.append(_NO_UNIT)
    return told
