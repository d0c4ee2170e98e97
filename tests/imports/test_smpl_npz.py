# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the SMPL family, laid out as their programs publish them, mean here what they mean there."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.body.model import BodyModel
from smplit.errors import BadInput
from smplit.imports import import_motion
from smplit.motion import JOINT_NAMES, Motion, joint_transforms

FRAMES = 40
STANDING = np.array([np.pi / 2, 0.0, 0.0])  # Y up -> Z up


def walk(joints):
    """(T,joints,3) rad of somebody upright in a Z-up world who turns, and (T,3) m."""
    rng = np.random.default_rng(3)
    poses = rng.normal(size=(FRAMES, joints, 3)) * 0.2
    turn = Rotation.from_rotvec(np.c_[np.zeros((FRAMES, 2)), np.linspace(-1.0, 1.0, FRAMES)])
    poses[:, 0] = (turn * Rotation.from_rotvec(STANDING)).as_rotvec()
    return poses, np.stack([np.linspace(0, 2, FRAMES), np.full(FRAMES, 0.3), 1.2 + 0.02 * np.sin(np.arange(FRAMES))], -1)


def save(path, **entries):
    np.savez(path, **entries)
    return path


def smplx_file(path, **changed):
    """As AMASS's SMPL-X release: with the pickled marker names that those files carry."""
    poses, trans = walk(55)
    entries = {
        "gender": np.array("female"), "surface_model_type": np.array("smplx"), "mocap_frame_rate": np.array(120.0),
        "mocap_time_length": np.array(FRAMES / 120), "markers_latent": np.zeros((3, 3)), "latent_labels": np.array(["A", "B", "C"]),
        "markers_latent_vids": np.array({"A": 1}, dtype=object), "trans": trans, "poses": poses.reshape(FRAMES, 165), "betas": np.arange(16.0) / 9,
        "num_betas": np.array(16), "root_orient": poses[:, 0], "pose_body": poses[:, 1:22].reshape(FRAMES, 63),
        "pose_hand": poses[:, 25:].reshape(FRAMES, 90), "pose_jaw": poses[:, 22], "pose_eye": poses[:, 23:25].reshape(FRAMES, 6),
    }
    return save(path, **{**entries, **changed}), poses, trans


def test_an_amass_smplx_file_reads_as_it_is_beside_its_pickled_marker_names(tmp_path):
    path, poses, trans = smplx_file(tmp_path / "01_01_stageii.npz")
    for motion in (import_motion(path), Motion.load(path)):
        assert motion.poses == pytest.approx(poses.reshape(FRAMES, 165), abs=1e-6) and motion.trans == pytest.approx(trans, abs=1e-6)
        assert motion.fps == 120.0 and motion.gender == "female" and motion.betas == pytest.approx(np.arange(16) / 9, abs=1e-6)


def test_the_parts_of_an_amass_file_without_poses_make_the_same_motion(tmp_path):
    path, poses, _ = smplx_file(tmp_path / "whole.npz")
    with np.load(path) as archive:
        parts = {name: archive[name] for name in archive.files if name not in ("poses", "markers_latent_vids")}
    motion = import_motion(save(tmp_path / "parts.npz", **parts))
    assert motion.poses == pytest.approx(poses.reshape(FRAMES, 165), abs=1e-6)


def test_smplh_hands_go_to_the_fingers_and_the_jaw_stays_shut(tmp_path):
    poses, trans = walk(52)
    motion = import_motion(save(
        tmp_path / "B3_poses.npz", poses=poses.reshape(FRAMES, 156), trans=trans, gender=np.array("male"), mocap_framerate=np.array(60.0),
        betas=np.ones(16), dmpls=np.zeros((FRAMES, 8)),
    ))
    ours = motion.poses.reshape(FRAMES, 55, 3)
    left, right = JOINT_NAMES.index("left_index1"), JOINT_NAMES.index("right_index1")
    assert ours[:, :22] == pytest.approx(poses[:, :22], abs=1e-6)
    assert ours[:, left : left + 15] == pytest.approx(poses[:, 22:37], abs=1e-6)
    assert ours[:, right : right + 15] == pytest.approx(poses[:, 37:52], abs=1e-6)
    assert not ours[:, 22:25].any() and motion.fps == 60.0
    assert not motion.betas.any() and motion.extras["smplit_source_betas"] == pytest.approx(np.ones(16))  # another body's shape


@pytest.mark.parametrize("shape", [(FRAMES, 72), (FRAMES, 24, 3)])
def test_smpl_keeps_its_body_and_loses_its_mitten_hands(tmp_path, shape):
    poses, trans = walk(24)
    ours = import_motion(save(tmp_path / "m.npz", poses=poses.reshape(shape), trans=trans, fps=np.array(25))).poses.reshape(FRAMES, 55, 3)
    assert ours[:, :22] == pytest.approx(poses[:, :22], abs=1e-6) and not ours[:, 22:].any()


