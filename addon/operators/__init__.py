# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user can do: one file per thing acted upon. Panels, scripts and shortcuts call the same operators."""

from __future__ import annotations

import bpy

from . import backend, capture, files, jobs

_CLASSES = (*backend.CLASSES, *capture.CLASSES, *jobs.CLASSES, *files.CLASSES)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
