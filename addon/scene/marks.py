# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks by which a result finds its own data-blocks again, whatever they are called by now.

A Python reference to a data-block dies with an undo; a custom property survives it. Names are only a
short cut: a user's data-block of the same name carries no mark and is never touched.
"""

from __future__ import annotations

from collections.abc import Iterable

import bpy

PROP_RESULT = "smplit_result"  # str: which result made the data-block
PROP_ROLE = "smplit_role"  # str: what it is there, such as "armature 1"

# Blender keeps 63 bytes of a name (255 from 5.0 on), and numbers doubles with four more (".001").
_NAME_BYTES = 63 - 4


def mark(block: bpy.types.ID, result: str, role: str) -> None:
    """Signs a new data-block."""
    block[PROP_RESULT], block[PROP_ROLE] = result, role


def is_marked(block: bpy.types.ID | None, result: str, role: str) -> bool:
    return block is not None and block.get(PROP_RESULT) == result and block.get(PROP_ROLE) == role


def find(blocks: bpy.types.bpy_prop_collection, name: str, result: str, role: str) -> bpy.types.ID | None:
    """The signed data-block of `blocks` (such as `bpy.data.objects`); `name` is where to look first."""
    likely = blocks.get(name)
    if is_marked(likely, result, role):
        return likely
    return next((block for block in blocks if is_marked(block, result, role)), None)


def marked(blocks: Iterable[bpy.types.ID], result: str) -> list[bpy.types.ID]:
    """All data-blocks of a result."""
    return [block for block in blocks if block.get(PROP_RESULT) == result]


def remove(objects: Iterable[bpy.types.Object]) -> None:
    """Removes objects with their meshes, armatures, cameras and footage, as far as nobody else uses those."""
    for thing in objects:
        data = thing.data
        images = {background.image for background in data.background_images} if thing.type == "CAMERA" else set()
        bpy.data.objects.remove(thing)
        if data.users == 0:
            bpy.data.batch_remove([data])
        bpy.data.batch_remove([image for image in images if image is not None and image.users == 0])


def name_with(stem: str, ending: str) -> str:
    """`stem` + `ending`, with the stem cut between characters where the whole would be too long for Blender."""
    room = _NAME_BYTES - len(ending.encode())
    return stem.encode()[:room].decode(errors="ignore") + ending


def numbered(name: str) -> tuple[str, str]:
    """'Walk.002' -> 'Walk', '.002': how Blender tells doubles apart; 'Walk' -> 'Walk', ''."""
    stem, dot, number = name.rpartition(".")
    return (stem, dot + number) if stem and len(number) == 3 and number.isdecimal() else (name, "")
