# SPDX-License-Identifier: GPL-3.0-or-later
"""Make it Travel: a character's motion, or a motion file, gets the path that its feet tell of.

A character of SMPLit goes to the backend as it is. Any other humanoid goes as a BVH file: the backend's joint
maps know most skeletons by their joints' names, and what comes back is a character of SMPLit in the rig's place.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import bpy

from .. import preferences
from ..bridge import pump
from ..scene import armature as rig
from ..scene.bvh_file import write_in_place
from ..scene.readback import frames_of, read_in_place
from ..shared import errors, protocol

_KEPT_DAYS = 7.0  # a job can be retried for as long as this Blender is open; weeks-old inputs belong to none
_NO_FILE_NAME = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_LONGEST_NAME = 100  # characters of a file's name; file systems allow 255 bytes


def chosen_armatures(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The armatures that are selected, or whose bodies are; the active one alone where a script made it so without selecting it."""
    of = lambda thing: thing if thing is None or thing.type == "ARMATURE" else thing.find_armature()
    selected = list(dict.fromkeys(armature for armature in map(of, context.selected_objects) if armature is not None))
    active = of(context.active_object)
    return selected if active is None or active in selected else [active]


def is_own(armature: bpy.types.Object) -> bool:
    """Whether SMPLit built it: other programs' SMPL-X armatures may have another rest pose."""
    return rig.is_smplx(armature) and rig.PROP_PELVIS in armature


def inputs_folder() -> Path:
    """Where motions that were read from the scene wait for the backend, also for a retry."""
    return preferences.user_folder() / "trajectories"


def remove_old_inputs() -> None:
    """Deletes what was written for jobs of long ago."""
    for path in inputs_folder().glob("*/*.*"):
        try:
            if time.time() - path.stat().st_mtime > _KEPT_DAYS * 86400:
                path.unlink()
                path.parent.rmdir()
        except OSError:  # another Blender was quicker, or holds it; the next time will do
            continue


class SMPLIT_OT_run_difftraj(preferences.NeedsBackend, bpy.types.Operator):
    """Make the selected character travel as its feet say, beside the original, which stays as it is"""

    bl_idname = "smplit.run_difftraj"
    bl_label = "Make It Travel"

    filepath: bpy.props.StringProperty(
        name="Motion", subtype="FILE_PATH", options={"SKIP_SAVE"}, description="A motion file (.npz, .bvh). Empty: the selected characters",
    )
    joint_map: bpy.props.StringProperty(
        name="Joint Map", subtype="FILE_PATH", options={"SKIP_SAVE"},
        description="For skeletons whose names are not known: a JSON file of SMPL-X joints and their names there",
    )
    filter_glob: bpy.props.StringProperty(default="*.npz;*.bvh", options={"HIDDEN", "SKIP_SAVE"})
    lock_feet: bpy.props.BoolProperty(
        name="Lock Feet", default=True, options={"SKIP_SAVE"}, description="Bend the legs so that feet on the floor do not slide at all",
    )
    commercial_safe: bpy.props.BoolProperty(
        name="Commercial Use", options={"SKIP_SAVE"}, description="Use the network whose training data may be used commercially",
    )
    samples: bpy.props.IntProperty(
        name="Variants", min=0, max=32, options={"SKIP_SAVE"}, description="0: the likeliest path alone. Else so many different ones",
    )
    seed: bpy.props.IntProperty(name="Seed", min=0, options={"SKIP_SAVE"}, description="Same seed, same variants")

    def invoke(self, context, _event) -> set[str]:
        settings = context.scene.smplit_trajectory
        for name, value in settings.options().items():
            if not self.properties.is_property_set(name):
                setattr(self, name, value)
        if settings.source == "FILE" and not self.filepath:
            context.window_manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        return self.execute(context)

    def execute(self, context) -> set[str]:
        try:
            maps = [self._file(self.joint_map, "Choose a joint map (.json).")] if self.joint_map else []
            inputs = [(self._file(self.filepath, "Choose a motion file (.npz or .bvh)."), {})] if self.filepath else self._selected_motions(context)
            pump.ensure_started(preferences.target)
        except errors.SmplitError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        except OSError as error:
            self.report({"ERROR"}, f"'{inputs_folder()}' cannot be written ({error.strerror}). Free some space there.")
            return {"CANCELLED"}
        # One job per character: one that fails does not stop the others.
        for path, placement in inputs:
            paths = [path, *(maps if path.suffix.lower() == ".bvh" else [])]
            request = protocol.submit("difftraj", self._params(), paths, {file.parent for file in paths}, placement)
            context.window_manager.smplit_last_job = request.id
            pump.BACKEND.submit(pump.BACKEND.jobs.add(request, f"{path.stem} travelling"))
        pump.redraw()
        return {"FINISHED"}

    def _params(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in ("lock_feet", "commercial_safe", "samples", "seed")}

    @staticmethod
    def _file(name: str, remedy: str) -> Path:
        path = Path(bpy.path.abspath(name)).absolute()
        if not path.is_file():
            raise errors.BadInput(f"'{path}' {'is a folder' if path.is_dir() else 'does not exist'}.", remedy, "no_such_file")
        return path

    @staticmethod
    def _selected_motions(context) -> list[tuple[Path, dict]]:
        """Files with the motions of the selected characters, and what has to be told of each beside its file.

        Raises:
            BadInput: nothing suitable is selected; nothing was written then.
            OSError: the disk.
        """
        armatures = chosen_armatures(context)
        if not armatures:
            raise errors.BadInput("No character is selected.", "Select one or more, or choose a motion file as the source.", "nothing_selected")
        for armature in armatures:
            frames_of(armature)
            first, last = armature.animation_data.action.frame_range
            if last - first < 1.0:
                raise errors.BadInput(
                    f"'{armature.name}' is animated on a single frame: nothing moves.", "Give it keys on at least two frames.", "too_short"
                )
        remove_old_inputs()
        return [_input_of(armature, context.scene) for armature in armatures]


def _input_of(armature: bpy.types.Object, scene: bpy.types.Scene) -> tuple[Path, dict]:
    """The file of one armature's motion; a BVH cannot say itself where the armature stood."""
    stem = inputs_folder() / protocol.new_id() / _NO_FILE_NAME.sub("_", armature.name)[:_LONGEST_NAME]
    if is_own(armature):
        return read_in_place(armature, scene).save(stem.with_name(f"{stem.name}.npz")), {}
    path = stem.with_name(f"{stem.name}.bvh")
    return path, write_in_place(armature, scene, path).entries()


CLASSES = (SMPLIT_OT_run_difftraj,)
