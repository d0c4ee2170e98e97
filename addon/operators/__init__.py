# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user can do: one file per thing acted upon. Panels, scripts and shortcuts call the same operators."""

from __future__ import annotations

import bpy

from . import backend, capture, files, jobs, locomotion, models, trajectory

_CLASSES = (*backend.CLASSES, *capture.CLASSES, *locomotion.CLASSES, *trajectory.CLASSES, *jobs.CLASSES, *files.CLASSES, *models.CLASSES)


def _draw_import(menu, _context) -> None:
    menu.layout.operator("smplit.import_motion", text="SMPL-X Motion (.npz)")


def _draw_export(menu, _context) -> None:
    menu.layout.operator("smplit.export_motion", text="SMPL-X Motion (.npz, .bvh, .glb)")


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.TOPBAR_MT_file_import.append(_draw_import)
    bpy.types.TOPBAR_MT_file_export.append(_draw_export)


def unregister() -> None:
    bpy.types.TOPBAR_MT_file_import.remove(_draw_import)
    bpy.types.TOPBAR_MT_file_export.remove(_draw_export)
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
