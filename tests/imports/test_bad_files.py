# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that cannot be used are refused by name, with what to do, and never run anything."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from smplit.cli import main
from smplit.errors import BadInput
from smplit.imports import import_motion
from smplit.motion import Motion

GOOD = {"poses": np.zeros((4, 165)), "trans": np.zeros((4, 3)), "mocap_frame_rate": np.array(30.0)}


def refused(path, read, word):
    with pytest.raises(BadInput, match=word) as caught:
        read(path)
    assert str(path) in caught.value.message and caught.value.remedy and caught.value.exit_code == 2


def without(*names):
    return {name: value for name, value in GOOD.items() if name not in names}


BOTH = {  # what a file holds, and a word of its message, for import and for Motion.load
    "no poses": (without("poses"), "poses"),
    "no rate": (without("mocap_frame_rate"), "frame rate"),
    "odd poses": ({**GOOD, "poses": np.zeros((4, 100))}, r"\(4, 100\)"),
    "flat poses": ({**GOOD, "poses": np.zeros(165)}, "poses"),
    "scalar poses": ({**GOOD, "poses": np.array(3.0)}, "poses"),
    "no frames": ({**GOOD, "poses": np.zeros((0, 165)), "trans": np.zeros((0, 3))}, "poses|no frames"),
    "fewer places than poses": ({**GOOD, "trans": np.zeros((3, 3))}, "trans"),
    "flat places": ({**GOOD, "trans": np.zeros((4, 2))}, "trans"),
    "NaN": ({**GOOD, "poses": np.full((4, 165), np.nan)}, "NaN"),
    "infinite": ({**GOOD, "trans": np.full((4, 3), np.inf)}, "infinity"),
    "too large for single precision": ({**GOOD, "trans": np.full((4, 3), 1e300)}, "infinity"),
    "NaN shape": ({**GOOD, "betas": np.full(10, np.nan)}, "betas"),
    "cubic shape": ({**GOOD, "betas": np.zeros((2, 2, 2))}, "betas"),
    "words": ({**GOOD, "poses": np.full((4, 165), "x")}, "poses"),
    "complex": ({**GOOD, "poses": np.zeros((4, 165), complex)}, "poses"),
    "zero rate": ({**GOOD, "mocap_frame_rate": np.array(0.0)}, "frame rate"),
    "negative rate": ({**GOOD, "mocap_frame_rate": np.array(-30.0)}, "frame rate"),
    "NaN rate": ({**GOOD, "mocap_frame_rate": np.array(np.nan)}, "frame rate"),
    "absurd rate": ({**GOOD, "mocap_frame_rate": np.array(1e9)}, "frame rate"),
    "rate in words": ({**GOOD, "mocap_frame_rate": np.array("fast")}, "mocap_frame_rate"),
    "many rates": ({**GOOD, "mocap_frame_rate": np.array([30.0, 25.0])}, "mocap_frame_rate"),
    "times that stand still": ({**GOOD, "frame_times": np.array([0.0, 0.1, 0.1, 0.2])}, "frame_times"),
    "expression of other length": ({**GOOD, "expression": np.zeros((3, 10))}, "expression"),
    "expression with too few names": ({**GOOD, "expression": np.zeros((4, 10)), "expression_names": np.array(["a"])}, "expression"),
    "camera of other length": ({**GOOD, "camera_R": np.zeros((3, 3, 3))}, "camera_R"),
}


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("read", [import_motion, Motion.load])
def test_entries_that_make_no_sense_are_named(tmp_path, name, read):
    entries, word = BOTH[name]
    path = tmp_path / "bad motion.npz"
    np.savez(path, **entries)
    refused(path, read, word)


