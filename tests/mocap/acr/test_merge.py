# SPDX-License-Identifier: GPL-3.0-or-later
"""Two estimates of the hands become one without a step, and it is recorded whose it is."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from seen_person import BODY, angles

from smplit.body.model import BodyModel
from smplit.errors import BadInput, MissingModel
from smplit.mocap.acr import flat_hand
from smplit.mocap.acr.flat_hand import mean_hands
from smplit.mocap.acr.merge import HandSource, merge_hands
from smplit.mocap.hands.landmark_fit import HandFit

FRAMES, FPS = 90, 30.0
TIMES = np.arange(FRAMES) / FPS
FIRST, SECOND = np.array([0.9, 0.1, -0.2]), np.array([0.3, -0.2, 0.1])  # two poses of a joint, 40 degrees apart


def hands(joint, confidence, count=FRAMES):
    """Every joint and both wrists turned by `joint` (3,) rad, in all frames."""
    poses = np.broadcast_to(joint, (count, 2, 15, 3)).astype(np.float32)
    wrists = np.broadcast_to(Rotation.from_rotvec(joint).as_matrix(), (count, 2, 3, 3)).astype(np.float32)
    return HandFit(poses.copy(), wrists.copy(), np.broadcast_to(np.asarray(confidence, np.float32), (count, 2)).copy())


def pose_angles(fit, joint):
    """(N,2) degrees that the finger joints are from `joint`."""
    found = Rotation.from_rotvec(fit.poses[:, :, 4].reshape(-1, 3)).as_matrix().reshape(*fit.poses.shape[:2], 3, 3)
    return angles(found, np.broadcast_to(Rotation.from_rotvec(joint).as_matrix(), found.shape))


@pytest.mark.parametrize("acr, landmarks, joint, source", [
    (0.8, 0.8, FIRST, HandSource.ACR), (0.8, 0.0, FIRST, HandSource.ACR), (0.0, 0.8, SECOND, HandSource.LANDMARKS),
    (0.3, 0.9, SECOND, HandSource.LANDMARKS), (0.7, 0.9, FIRST, HandSource.ACR),
])
def test_the_surer_one_is_followed_and_acr_when_it_is_about_as_sure(acr, landmarks, joint, source):
    merged, sources = merge_hands(hands(FIRST, acr), hands(SECOND, landmarks), TIMES)
    assert pose_angles(merged, joint).max() < 0.01 and (sources == source).all()
    assert angles(merged.wrist_rotations, np.broadcast_to(Rotation.from_rotvec(joint).as_matrix(), (FRAMES, 2, 3, 3))).max() < 0.1
    assert np.allclose(merged.confidence, acr if source == HandSource.ACR else landmarks)


def test_where_acr_drops_out_nothing_jumps():
    acr = hands(FIRST, 0.8)
    acr.confidence[40:, 0] = 0.0
    merged, source = merge_hands(acr, hands(SECOND, 0.6), TIMES)
    left = pose_angles(merged, FIRST)[:, 0]
    whole = angles(Rotation.from_rotvec(FIRST).as_matrix()[None], Rotation.from_rotvec(SECOND).as_matrix()[None])[0]
    assert left[:36].max() < 0.01 and np.allclose(left[44:], whole, atol=0.01)
    assert (np.diff(left) > -1e-3).all() and np.diff(left).max() < whole / 2.5  # 0.15 s are 4.5 frames
    wrists = angles(merged.wrist_rotations[1:], merged.wrist_rotations[:-1])
    assert wrists[:, 0].max() < whole / 2.5
    assert (source[:39, 0] == HandSource.ACR).all() and (source[41:, 0] == HandSource.LANDMARKS).all()
    assert pose_angles(merged, FIRST)[:, 1].max() < 0.01 and (source[:, 1] == HandSource.ACR).all()  # the other hand


@pytest.mark.parametrize("fps", [24.0, 120.0])
def test_a_blend_takes_as_long_at_any_frame_rate(fps):
    times = np.arange(int(3 * fps)) / fps
    acr, landmarks = hands(FIRST, 0.8, len(times)), hands(SECOND, 0.6, len(times))
    acr.confidence[times > 1.5] = 0.0
    between = pose_angles(merge_hands(acr, landmarks, times)[0], FIRST)[:, 0]
    under_way = times[(between > 0.5) & (between < between.max() - 0.5)]
    assert 0.08 <= np.ptp(under_way) + 1.0 / fps <= 0.2


def test_confidences_that_waver_do_not_make_it_change_its_mind():
    random = np.random.default_rng(0)
    acr, landmarks = hands(FIRST, 0.5), hands(SECOND, 0.75)
    acr.confidence += random.uniform(-0.05, 0.05, acr.confidence.shape).astype(np.float32)
    _, source = merge_hands(acr, landmarks, TIMES)
    assert (np.abs(np.diff(source, axis=0)).sum(0) == 0).all()


def test_where_neither_sees_a_hand_its_source_is_nobody():
    acr, landmarks = hands(FIRST, 0.0), hands(FIRST, 0.0)
    landmarks.confidence[:30] = 0.7
    merged, source = merge_hands(acr, landmarks, TIMES)
    assert (source[:30] == HandSource.LANDMARKS).all() and (source[30:] == HandSource.NONE).all()
    assert (merged.confidence[40:] == 0).all() and pose_angles(merged, FIRST).max() < 0.01


def test_one_frame_is_enough():
    merged, source = merge_hands(hands(FIRST, 0.8, 1), hands(SECOND, 0.5, 1), np.zeros(1))
    assert pose_angles(merged, FIRST).max() < 0.01 and source.tolist() == [[2, 2]]


def missing(name):
    raise MissingModel("not there", "get it")


def test_the_mean_hand_is_mano_s_where_it_is_there(tmp_path, monkeypatch):
    left, right = np.arange(45.0), -np.arange(45.0)
    np.savez(tmp_path / "MANO.npz", left_hands_mean=left, right_hands_mean=right)
    monkeypatch.setattr(flat_hand, "find", {"mano": tmp_path / "MANO.npz"}.__getitem__)
    means, warning = mean_hands(BodyModel.load(BODY))
    assert warning is None and np.array_equal(means, np.stack([left, right]).reshape(2, 15, 3))


def test_else_the_body_s_with_a_warning_when_that_is_not_the_real_one(tmp_path, monkeypatch):
    monkeypatch.setattr(flat_hand, "find", missing)
    means, warning = mean_hands(BodyModel.load(BODY))
    with np.load(BODY) as archive:
        arrays = {name: archive[name] for name in archive.files}
    assert "MANO" in warning and "models add" in warning
    assert np.allclose(means, np.stack([arrays["hands_meanl"], arrays["hands_meanr"]]).reshape(2, 15, 3)) and np.abs(means).max() > 0.1
    del arrays["smplit_standin"]
    np.savez(tmp_path / "SMPLX_NEUTRAL.npz", **arrays)
    again, warning = mean_hands(BodyModel.load(tmp_path / "SMPLX_NEUTRAL.npz"))
    assert warning is None and np.array_equal(again, means)


def test_a_file_without_mean_hands_is_named(tmp_path, monkeypatch):
    np.savez(tmp_path / "MANO.npz", left_hands_mean=np.zeros(45))
    monkeypatch.setattr(flat_hand, "find", {"mano": tmp_path / "MANO.npz"}.__getitem__)
    with pytest.raises(BadInput, match=r"MANO\.npz"):
        mean_hands(BodyModel.load(BODY))
