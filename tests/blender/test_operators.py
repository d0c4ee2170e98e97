# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators without a running backend: what they refuse, with which words, and motion files in and out."""

import json
import subprocess

import bpy
import numpy as np
import pytest

EXTENSION = "bl_ext.user_default.smplit"


@pytest.fixture
def chosen(addon, empty_file, backend_python):
    """The preferences, set to an existing Python; they are reset afterwards."""
    preferences = bpy.context.preferences.addons[EXTENSION].preferences
    preferences.source, preferences.python = "PYTHON", str(backend_python)
    yield preferences
    preferences.source, preferences.python, preferences.connection_file = "OWN", "", ""


def refused(operator, **options) -> str:
    """The message with which an operator ends."""
    with pytest.raises(RuntimeError) as error:
        operator(**options)
    return str(error.value)


def test_without_a_backend_the_button_is_greyed_with_the_reason(addon, empty_file):
    assert not bpy.ops.smplit.capture_video.poll()
    assert "Set up the backend" in refused(bpy.ops.smplit.capture_video, filepath="/a.mp4")


def test_each_way_to_a_backend_says_what_it_lacks(chosen):
    chosen.python = ""
    assert "Choose the Python" in refused(bpy.ops.smplit.backend_start)
    chosen.source = "RUNNING"
    assert "connection file" in refused(bpy.ops.smplit.backend_start)
    chosen.connection_file = "/nowhere/connection.json"
    assert "/nowhere/connection.json" in refused(bpy.ops.smplit.backend_start)


def test_a_lost_video_and_a_folder_are_named(chosen, tmp_path):
    assert "does not exist" in (message := refused(bpy.ops.smplit.capture_video, filepath=str(tmp_path / "größe 1.mp4"))) and "größe 1.mp4" in message
    assert "is a folder" in refused(bpy.ops.smplit.capture_video, filepath=str(tmp_path))
    assert "No video was chosen" in refused(bpy.ops.smplit.capture_video)


def test_the_operators_options_are_those_of_the_command(addon, backend_python):
    program = (
        "import json; from dataclasses import fields; from smplit.mocap.options import CHOICES, CaptureOptions;"
        "print(json.dumps({f.name: [CHOICES.get(f.name), f.default] for f in fields(CaptureOptions)}))"
    )
    command = json.loads(subprocess.run([backend_python, "-c", program], capture_output=True, text=True, check=True).stdout)
    operator = bpy.ops.smplit.capture_video.get_rna_type().properties
    for name, (choices, default) in command.items():
        assert name in operator, f"smplit.capture_video has no option '{name}'"
        if choices:
            assert [item.identifier for item in operator[name].enum_items] == choices
        assert getattr(operator[name], "default", None) == (default or type(operator[name].default)())


def test_the_panels_choices_are_ones_that_the_command_takes(addon, empty_file, backend_python):
    settings = empty_file.smplit_capture
    program = "import sys, json; from smplit.mocap.options import CaptureOptions; CaptureOptions.from_dict(json.loads(sys.argv[1]))"
    settings.use_range, settings.range_start, settings.range_end = True, 2.5, 10.0
    for name in ("hands", "face", "camera", "trajectory", "people", "detail"):
        for item in settings.bl_rna.properties[name].enum_items:
            setattr(settings, name, item.identifier)
            options = settings.options()
            options["focal"], options["camera_file"] = options["focal"] or None, options["camera_file"] or None
            subprocess.run([backend_python, "-c", program, json.dumps(options)], check=True)
    assert settings.options()["range"] == "2.5:10"


def test_jobs_are_asked_for_by_name(addon, empty_file):
    assert "no job 'x'" in refused(bpy.ops.smplit.wait, job="x")
    assert "No job is running" in refused(bpy.ops.smplit.cancel_job)
    assert bpy.ops.smplit.wait() == {"FINISHED"}  # nothing runs


@pytest.mark.parametrize("name", ["lost.npz", "words.npz", "pickled.npz"])
def test_a_file_that_is_no_motion_is_named_and_nothing_comes_in(addon, empty_file, tmp_path, name):
    (tmp_path / "words.npz").write_text("no archive")
    np.savez(tmp_path / "pickled.npz", poses=np.array([{"a": 1}], dtype=object))
    message = refused(bpy.ops.smplit.import_motion, filepath=str(tmp_path / name))
    assert name in message and not bpy.data.armatures


@pytest.fixture
def motion_file(smplx_motion, tmp_path):
    """A motion on disk."""
    np.savez(tmp_path / "in.npz", **{name: value for name, value in smplx_motion.items() if name not in ("vertices", "joints")})
    return tmp_path / "in.npz"


def bring_in(path):
    """Imports a motion file and makes its armature active."""
    assert bpy.ops.smplit.import_motion(filepath=str(path)) == {"FINISHED"}
    armature = next(thing for thing in bpy.data.objects if thing.type == "ARMATURE")
    bpy.context.view_layer.objects.active = armature
    return armature


def test_a_motion_comes_back_from_the_armature_as_it_went_in(addon, empty_file, motion_file, tmp_path):
    from bl_ext.user_default.smplit.shared import axes, motion

    sent = motion.Motion.load(motion_file)
    empty_file.render.fps = round(sent.fps)
    armature = bring_in(motion_file)
    assert len(armature.data.bones) == 55
    before = empty_file.frame_current
    assert bpy.ops.smplit.export_motion(filepath=str(tmp_path / "out.npz")) == {"FINISHED"}
    got = motion.Motion.load(tmp_path / "out.npz")

    assert empty_file.frame_current == before and not any(child.hide_viewport for child in armature.children)
    assert (len(got), got.fps) == (len(sent), sent.fps)
    turns = [axes.matrix_from_axis_angle(m.poses.reshape(-1, 3)) for m in (sent, got)]
    assert np.abs(turns[0] - turns[1]).max() < 1e-4
    assert np.abs(sent.trans - got.trans).max() < 1e-4 and np.allclose(sent.betas[:10], got.betas, atol=1e-6)


@pytest.mark.parametrize(("suffix", "start"), [(".bvh", b"HIERARCHY"), (".glb", b"glTF")])
def test_other_formats_are_written_by_the_backend(chosen, motion_file, tmp_path, suffix, start):
    bring_in(motion_file)
    target = tmp_path / f"out{suffix}"
    assert bpy.ops.smplit.export_motion(filepath=str(target)) == {"FINISHED"}
    assert target.read_bytes().startswith(start)


def test_a_place_that_cannot_be_written_is_named(chosen, motion_file, tmp_path):
    (tmp_path / "file").write_text("in the way")
    bring_in(motion_file)
    assert "out.npz" in refused(bpy.ops.smplit.export_motion, filepath=str(tmp_path / "file" / "out.npz"))


def test_only_a_character_can_be_exported(addon, empty_file):
    assert "Select a character" in refused(bpy.ops.smplit.export_motion, filepath="/tmp/x.npz")