PARTS = {**without("poses"), "global_orient": np.zeros((4, 3)), "body_pose": np.zeros((4, 63))}
IMPORT_ONLY = {
    "degrees": ({**GOOD, "poses": np.full((4, 165), 90.0)}, "radians|rad"),
    "millimetres": ({**GOOD, "trans": np.full((4, 3), 1500.0)}, "m\\."),
    "hands as PCA": ({**PARTS, "left_hand_pose": np.zeros((4, 6))}, "left_hand_pose"),
    "only a root": ({**without("poses"), "global_orient": np.zeros((4, 3))}, "body_pose"),
    "unknown up axis": ({**GOOD, "up": np.array("sideways")}, "sideways"),
    "unequal parts": ({**PARTS, "body_pose": np.zeros((3, 63))}, "body_pose"),
}


@pytest.mark.parametrize("name", IMPORT_ONLY)
def test_what_only_import_can_judge_is_named(tmp_path, name):
    entries, word = IMPORT_ONLY[name]
    path = tmp_path / "bad motion.npz"
    np.savez(path, **entries)
    refused(path, import_motion, word)


class Trap:
    def __reduce__(self):
        return os.mkdir, ("sprung",)


@pytest.mark.parametrize("read", [import_motion, Motion.load])
def test_pickled_objects_are_refused_and_never_run(tmp_path, read, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.npz"
    np.savez(path, **{**GOOD, "poses": np.array([Trap()], dtype=object)})
    refused(path, read, "pickled")
    bare = tmp_path / "bare.npz"
    bare.write_bytes(pickle.dumps(Trap()))
    refused(bare, read, "npz")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bare.npz", "evil.npz"]


def truncated():
    return whole()[:-200]


def whole():
    stream = io.BytesIO()
    np.savez_compressed(stream, **{**GOOD, "poses": np.random.default_rng(0).normal(size=(4, 165))})
    return stream.getvalue()


def flipped():
    data = bytearray(whole())
    data[120:160] = bytes(40)
    return bytes(data)


def npy():
    stream = io.BytesIO()
    np.save(stream, np.zeros((4, 165)))
    return stream.getvalue()


def member(name, data):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, data)
    return stream.getvalue()


def lying_header(shape):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return member("poses.npy", stream.getvalue() + bytes(64))


@pytest.mark.parametrize("read", [import_motion, Motion.load])
@pytest.mark.parametrize("data, word", [
    (b"", "empty"), (b"not an archive at all", "npz"), (truncated(), "npz"), (flipped(), "npz"), (npy(), "npz"),
    (member("poses.npy", b"\x93NUMPY rubbish"), "npz"), (member("poses.npy", b""), "npz"), (member("readme.txt", b"hello"), "poses"),
    (lying_header((1 << 40, 165)), "GiB"), (lying_header((4000, 165)), "cut short"), (lying_header((-4, 165)), "poses|npz"),
])
def test_files_that_are_no_whole_npz_are_refused_before_memory_is_taken(tmp_path, read, data, word):
    path = tmp_path / "ü odd.npz"
    path.write_bytes(data)
    refused(path, read, word)


@pytest.mark.parametrize("read", [import_motion, Motion.load])
def test_a_missing_file_and_a_folder_are_named(tmp_path, read):
    refused(tmp_path / "none.npz", read, "not a file")
    refused(tmp_path, read, "folder")


@pytest.mark.parametrize("name", ["walk.C3D", "walk.trc", "walk.pkl", "walk.pth", "walk.npy"])
def test_other_kinds_of_files_are_refused_with_what_to_do(tmp_path, name):
    (tmp_path / name).write_bytes(b"HIERARCHY")
    refused(tmp_path / name, import_motion, "not in this version|not opened")


def test_the_command_exits_with_2_and_writes_nothing(tmp_path, capsys):
    np.savez(tmp_path / "bad.npz", **without("trans"), extra=np.zeros(3))
    np.savez(tmp_path / "nan.npz", **{**GOOD, "poses": np.full((4, 165), np.nan)})
    assert main(["import", str(tmp_path / "nan.npz"), "-o", str(tmp_path / "out.npz")]) == 2
    assert "nan.npz" in capsys.readouterr().err and not (tmp_path / "out.npz").exists()
    assert main(["import", str(tmp_path / "bad.npz"), "-o", str(tmp_path / "out.npz")]) == 0  # without trans the person stays in place
    assert not Motion.load(tmp_path / "out.npz").trans.any()
