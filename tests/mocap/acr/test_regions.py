# SPDX-License-Identifier: GPL-3.0-or-later
"""Squares hold the hands, at a size that ACR knows, and are steady."""

import numpy as np
import pytest
import torch
from seen_person import FOCAL, FPS, FRAMES, SIZE, SeenPerson, camera

from smplit.mocap.acr.look import AcrLook
from smplit.mocap.acr.regions import hand_squares, picture_size

TIMES = np.arange(FRAMES) / FPS


@pytest.fixture(scope="module", params=[1.0, 1.8], ids=["apart", "together"])
def person(request):
    return SeenPerson(bend=request.param)


@pytest.fixture
def landmarks(person):
    return person.landmarks()


def moved(landmarks, shift):
    """All of a person (N,2) px further."""
    landmarks.hands = landmarks.hands + shift[:, None, None]
    landmarks.body = landmarks.body + shift[:, None]
    return landmarks


def apart(distance, wander=0.0):
    """Hands (N,) px from each other, of 60 px."""
    landmarks = SeenPerson(where=(0, 0.3, 3.2), bend=1.8).landmarks()
    middles = landmarks.hands.mean(2, keepdims=True)
    goal = np.stack([np.stack([640 + sign * (np.asarray(distance) / 2), np.full(FRAMES, 400.0)], -1) for sign in (1, -1)], 1)[:, :, None]
    landmarks.hands = landmarks.hands - middles + goal + wander
    return landmarks


def hold(squares, points):
    """(N,2,P) whether points (N,2,P,2) px are within each hand's square."""
    low, side = squares[:, :, None, :2], squares[:, :, None, 2:]
    return ((points >= low) & (points <= low + side)).all(-1)


def test_every_landmark_of_a_hand_is_in_its_square_which_it_fills_as_the_network_knows_it(person, landmarks):
    plan = hand_squares(landmarks, TIMES, SIZE)
    assert hold(plan.squares, landmarks.hands).all()
    metres = np.linalg.norm(np.diff(landmarks.hands_world[:, :, [0, 9, 10, 11, 12]], axis=2), axis=-1).sum(-1)  # along the middle finger
    true = metres * FOCAL / person.joints[:, [28, 43], 2]  # px, if it were seen at its full length
    share = true / plan.squares[..., 2]
    assert share.min() > 1 / 8 and share.max() < 1 / 2
    assert np.abs(plan.lengths / true - 1.0).max() < 0.35
    assert np.abs(plan.wrists - landmarks.hands[:, :, 0]).max() < 5.0


def test_hands_share_a_square_when_they_are_together():
    for bend, shared in ((1.0, False), (1.8, True)):
        plan = hand_squares(SeenPerson(bend=bend).landmarks(), TIMES, SIZE)
        assert [plan.shared(row) for row in range(FRAMES)] == [shared] * FRAMES


def test_noise_moves_squares_less_than_itself(landmarks):
    random, sigma = np.random.default_rng(1), 3.0
    still = hand_squares(landmarks, TIMES, SIZE).squares.astype(float)
    landmarks.hands = landmarks.hands + random.normal(0, sigma, landmarks.hands.shape)
    landmarks.body = landmarks.body + random.normal(0, sigma, landmarks.body.shape)
    noisy = hand_squares(landmarks, TIMES, SIZE).squares.astype(float)
    middles = (noisy - still)[..., :2] + (noisy - still)[..., 2:] / 2.0
    assert np.abs(np.diff(middles, axis=0)).mean() < sigma / 2
    assert (np.abs(np.diff(noisy[..., 2], axis=0)) / noisy[1:, :, 2]).max() < 0.04


def test_a_hand_that_waves_fast_stays_in_its_square():
    landmarks = SeenPerson(where=(0, 0.3, 3.2)).landmarks()
    landmarks.hands[:, 0] += np.stack([130.0 * np.sin(2 * np.pi * 2.5 * TIMES), np.zeros(FRAMES)], -1)[:, None]  # 0.8 m, 2.5 times a second
    assert hold(hand_squares(landmarks, TIMES, SIZE).squares, landmarks.hands).all()


