# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture from Video: the operator, choosing the files, and dropping them into the viewport."""

from __future__ import annotations

from pathlib import Path

import bpy

from .. import preferences
from ..bridge import pump
from ..shared import errors, protocol

VIDEO_SUFFIXES = ".mp4;.mov;.avi;.mkv;.webm;.m4v;.mpg;.mpeg;.wmv;.mts;.ogv"


def _chosen_files(operator) -> list[Path]:
    """Absolute paths of the files that an operator with filepath/directory/files names."""
    folder = bpy.path.abspath(operator.directory) if operator.directory else ""
    names = [entry.name for entry in operator.files if entry.name]
    if names:
        return [Path(folder, name).absolute() for name in names]
    return [Path(bpy.path.abspath(operator.filepath)).absolute()] if operator.filepath else []


def _items(*names: str) -> list[tuple[str, str, str]]:
    return [(name, name, "") for name in names]


class SMPLIT_OT_capture_video(preferences.NeedsBackend, bpy.types.Operator):
    """Turn the people in the chosen videos into animated characters"""

    bl_idname = "smplit.capture_video"
    bl_label = "Capture from Video"

    filepath: bpy.props.StringProperty(name="Video", subtype="FILE_PATH", options={"SKIP_SAVE"})
    directory: bpy.props.StringProperty(name="Folder", subtype="DIR_PATH", options={"SKIP_SAVE"})
    files: bpy.props.CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
    filter_movie: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    # The options of the command `smplit capture`, by the same names; a test holds them together.
    preset: bpy.props.EnumProperty(
        name="Preset", items=_items("none", "fast", "half-body", "best"), options={"SKIP_SAVE"},
        description="fast: not refined. half-body: HMR2 where its file was added, refined. best: everything there is, mirrored too",
    )
    body: bpy.props.EnumProperty(
        name="Body", items=_items("auto", "wham", "hmr2", "landmarks"), options={"SKIP_SAVE"}, description="How the body is found",
    )
    hands: bpy.props.EnumProperty(
        name="Hands", items=_items("auto", "acr", "landmarks", "none"), options={"SKIP_SAVE"}, description="How fingers move",
    )
    face: bpy.props.EnumProperty(
        name="Face", items=_items("auto", "smirk", "landmarks", "none"), options={"SKIP_SAVE"}, description="How the face moves",
    )
    landmarks: bpy.props.EnumProperty(
        name="Landmarks", items=_items("auto", "blazepose", "vitpose", "rtmpose", "rtmw"), options={"SKIP_SAVE"},
        description="What finds a body's points in the picture",
    )
    boxes: bpy.props.EnumProperty(
        name="Boxes", items=_items("auto", "movenet", "yolo"), options={"SKIP_SAVE"}, description="What finds people in the picture",
    )
    fit: bpy.props.BoolProperty(name="Refine", default=True, options={"SKIP_SAVE"}, description="Refine the body over the whole clip")
    fitting: bpy.props.EnumProperty(
        name="Refine How", items=_items("temporal", "smplifyx"), options={"SKIP_SAVE"},
        description="temporal: over the whole clip. smplifyx: every frame by itself, as published; it trembles",
    )
    prior: bpy.props.EnumProperty(
        name="Pose Prior", items=_items("auto", "open", "gmm", "vposer"), options={"SKIP_SAVE"},
        description="Which poses count as likely when refining",
    )
    trajectory: bpy.props.EnumProperty(
        name="Path", items=_items("auto", "difftraj", "wham", "camera", "none"), options={"SKIP_SAVE"}, description="How the person travels",
    )
    camera: bpy.props.EnumProperty(
        name="Camera", items=_items("auto", "static", "moving"), options={"SKIP_SAVE"}, description="Whether the filming camera moved",
    )
    focal: bpy.props.FloatProperty(
        name="Focal Length", min=0.0, options={"SKIP_SAVE"}, description="In pixels of the upright picture; 0 finds it out",
    )
    camera_file: bpy.props.StringProperty(
        name="Camera File", subtype="FILE_PATH", options={"SKIP_SAVE"},
        description="The camera that filmed, where it is known: images.txt of COLMAP, OpenCV's .yml, .json or .xml, or .npz",
    )
    people: bpy.props.StringProperty(name="People", default="all", options={"SKIP_SAVE"}, description="all, largest, or numbers such as 1,3")
    flip_eval: bpy.props.BoolProperty(name="Average with Mirror", options={"SKIP_SAVE"}, description="Average with the mirrored video; slower")
    visualize: bpy.props.BoolProperty(name="Overlay Video", options={"SKIP_SAVE"}, description="Also keep a video with the body drawn over it")
    range: bpy.props.StringProperty(name="Range", options={"SKIP_SAVE"}, description="2.5:10 in seconds, or 0:05-0:12. Empty: all of it")
    device: bpy.props.StringProperty(name="Compute On", default="auto", options={"SKIP_SAVE"}, description="auto, cpu, cuda, cuda:N or mps")
    seed: bpy.props.IntProperty(name="Seed", default=0, min=0, options={"SKIP_SAVE"}, description="Same seed, same result")

    def invoke(self, context, _event) -> set[str]:
        settings = context.scene.smplit_capture
        for name, value in settings.options().items():
            if not self.properties.is_property_set(name):
                setattr(self, name, value)
        if not _chosen_files(self):
            for video in settings.videos:
                self.files.add().name = bpy.path.abspath(video.path)
        if _chosen_files(self):
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context) -> set[str]:
        paths = _chosen_files(self)
        if not paths:
            self.report({"ERROR"}, "No video was chosen. Choose one under Videos, or drop it into the viewport.")
            return {"CANCELLED"}
        if lost := [path for path in paths if not path.is_file()]:
            what = "is a folder" if lost[0].is_dir() else "does not exist"
            self.report({"ERROR"}, f"'{lost[0]}' {what}. Choose a video file.")
            return {"CANCELLED"}
        cameras = [Path(bpy.path.abspath(self.camera_file)).absolute()] if self.camera_file else []
        if cameras and not cameras[0].is_file():
            self.report({"ERROR"}, f"Camera file '{cameras[0]}' does not exist. Choose a file, or leave it empty.")
            return {"CANCELLED"}
        if cameras and len(paths) > 1:
            self.report({"ERROR"}, "A camera file belongs to one video, but several were chosen. Capture them one by one.")
            return {"CANCELLED"}
        try:
            pump.ensure_started(preferences.target)
        except errors.SmplitError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        # One job per video: one that fails does not stop the others.
        for path in paths:
            files = [path, *cameras]
            request = protocol.submit("capture", self._params(cameras), files, roots={file.parent for file in files})
            context.window_manager.smplit_last_job = request.id
            pump.BACKEND.submit(pump.BACKEND.jobs.add(request, path.name))
        pump.redraw()
        return {"FINISHED"}

    def _params(self, cameras: list[Path]) -> dict[str, object]:
        """The options as the fields of CaptureOptions; `cameras` holds the camera file's path, if there is one."""
        names = (
            "preset", "body", "hands", "face", "landmarks", "boxes", "fit", "fitting", "prior", "trajectory", "camera", "people", "flip_eval",
            "visualize", "seed",
        )
        params = {name: getattr(self, name) for name in names}
        if self.device != "auto":  # else the backend's own, from the preferences
            params["device"] = self.device
        params["camera_file"] = str(cameras[0]) if cameras else None
        return {**params, "focal": self.focal or None, "range": self.range or None}


class SMPLIT_OT_choose_videos(bpy.types.Operator):
    """Choose one or many videos"""

    bl_idname = "smplit.choose_videos"
    bl_label = "Choose Videos"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    files: bpy.props.CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
    filter_movie: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context, _event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context) -> set[str]:
        videos = context.scene.smplit_capture.videos
        videos.clear()
        for path in _chosen_files(self):
            videos.add().path = str(path)
        pump.redraw()
        return {"FINISHED"}


class SMPLIT_FH_video(bpy.types.FileHandler):
    """Videos dropped into the viewport are captured with the panel's choices."""

    bl_idname = "SMPLIT_FH_video"
    bl_label = "Capture from Video"
    bl_import_operator = "smplit.capture_video"
    bl_file_extensions = VIDEO_SUFFIXES

    @classmethod
    def poll_drop(cls, context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D" and not preferences.missing_backend()


CLASSES = (SMPLIT_OT_capture_video, SMPLIT_OT_choose_videos, SMPLIT_FH_video)
