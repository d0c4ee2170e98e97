# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingers and wrists fitted to landmarks of hands that the smplx package posed."""

import numpy as np
from scipy.spatial.transform import Rotation

from smplit.mocap.hands.landmark_fit import fit_hands

from .conftest import FRAMES, K

OPEN = np.zeros((FRAMES, 2, 15, 3))


def fit(hands, seen):
    return fit_hands(seen, K, hands.body, hands.times)


def forget(seen, rows, side=slice(None)):
    for values in (seen.hands, seen.hands_world, seen.hand_confidence):
        values[rows, side] = 0
    return seen


def steps(hands, poses):
    """(T-1,) degrees: the largest turn of any finger bone from frame to frame."""
    bones = hands.bones(poses)
    return np.degrees(np.arccos(np.clip((bones[1:] * bones[:-1]).sum(-1), -1, 1))).max((1, 2))


def wrist_errors(hands, fitted):
    turn = np.swapaxes(hands.wrist_rotations(), -1, -2) @ fitted.wrist_rotations
    return np.degrees(Rotation.from_matrix(turn.reshape(-1, 3, 3)).magnitude()).reshape(-1, 2)


def curl(hands, poses):
    """(n,2) degrees between the middle finger's first and last bone."""
    bones = hands.bones(poses)
    return np.degrees(np.arccos(np.clip((bones[:, :, 9] * bones[:, :, 11]).sum(-1), -1, 1)))


def test_fingers_follow_opening_and_closing_hands_on_both_sides(hands):
    fitted = fit(hands, hands.seen(noise_px=1.0))
    errors = hands.finger_errors(fitted.poses)
    assert errors[:, :, 3:].mean() < 6.0  # measured 3.8; open to fist turns the last bones by 190 degrees
    assert errors[:, :, :3].mean() < 10.0
    assert wrist_errors(hands, fitted).mean() < 5.0
    assert abs(errors[:, 0].mean() - errors[:, 1].mean()) < 1.0
    assert fitted.confidence.mean() > 0.8


def test_hands_of_47_pixels_still_show_their_fingers(hands):
    assert hands.finger_errors(fit(hands, hands.seen(distance=3.0)).poses).mean() < 12.0  # measured 7.0


def test_a_hand_lost_as_a_fist_eases_to_a_relaxed_one_without_a_pop(hands):
    fitted = fit(hands, forget(hands.seen(), slice(15, FRAMES - 4)))
    true = steps(hands, hands.poses)
    assert steps(hands, fitted.poses).max() < 1.25 * true.max()
    middle = curl(hands, fitted.poses)[40]
    assert (middle > 20).all() and (middle < 75).all()
    assert (fitted.confidence[15:-4] == 0).all()


def test_two_lost_frames_are_bridged(hands):
    whole, gap = fit(hands, hands.seen()), fit(hands, forget(hands.seen(), slice(30, 32)))
    bones = (hands.bones(whole.poses[30:32]) * hands.bones(gap.poses[30:32])).sum(-1)
    assert np.degrees(np.arccos(np.clip(bones, -1, 1))).mean() < 8.0


def test_the_other_hand_unseen_stays_relaxed_and_does_not_disturb_the_seen_one(hands):
    both, one = fit(hands, hands.seen()), fit(hands, forget(hands.seen(), slice(None), 1))
    assert hands.finger_errors(one.poses)[:, 0].mean() < hands.finger_errors(both.poses)[:, 0].mean() + 1.0
    assert np.ptp(one.poses[:, 1], axis=0).max() < 1e-6
    assert 20 < curl(hands, one.poses)[0, 1] < 75
    assert (one.confidence[:, 1] == 0).all()


def test_garbage_of_no_confidence_is_never_read(hands):
    clean, dirty = forget(hands.seen(), slice(20, 40)), hands.seen()
    dirty.hands[20:40], dirty.hands_world[20:40], dirty.hand_confidence[20:40] = np.nan, 1e6, 0.05
    np.testing.assert_allclose(fit(hands, dirty).poses, fit(hands, clean).poses, atol=1e-4)


def test_hands_taken_for_each_other_for_two_frames_lose_their_say(hands):
    seen = hands.seen()
    for values in (seen.hands, seen.hands_world):
        values[30:32] = values[30:32, ::-1].copy()
    fitted = fit(hands, seen)
    assert fitted.confidence[30:32].max() < 0.2
    assert fitted.confidence[:24].min() > 0.5
    assert steps(hands, fitted.poses).max() < 1.5 * steps(hands, hands.poses).max()


def test_fingers_never_bend_backwards_even_when_the_landmarks_do(hands):
    poses = OPEN.copy()
    for side in range(2):
        for finger in range(4):
            poses[:, side, 3 * finger : 3 * finger + 3] = -np.radians([50.0, 40.0, 40.0])[:, None] * hands.bending_axis(side, finger)
    fitted = fit(hands, hands.seen(hands.joints(poses)))
    for side in range(2):
        for finger in range(4):
            bend = np.degrees(fitted.poses[:, side, 3 * finger : 3 * finger + 3] @ hands.bending_axis(side, finger))
            assert bend[:, 0].min() > -25.0  # a knuckle gives a little
            assert bend[:, 1:].min() > -3.0  # the middle and end joints do not


def test_noise_of_one_person_standing_far_away_leaves_a_calm_relaxed_hand(hands):
    still = hands.joints(OPEN, np.full((FRAMES, 2, 3), 0.6))
    seen = hands.seen(still, distance=6.0, noise_px=2.5)
    seen.hand_confidence[:] = 0.3
    fitted = fit(hands, seen)
    assert steps(hands, fitted.poses).max() < 12.0
    assert curl(hands, fitted.poses).max() < 110.0
