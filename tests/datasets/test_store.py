# SPDX-License-Identifier: GPL-3.0-or-later
"""The motion store: what is written comes back through the memory map, and nothing else is taken for one."""

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from smplit.datasets.store import Clip, ClipInfo, MotionStore, write_store
from smplit.errors import BadInput


def some_clip(frames, seed, **info):
    random = np.random.default_rng(seed)
    return Clip(
        ClipInfo(f"set/clip{seed}", **info), random.normal(size=(frames, 22, 3)).astype(np.float32),
        random.normal(size=(frames, 3)).astype(np.float32), random.integers(0, 2, (frames, 4)).astype(np.uint8), 30.0,
    )


CLIPS = [some_clip(7, 1, style="Ärger", licence="MIT", weight_hint=0.25), some_clip(1, 2, subject="02"), some_clip(12, 3, style="sad")]


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "motions.safetensors"
    write_store(file, iter(CLIPS), 30.0, "0" * 64, {"hours": 1})
    return file


def test_clips_come_back_as_they_were_written(path):
    store = MotionStore.open(path)
    assert len(store) == 3 and store.fps == 30.0 and store.body_sha256 == "0" * 64 and store.report == {"hours": 1}
    for index, written in enumerate(CLIPS):
        clip = store.clip(index)
        assert clip.info == written.info
        np.testing.assert_array_equal(clip.poses, written.poses)
        np.testing.assert_array_equal(clip.trans, written.trans)
        np.testing.assert_array_equal(clip.contacts, written.contacts)


def test_the_file_is_what_the_safetensors_library_reads(path):
    tensors = load_file(path)
    np.testing.assert_array_equal(tensors["poses"], np.concatenate([clip.poses for clip in CLIPS]))
    np.testing.assert_array_equal(tensors["trans"], np.concatenate([clip.trans for clip in CLIPS]))
    np.testing.assert_array_equal(tensors["contacts"], np.concatenate([clip.contacts for clip in CLIPS]))
    assert tensors["offsets"].tolist() == [0, 7, 8, 20]


def test_frames_are_mapped_not_read_and_cannot_be_written(path):
    clip = MotionStore.open(path).clip(2)
    assert isinstance(clip.poses.base, np.memmap) or isinstance(clip.poses, np.memmap)
    with pytest.raises(ValueError):
        clip.poses[0] = 0


def test_clips_are_selected_and_their_hours_counted(path):
    store = MotionStore.open(path)
    assert store.select(lambda info: info.style == "sad") == [2]
    assert store.hours() == pytest.approx(20 / 30 / 3600)
    assert store.hours([0, 1]) == pytest.approx(8 / 30 / 3600)


def test_a_clip_is_a_motion_of_55_joints(path):
    motion = MotionStore.open(path).clip(0).motion()
    motion.check()
    np.testing.assert_array_equal(motion.poses[:, :66].reshape(-1, 22, 3), CLIPS[0].poses)
    assert not motion.poses[:, 66:].any() and motion.contacts.dtype == np.float32


def test_statistics_are_asked_for_after_the_last_clip(tmp_path):
    seen = []
    file = tmp_path / "with.safetensors"
    clips = (seen.append(clip.info.name) or clip for clip in CLIPS)
    write_store(file, clips, 30.0, "", None, lambda: (np.full(5, len(seen)), np.ones(5)))
    store = MotionStore.open(file)
    assert store.mean.tolist() == [3.0] * 5 and store.std.tolist() == [1.0] * 5
    np.testing.assert_array_equal(store.clip(2).poses, CLIPS[2].poses)


def test_a_failure_half_way_leaves_the_old_store_and_no_other_file(path):
    before = path.read_bytes()

    def breaking():
        yield CLIPS[0]
        raise RuntimeError("reader failed")

    with pytest.raises(RuntimeError):
        write_store(path, breaking(), 30.0, "")
    assert path.read_bytes() == before and [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_store_without_clips_is_not_written(tmp_path):
    with pytest.raises(BadInput, match="No clip"):
        write_store(tmp_path / "none.safetensors", iter(()), 30.0, "")
    assert not list(tmp_path.iterdir())


def broken(path, code, words):
    with pytest.raises(BadInput, match=words) as refused:
        MotionStore.open(path)
    assert refused.value.code == code and str(path) in refused.value.message and refused.value.remedy


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
def test_a_store_that_was_cut_short_is_refused(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    broken(path, "damaged_store", "cut short")


def test_other_files_are_refused(tmp_path):
    other = tmp_path / "weights.safetensors"
    save_file({"poses": np.zeros((3, 22, 3), np.float32)}, other)
    broken(other, "not_a_store", "no motion store")
    other.write_bytes(b"PK\x03\x04 an npz, say" * 20)
    broken(other, "damaged_store", "no motion store")
    broken(tmp_path / "absent.safetensors", "no_such_file", "not a file")


def changed(path, change):
    """Rewrites the header of a store."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header["__metadata__"].update(clips="[]"),
        lambda header: header["__metadata__"].update(clips="not json"),
        lambda header: header["__metadata__"].update(fps="fast"),
        lambda header: header["__metadata__"].pop("body_sha256"),
        lambda header: header["poses"].update(shape=[20 * 22, 3]),
        lambda header: header.update(stances=header.pop("contacts")),
    ],
)
def test_a_store_whose_parts_do_not_fit_together_is_refused(path, change):
    changed(path, change)
    broken(path, "damaged_store", "does not fit together")