def test_at_the_limit_between_one_square_and_two_it_does_not_flicker():
    slow = np.linspace(150.0, 500.0, FRAMES)
    plan = hand_squares(apart(slow, np.random.default_rng(2).normal(0, 8.0, (FRAMES, 2, 1, 2))), TIMES, SIZE)
    shared = np.array([plan.shared(row) for row in range(FRAMES)])
    assert shared[0] and not shared[-1] and np.count_nonzero(np.diff(shared)) == 1


def test_hands_that_nobody_sees_are_not_looked_for():
    landmarks = SeenPerson().landmarks()
    landmarks.hand_confidence[:] = 0.0
    landmarks.body_confidence[:, 13:23] = 0.1
    landmarks.hands[:], landmarks.body[:, 13:23] = np.nan, np.nan
    assert hand_squares(landmarks, TIMES, SIZE) is None


def test_one_hand_that_is_never_seen_is_not_looked_for_and_the_other_is():
    landmarks = SeenPerson(bend=1.8).landmarks()
    landmarks.hand_confidence[:, 1] = 0.0
    landmarks.body_confidence[:, 16] = 0.0
    landmarks.hands[:, 1], landmarks.body[:, 16] = np.nan, np.nan
    plan = hand_squares(landmarks, TIMES, SIZE)
    assert (plan.squares[:, 1] == 0).all() and np.isnan(plan.wrists[:, 1]).all() and not plan.shared(0)
    assert hold(plan.squares, landmarks.hands)[:, 0].all()


def test_without_hand_landmarks_the_body_s_wrist_tells_where_to_look():
    landmarks = SeenPerson(where=(0, 0.3, 3.2)).landmarks()
    true = landmarks.hands.copy()
    landmarks.hand_confidence[:], landmarks.hands[:] = 0.0, 0.0
    assert hold(hand_squares(landmarks, TIMES, SIZE).squares, true).all()


def test_short_gaps_are_looked_at_and_long_ones_are_not():
    landmarks = SeenPerson().landmarks()
    true = landmarks.hands.copy()
    for rows in (slice(5, 9), slice(18, FRAMES)):
        landmarks.hand_confidence[rows, 0], landmarks.body_confidence[rows, 15] = 0.0, 0.0
        landmarks.hands[rows, 0], landmarks.body[rows, 15] = np.nan, np.nan
    plan = hand_squares(landmarks, TIMES, SIZE)
    assert hold(plan.squares, true)[:18, 0].all()
    assert (plan.squares[27:, 0] == 0).all() and (plan.squares[27:, 1, 2] > 0).all()


def test_squares_stay_within_the_picture_and_are_never_larger_than_all_of_it():
    corner = moved(SeenPerson(bend=1.8).landmarks(), np.broadcast_to([-140.0, 0.0], (FRAMES, 2)))
    squares = hand_squares(corner, TIMES, SIZE).squares
    assert squares.min() >= 0 and (squares[..., :2] + squares[..., 2:] <= SIZE).all()
    close = SeenPerson(where=(0.0, 0.35, 0.75), bend=1.8).landmarks()
    squares = hand_squares(close, TIMES, SIZE).squares
    assert squares[..., 2].max() <= max(SIZE)


class Pretended(torch.nn.Module):
    """In the network's place."""

    def forward(self, pictures):
        raise AssertionError


def test_a_frame_gives_one_crop_for_hands_together_and_two_for_hands_apart():
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    for bend, slots in ((1.0, [0, 1]), (1.8, [0])):
        person = SeenPerson(bend=bend)
        look = AcrLook(Pretended())
        plan = look.plan(person.landmarks(), camera(), person.times)
        left, top, side = plan.squares[3, 0]
        image[:] = 0
        image[top : top + side, left : left + side, 0] = 200
        crops = look.crops(image, plan, 3)
        assert [slot for slot, _ in crops] == slots
        assert crops[0][1].dtype == torch.uint8 and crops[0][1].shape == (512, 512, 3)
        assert crops[0][1].float().mean((0, 1)).tolist() == [200.0, 0.0, 0.0]


def test_the_picture_s_size_is_the_camera_s_or_twice_its_middle():
    assert picture_size(camera()) == (1280, 720) and picture_size(camera((1920, 1080))) == (1920, 1080)
