# SPDX-License-Identifier: GPL-3.0-or-later
"""`smplit data process`: every recording is either in the store, as it was in seconds, or in the report with a reason."""

import csv
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.datasets.process import process
from smplit.datasets.recordings import list_recordings, unpack_archives
from smplit.datasets.soles import FootedBody
from smplit.datasets.store import MotionStore
from smplit.errors import BadInput

MOTION = Path(__file__).resolve().parents[3] / "shared" / "motion"


def reasons(report):
    return {entry["name"]: entry["reason"] for entry in report["dropped_recordings"]}


def test_an_amass_tree_of_both_kinds_becomes_one_store(amass, tmp_path):
    report = process("amass", amass, tmp_path / "amass.safetensors", workers=1)
    store = MotionStore.open(tmp_path / "amass.safetensors")
    assert [clip.name for clip in store.clips] == ["ACCAD/s001/wave_poses", "ACCAD/s002/stand_stageii", "CMU/02/02_01_poses"]
    assert [clip.source_fps for clip in store.clips] == [120.0, 59.0, 100.0]
    # By time: 3.0 s at 120 fps end at 2.9917 s, which 30 fps reaches with its 90th frame.
    assert np.diff(store.offsets).tolist() == [90, 75, 60]
    first = store.clips[0]
    assert (first.part, first.subject, first.style) == ("ACCAD", "ACCAD/s001", "Neutral")
    assert reasons(report) == {
        "BioMotionLab_NTroje/rub001/0005_treadmill_slow_poses": "skipped", "CMU/79/skate_poses": "skipped",
        "CMU/02/broken_poses": "unreadable", "CMU/02/short_poses": "too_short", "CMU/03/nan_poses": "not_finite",
    }
    assert "treadmill" in next(entry["why"] for entry in report["dropped_recordings"] if "treadmill" in entry["name"])
    assert json.loads((tmp_path / "amass_report.json").read_text()) == report
    assert report["clips"] == 3 and store.report["hours"] == pytest.approx(225 / 30 / 3600, abs=1e-3)
    assert not [file.name for file in tmp_path.iterdir() if file.name not in ("amass.safetensors", "amass_report.json")]


def test_a_clip_is_the_recording_at_the_origin_on_the_floor(amass, swaying, tmp_path):
    process("amass", amass, tmp_path / "s.safetensors", workers=1, max_clips=1)
    store, body = MotionStore.open(tmp_path / "s.safetensors"), FootedBody.load()
    clip = store.clip(0)
    poses, _ = swaying(3.0, 120.0, len("ACCAD/s001/wave_poses.npz") % 5)
    np.testing.assert_allclose(clip.poses[:, 1:], poses[::4, 1:22], atol=1e-5)  # 120 fps is a multiple: the very frames
    joints, soles = body.posed(clip.poses.astype(float), clip.trans.astype(float))
    np.testing.assert_allclose(joints[0, 0, :2], 0, atol=1e-5)
    facing = Rotation.from_rotvec(clip.poses[0, 0]).apply([0, 0, 1.0])
    np.testing.assert_allclose(facing, [1, 0, 0], atol=1e-5)
    assert abs(soles[..., 2].min()) < 0.01 and clip.contacts.all() and clip.info.weight_hint == 0.2
    assert store.body_sha256 == body.sha256 and len(body.sha256) == 64


@pytest.mark.parametrize("size", [0.85, 1.0, 1.12])
def test_a_taller_person_s_path_becomes_our_body_s(swaying, tmp_path, size):
    """SMPL-H's root rests at (-0.0018, -0.2233, 0.0282) (AMASS's body), from which `trans` counts; soles stand at z = 0."""
    poses, _ = swaying(3.0, 60.0)
    body = FootedBody.load()
    hips = body.joints[0, 1] - body.sole  # of a standing person of our size
    place = np.stack([np.linspace(0, 1.2, 180) * size, np.zeros(180), np.full(180, hips * size)], 1)
    (tmp_path / "in").mkdir()
    np.savez(tmp_path / "in" / "glide_poses.npz", poses=poses[:, :52].reshape(180, -1), trans=place - [-0.0018, -0.2233, 0.0282],
             mocap_framerate=60.0, betas=np.zeros(16), gender="female")
    process("amass", tmp_path / "in", tmp_path / "s.safetensors", workers=1)
    clip = MotionStore.open(tmp_path / "s.safetensors").clip(0)
    assert np.linalg.norm(clip.trans[-1, :2] - clip.trans[0, :2]) == pytest.approx(1.2 * 178 / 179, rel=0.01)