def test_smplx_package_names_are_understood(tmp_path):
    poses, trans = walk(24)
    motion = import_motion(save(
        tmp_path / "m.npz", global_orient=poses[:, 0], body_pose=poses[:, 1:].reshape(FRAMES, 69), transl=trans, fps=np.array(25),
    ))
    assert motion.poses[:, :66] == pytest.approx(poses[:, :22].reshape(FRAMES, 66), abs=1e-6) and motion.trans == pytest.approx(trans, abs=1e-6)


def test_an_original_smplit_file_keeps_its_expression_under_flames_names(tmp_path):
    poses, trans = walk(55)
    path = save(
        tmp_path / "ID1.npz", poses=poses, trans=trans, betas=np.ones((1, 10)), exp=np.full((FRAMES, 50), 0.5), gender=np.array("male"),
        mocap_framerate=np.array(29.97), whole_body_kpts=np.full((FRAMES, 133, 3), np.nan),
        height=np.array(720), stride=np.array(1), fps=np.array(29.97),
    )
    motion = import_motion(path)
    assert motion.poses == pytest.approx(poses.reshape(FRAMES, 165), abs=1e-6) and motion.betas.shape == (10,)
    assert motion.expression.shape == (FRAMES, 50) and motion.expression_names[0] == "flame000" and motion.fps == pytest.approx(29.97)


def test_our_own_file_comes_back_whole(tmp_path):
    poses, trans = walk(55)
    ours = Motion(
        poses.reshape(FRAMES, 165).astype(np.float32), trans.astype(np.float32), 24.0, expression=np.ones((FRAMES, 2), np.float32),
        expression_names=("jawOpen", "browInnerUp"), contacts=np.ones((FRAMES, 4), np.float32), valid=np.ones(FRAMES, bool),
        frame_times=np.arange(FRAMES) / 24.0, extras={"smplit_body": np.array("OPEN_NEUTRAL.npz")},
    )
    again = import_motion(ours.save(tmp_path / "m.npz"))
    for name, value in ours.arrays().items():
        assert np.array_equal(again.arrays()[name], value), name


def joints(poses, trans):
    rest = BodyModel.load().rest_joints().numpy()
    return joint_transforms(poses, rest)[1] + np.asarray(trans)[:, None]


# From the file's axes to Z up, written out: (x,y,z) -> where each comes from.
IN_FILE = {"y": lambda p: np.stack([p[..., 0], p[..., 2], -p[..., 1]], -1), "-y": lambda p: np.stack([p[..., 0], -p[..., 2], p[..., 1]], -1)}


@pytest.mark.parametrize("axis", ["y", "-y"])
@pytest.mark.parametrize("told", [True, False])
def test_a_y_up_file_is_turned_so_that_every_joint_is_where_it_was(tmp_path, axis, told):
    poses, trans = walk(55)
    turn = Rotation.from_matrix(np.stack([IN_FILE[axis](row) for row in np.eye(3)], -1))
    rest_root = BodyModel.load().rest_joints()[0].numpy()
    lying = poses.copy()
    lying[:, 0] = (turn * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    entries = {"poses": lying, "trans": IN_FILE[axis](trans + rest_root) - rest_root, "fps": np.array(30)}
    motion = import_motion(save(tmp_path / "m.npz", **entries, **({"up": np.array(axis)} if told else {})))
    # The rest root of the open body and of SMPL-X differ by 4 mm.
    assert IN_FILE[axis](joints(motion.poses, motion.trans)) == pytest.approx(joints(entries["poses"], entries["trans"]), abs=5e-3)


@pytest.mark.parametrize("name", ["mocap_framerate", "mocap_frame_rate"])
def test_an_amass_file_has_amass_axes_even_when_somebody_lies_along_y(tmp_path, name):
    poses, trans = walk(52)
    poses[:, 0] = np.random.default_rng(0).normal(size=(FRAMES, 3)) * 0.05  # on the back, head along +Y
    motion = import_motion(save(tmp_path / "m.npz", poses=poses.reshape(FRAMES, 156), trans=trans, **{name: np.array(60.0)}))
    assert motion.trans == pytest.approx(trans, abs=1e-6) and motion.poses[:, :3] == pytest.approx(poses[:, 0], abs=1e-6)


def test_fingers_counted_from_the_mean_hand_need_the_real_body(tmp_path, monkeypatch):
    path, poses, _ = smplx_file(tmp_path / "m.npz", flat_hand_mean=np.array(False))
    with pytest.raises(BadInput, match=r"SMPLX_NEUTRAL\.npz"):
        import_motion(path)
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=(2, 45))
    body = tmp_path / "models" / "body"
    body.mkdir(parents=True)
    np.savez(body / "SMPLX_NEUTRAL.npz", hands_meanl=left, hands_meanr=right, names=np.array([None]))
    monkeypatch.setenv("SMPLIT_MODEL_FILES", str(tmp_path / "models"))
    motion = import_motion(path)
    assert motion.poses[:, 75:120] == pytest.approx(poses[:, 25:40].reshape(FRAMES, 45) + left, abs=1e-5)
    assert motion.poses[:, 120:] == pytest.approx(poses[:, 40:].reshape(FRAMES, 45) + right, abs=1e-5)
    assert motion.poses[:, :75] == pytest.approx(poses[:, :25].reshape(FRAMES, 75), abs=1e-6)
