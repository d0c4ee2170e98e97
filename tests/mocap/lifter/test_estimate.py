# SPDX-License-Identifier: GPL-3.0-or-later
"""The lifter on a person's landmarks: any length, any frame rate, gaps; and its file."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.errors import BadInput
from smplit.mocap.lifter import estimate
from smplit.mocap.lifter.estimate import BodyLifter
from smplit.mocap.lifter.weights import load_weights, save_weights


def test_the_result_does_not_depend_on_the_pieces(network, body, walker, monkeypatch):
    lifter, film = BodyLifter(network, body), walker(400, 30)
    whole = lifter(*film)
    monkeypatch.setattr(estimate, "_PIECE", 110)
    pieces = lifter(*film)
    np.testing.assert_allclose(pieces.rotations, whole.rotations, atol=2e-5)
    np.testing.assert_allclose(pieces.pelvis, whole.pelvis, atol=1e-4)


@pytest.mark.parametrize("fps", [24, 60])
def test_other_frame_rates_give_the_same_motion(network, body, walker, fps):
    lifter = BodyLifter(network, body)
    own, other = lifter(*walker(61, 30)), lifter(*walker(2 * fps + 1, fps))
    same = slice(0, None, fps // 12)  # both have a frame at every twelfth of a second ...
    of_own = np.round(np.arange(len(other.pelvis))[same] / fps * 30, 6)
    whole = of_own == of_own.astype(int)  # ... of which these fall on one of 30 a second
    a, b = own.rotations[of_own[whole].astype(int)], other.rotations[same][whole]
    angle = np.linalg.norm(Rotation.from_matrix((np.swapaxes(a, -1, -2) @ b).reshape(-1, 3, 3)).as_rotvec(), axis=-1)
    assert np.degrees(angle).mean() < 1.0


def test_what_stands_in_unseen_frames_does_not_matter(network, body, walker):
    found = []
    for rubbish in (0.0, 300.0):
        landmarks, camera, times = walker(60, 30)
        landmarks.seen[20:30] = False
        landmarks.body[20:30], landmarks.body_world[20:30], landmarks.body_confidence[20:30] = rubbish, rubbish, 0.5
        found.append(BodyLifter(network, body)(landmarks, camera, times))
    assert all(np.isfinite(getattr(found[0], name)).all() for name in found[0].__dataclass_fields__)
    np.testing.assert_allclose(found[0].rotations, found[1].rotations, atol=1e-6)


@pytest.mark.parametrize("frames", [1, 2])
def test_the_shortest_tracks_work(network, body, walker, frames):
    lifted = BodyLifter(network, body)(*walker(frames, 30))
    assert lifted.rotations.shape == (frames, 22, 3, 3) and np.isfinite(lifted.pelvis).all()
    np.testing.assert_allclose(np.linalg.det(lifted.rotations), 1.0, atol=1e-5)


def test_nobody_seen_is_finite(network, body, walker):
    landmarks, camera, times = walker(10, 30)
    landmarks.seen[:] = False
    lifted = BodyLifter(network, body)(landmarks, camera, times)
    assert np.isfinite(lifted.rotations).all() and np.isfinite(lifted.betas).all()


def test_weights_come_back_and_others_are_refused(network, body, walker, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(network, path, {"data": "none"})
    film = walker(30, 30)
    again = BodyLifter(load_weights(path), body)(*film)
    np.testing.assert_allclose(again.rotations, BodyLifter(network, body)(*film).rotations, atol=5e-3)  # half precision
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadInput, match="cut short"):
        load_weights(path)
    with pytest.raises(BadInput, match="is not a file"):
        load_weights(tmp_path / "nothing.safetensors")
    from smplit.models import find

    with pytest.raises(BadInput, match="holds no lifter"):
        load_weights(find("difftraj"))