def test_a_list_of_files_in_its_order(amass, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text(f"# two\n{amass / 'CMU/02/02_01_poses.npz'}\n\n{amass / 'ACCAD/s001/wave_poses.npz'}\n")
    process("amass", listed, tmp_path / "s.safetensors", workers=1)
    assert [clip.label for clip in MotionStore.open(tmp_path / "s.safetensors").clips] == ["02 01", "wave"]


def test_two_workers_give_the_same_bytes_as_one(amass, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join([str(amass / "CMU/02/02_01_poses.npz"), str(amass / "ACCAD/s001/wave_poses.npz")] * 5))
    for workers in (1, 2):
        process("amass", listed, tmp_path / f"s{workers}.safetensors", workers=workers)
    assert (tmp_path / "s1.safetensors").read_bytes() == (tmp_path / "s2.safetensors").read_bytes()


def test_the_original_s_statistics_have_a_floor_for_what_never_changes(amass, tmp_path):
    from smplit.difftraj.original_features import control_signal, motion_features

    process("amass", amass, tmp_path / "s.safetensors", workers=1, save_train_mean_std=True)
    store, body = MotionStore.open(tmp_path / "s.safetensors"), FootedBody.load()
    found = [[], []]
    for index in range(len(store)):
        clip = store.clip(index)
        root, locals_ = Rotation.from_rotvec(clip.poses[:, 0]), Rotation.from_rotvec(clip.poses[:, 1:].reshape(-1, 3)).as_matrix()
        for kept, features in zip(found, (motion_features, control_signal), strict=True):
            kept.append(features(clip.trans.astype(float), root, locals_.reshape(-1, 21, 3, 3), body.joints))
    with np.load(tmp_path / "s_mean_std.npz", allow_pickle=False) as entries:
        for name, kept in zip(("motoin_info_all_list", "ctrl_signal"), found, strict=True):
            frames = np.concatenate(kept)
            moving = frames.std(0) > 1e-5
            np.testing.assert_allclose(entries[f"{name}_mean"], frames.mean(0), atol=1e-5)
            np.testing.assert_allclose(entries[f"{name}_std"][moving], frames.std(0)[moving], rtol=1e-3)
            assert (entries[f"{name}_std"][~moving] == 1).all() and (~moving).sum() >= (12 if len(moving) == 203 else 0)
        np.testing.assert_array_equal(store.mean, entries["motoin_info_all_list_mean"])


def test_100style_is_cut_by_its_table_in_seconds(write_bvh, swaying, tmp_path):
    """Frame_Cuts counts 60 fps frames; the little recordings are 30 fps, so that counting their own frames would cut twice as late."""
    root = tmp_path / "100STYLE"
    for name, seed in (("Angry_FW", 1), ("Angry_BR", 2), ("Old_ID", 3), ("Old_notes", 4)):
        write_bvh(root / name.split("_")[0] / f"{name}.bvh", 4.0, 30.0, seed)
    (root / "Frame_Cuts.csv").write_text(
        "STYLE_NAME,FW_START,FW_STOP,BR_START,BR_STOP,ID_START,ID_STOP\nAngry,60,180,0,240,,\nOld,0,100,N/A,N/A,30,200\n"
    )
    report = process("100styles", root, tmp_path / "s.safetensors", workers=1)
    store = MotionStore.open(tmp_path / "s.safetensors")
    assert [(clip.style, clip.label) for clip in store.clips] == [("Angry", "run backwards"), ("Angry", "walk"), ("Old", "idle")]
    assert np.diff(store.offsets).tolist() == [120, 60, 85]
    assert reasons(report) == {"Old/Old_notes": "skipped"}
    walk, (poses, _) = store.clip(1), swaying(4.0, 30.0, 1)
    np.testing.assert_allclose(walk.poses[:, 18], poses[30:90, 18], atol=1e-3)


def test_100style_without_its_table_is_refused(write_bvh, tmp_path):
    write_bvh(tmp_path / "Old_FW.bvh")
    with pytest.raises(BadInput, match=r"Frame_Cuts\.csv"):
        process("100styles", tmp_path, tmp_path / "out" / "s.safetensors")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def folder(write_bvh, tmp_path):
    """A folder of BVH files and an archive, with a manifest that names all but one."""
    root = tmp_path / "pack"
    write_bvh(root / "ann" / "one.bvh", seed=1)
    write_bvh(root / "ann" / "unlisted.bvh", seed=2)
    write_bvh(tmp_path / "bob" / "two.bvh", seed=3)
    with tarfile.open(root / "bob.tar.xz", "w:xz") as archive:
        archive.add(tmp_path / "bob", "bob")
    with (root / "MANIFEST.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "dataset", "part", "subject", "style", "label", "licence", "source"])
        writer.writerow(["ann/one.bvh", "Own", "a", "ann", "sad", "sway, slowly", "MIT", "x"])
        writer.writerow(["bob/two.bvh", "Own", "b", "bob", "", "sway", "CC-BY-4.0", "x"])
    return root


def test_a_bvh_pack_with_archives_and_a_manifest(folder, tmp_path):
    report = process("bvh", folder, tmp_path / "s.safetensors", workers=1)
    clips = MotionStore.open(tmp_path / "s.safetensors").clips
    assert [(clip.name, clip.subject, clip.style, clip.label, clip.licence) for clip in clips] == [
        ("ann/one", "ann", "sad", "sway, slowly", "MIT"), ("bob/two", "bob", "", "sway", "CC-BY-4.0"),
    ]
    assert reasons(report) == {"ann/unlisted": "skipped"} and set(report["hours_by_licence"]) == {"MIT", "CC-BY-4.0"}
    assert sorted(file.name for file in folder.iterdir()) == ["MANIFEST.csv", "ann", "bob.tar.xz"]  # nothing unpacked there


def test_bvh_files_of_unknown_skeletons_are_dropped_with_a_reason(write_bvh, tmp_path):
    write_bvh(tmp_path / "in" / "good.bvh")
    strange = write_bvh(tmp_path / "in" / "strange.bvh")
    strange.write_text(strange.read_text().replace("knee", "hock"))
    (tmp_path / "in" / "broken.bvh").write_text("HIERARCHY")
    report = process("bvh", tmp_path / "in", tmp_path / "s.safetensors", workers=1)
    assert reasons(report) == {"strange": "unknown_skeleton", "broken": "unreadable"}
    assert "left_knee" in next(entry["detail"] for entry in report["dropped_recordings"] if entry["name"] == "strange")


def test_archives_that_would_write_elsewhere_are_refused(tmp_path):
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("../escaped.bvh")
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"evil"))
    (tmp_path / "into").mkdir()
    with pytest.raises(BadInput, match="cannot be unpacked"):
        unpack_archives(tmp_path, tmp_path / "into")
    assert not (tmp_path / "escaped.bvh").exists()


