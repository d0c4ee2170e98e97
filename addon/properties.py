# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user chooses in the sidebar; saved with the scene. Defaults need no thought."""

from __future__ import annotations

import bpy


class SmplitVideo(bpy.types.PropertyGroup):
    """One chosen video."""

    path: bpy.props.StringProperty(subtype="FILE_PATH")


class SmplitCaptureSettings(bpy.types.PropertyGroup):
    """The Capture from Video panel. `options` says it in the words of the command."""

    videos: bpy.props.CollectionProperty(type=SmplitVideo)
    people: bpy.props.EnumProperty(
        name="People",
        description="Who becomes a character",
        items=(
            ("all", "All", "Everyone who is seen for long enough"),
            ("largest", "Largest", "Only the person who fills most of the picture"),
            ("numbers", "Choose", "Only the numbers below; people are numbered as an earlier capture of this video named them"),
        ),
    )
    people_numbers: bpy.props.StringProperty(name="Numbers", default="1", description="People to keep, from 1, such as 1,3")
    detail: bpy.props.EnumProperty(
        name="Detail",
        description="How carefully the body is worked out",
        items=(
            ("fast", "Fast", "A rough body, for a first look; feet and joints may tremble"),
            ("balanced", "Balanced", "The body is refined over the whole clip: calmer joints, feet that stand still"),
            ("best", "Best", "Everything that is installed, the mirrored video included; slowest. Without the networks that the "
             "preferences list it is as good as Balanced"),
        ),
        default="balanced",
    )
    hands: bpy.props.EnumProperty(
        name="Hands",
        description="How fingers move",
        items=(
            ("auto", "Automatic", "The best way that is installed"),
            ("acr", "ACR", "A network that looks at the hands themselves. Its file is added in the preferences"),
            ("landmarks", "From Landmarks", "Fingers follow the points found in the picture"),
            ("none", "Relaxed", "Fingers stay at rest; quicker"),
        ),
    )
    face: bpy.props.EnumProperty(
        name="Face",
        description="How jaw, eyes and expression move",
        items=(
            ("auto", "Automatic", "The best way that is installed"),
            ("smirk", "SMIRK", "A network that looks at the face itself. Its file is added in the preferences"),
            ("landmarks", "From Landmarks", "The face follows the points found in the picture"),
            ("none", "Still", "No expression; quicker"),
        ),
    )
    camera: bpy.props.EnumProperty(
        name="Camera",
        description="Whether the camera that filmed moved",
        items=(
            ("auto", "Automatic", "Decided from the background"),
            ("static", "Static", "It stood still, on a tripod: nothing of the background's motion goes into the path"),
            ("moving", "Moving", "It panned or was carried: its turning is taken out of the path"),
        ),
    )
    trajectory: bpy.props.EnumProperty(
        name="Path",
        description="How the person travels",
        items=(
            ("auto", "Automatic", "Where the person went in the world, feet planted"),
            ("camera", "From Camera", "Only what the picture shows"),
            ("none", "In Place", "The person stays where they began"),
        ),
    )
    focal: bpy.props.FloatProperty(
        name="Focal Length", min=0.0, soft_max=10000.0, precision=0,
        description="Focal length of the filming camera in pixels of the picture; 0 takes it from the file or guesses it",
    )
    camera_file: bpy.props.StringProperty(
        name="Camera File", subtype="FILE_PATH",
        description="The camera that filmed, where it is known: images.txt of a COLMAP text model, OpenCV's .yml, .json or .xml, "
        "or .npz. It replaces Camera and Focal Length",
    )
    use_range: bpy.props.BoolProperty(name="Only a Part", description="Capture only the part between the two times")
    range_start: bpy.props.FloatProperty(
        name="From", min=0.0, description="Start in seconds of the video", subtype="TIME_ABSOLUTE", unit="TIME_ABSOLUTE",
    )
    range_end: bpy.props.FloatProperty(
        name="To", min=0.0, default=10.0, description="End in seconds of the video", subtype="TIME_ABSOLUTE", unit="TIME_ABSOLUTE",
    )

    def options(self) -> dict[str, object]:
        """The choices as properties of `smplit.capture_video`."""
        known = bool(self.camera_file)  # then nothing is to be found out
        return {
            "people": self.people_numbers if self.people == "numbers" else self.people,
            "preset": "none" if self.detail == "balanced" else self.detail,
            "hands": self.hands, "face": self.face, "trajectory": self.trajectory, "camera_file": self.camera_file,
            "camera": "auto" if known else self.camera, "focal": 0.0 if known else self.focal,
            "range": f"{self.range_start:g}:{self.range_end:g}" if self.use_range else "",
        }


class SmplitTrajectorySettings(bpy.types.PropertyGroup):
    """The Trajectory panel. `options` says it in the words of the operator."""

    source: bpy.props.EnumProperty(
        name="Source",
        description="Whose motion gets a path",
        items=(
            ("SELECTED", "Selected", "The selected characters, of SMPLit or any humanoid rig. Each gets a travelling twin, the original stays"),
            ("FILE", "File", "A motion file: SMPL-X, SMPL-H or AMASS (.npz), or motion capture of another skeleton (.bvh)"),
        ),
    )
    filepath: bpy.props.StringProperty(name="Motion", subtype="FILE_PATH", description="The motion file")
    lock_feet: bpy.props.BoolProperty(
        name="Lock Feet", default=True,
        description="Bend the legs so that feet on the floor do not slide at all. Off: only the hips are moved, no other joint turns",
    )
    samples: bpy.props.IntProperty(
        name="Variants", min=0, max=32, soft_max=8,
        description="0: the likeliest path. Else so many different paths, which differ where the feet tell little",
    )
    seed: bpy.props.IntProperty(name="Seed", min=0, description="Other variants with another number; the same with the same")
    commercial_safe: bpy.props.BoolProperty(
        name="Commercial Use",
        description="Use only the network whose training data may be used commercially. It is a little less exact",
    )
    joint_map: bpy.props.StringProperty(
        name="Joint Map", subtype="FILE_PATH",
        description="For rigs whose joints' names are not known. A JSON file such as {\"left_hip\": \"name in the rig\", ...}",
    )

    def options(self) -> dict[str, object]:
        """The choices as properties of `smplit.run_difftraj`."""
        choices = {name: getattr(self, name) for name in ("lock_feet", "samples", "seed", "commercial_safe", "joint_map")}
        return {**choices, "filepath": self.filepath if self.source == "FILE" else ""}


def register() -> None:
    bpy.utils.register_class(SmplitVideo)
    bpy.utils.register_class(SmplitCaptureSettings)
    bpy.utils.register_class(SmplitTrajectorySettings)
    bpy.types.WindowManager.smplit_last_job = bpy.props.StringProperty(
        name="Last Job", description="Key of the job that was started last, for scripts: smplit.wait(job=...)", options={"SKIP_SAVE"},
    )
    bpy.types.Scene.smplit_capture = bpy.props.PointerProperty(type=SmplitCaptureSettings)
    bpy.types.Scene.smplit_trajectory = bpy.props.PointerProperty(type=SmplitTrajectorySettings)


def unregister() -> None:
    del bpy.types.Scene.smplit_trajectory, bpy.types.Scene.smplit_capture, bpy.types.WindowManager.smplit_last_job
    bpy.utils.unregister_class(SmplitTrajectorySettings)
    bpy.utils.unregister_class(SmplitCaptureSettings)
    bpy.utils.unregister_class(SmplitVideo)