@pytest.mark.parametrize(
    "options, words",
    [({"source": "lafan"}, "lafan"), ({"fps": 0.0}, "--fps"), ({"fps": float("nan")}, "--fps"), ({"window": 1}, "--window"),
     ({"max_clips": 0}, "--max-clips"), ({"input": "nowhere"}, "nowhere"), ({"window": 9999}, "No clip was left")],
)
def test_options_that_make_no_sense_write_nothing(amass, tmp_path, options, words):
    chosen = {"source": "amass", "input": amass, "output": tmp_path / "out" / "s.safetensors", "workers": 1, **options}
    with pytest.raises(BadInput, match=words):
        process(**chosen)
    assert not list(tmp_path.iterdir())


def test_an_empty_folder_is_refused(tmp_path):
    for source in ("amass", "bvh"):
        with pytest.raises(BadInput, match="holds no"):
            list_recordings(source, tmp_path)


def test_the_pack_s_own_recordings_and_t_poses_fit_together(tmp_path):
    if not MOTION.is_dir():
        pytest.skip("needs ../shared/motion")
    pack = tmp_path / "pack"
    pack.mkdir()
    for part in ("cmu_m21", "cmu_iclone"):
        (pack / f"{part}.tar.xz").symlink_to(MOTION / f"{part}.tar.xz")
    (pack / "MANIFEST.csv").symlink_to(MOTION / "MANIFEST.csv")
    report = process("bvh", pack, tmp_path / "s.safetensors", rest_pose=MOTION / "rest_tpose", workers=1, max_clips=12)
    assert report["clips"] >= 11 and set(report["hours_by_licence"]) == {"CMU-free"}
    store, body = MotionStore.open(tmp_path / "s.safetensors"), FootedBody.load()
    for index in range(len(store)):
        clip = store.clip(index)
        _, soles = body.posed(clip.poses.astype(float), clip.trans.astype(float))
        speed = np.linalg.norm(np.diff(soles[..., :2], axis=0), axis=-1)[:, [0, 1, 3, 4]]  # m per frame
        planted = clip.contacts[1:].astype(bool) & clip.contacts[:-1].astype(bool)
        assert np.median(speed[planted]) < 0.005 and abs(np.percentile(soles[..., 2].min(1), 30)) < 0.03
