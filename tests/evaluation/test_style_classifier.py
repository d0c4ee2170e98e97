# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows of walks, and the classifier on styles that differ by what is known."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.evaluation import style_classifier
from smplit.evaluation.body_track import BodyTrack
from smplit.evaluation.style_classifier import StyleClassifier
from smplit.evaluation.style_windows import CHANNELS, FRAMES, RealWindows, cut, mirrored, window_frames
from smplit.motion import BODY_JOINTS

sys.path.append(str(Path(__file__).parents[1] / "difftraj"))
_CHANNEL = {name: slice(3 * i, 3 * i + 3) for i, name in enumerate(BODY_JOINTS[1:])}


@pytest.fixture(scope="module")
def walked(body):
    from synthetic_walk import walk

    return walk(body, seconds=4.0).motion


def test_windows_do_not_see_where_somebody_walks_nor_which_way(body, walked):
    turn = Rotation.from_euler("z", 130, degrees=True)
    rest = body.rest_joints()[0].numpy()
    poses = walked.poses.reshape(len(walked), 55, 3).copy()
    poses[:, 0] = (turn * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    trans = turn.apply(walked.trans + rest) + [3, -2, 0.5] - rest
    elsewhere = replace(walked, poses=poses.reshape(len(walked), -1), trans=trans.astype(np.float32))
    here, there = (window_frames(BodyTrack.of(motion, body)) for motion in (walked, elsewhere))
    np.testing.assert_allclose(there, here, atol=1e-4)


def test_a_standing_body_has_its_left_on_the_left_and_its_toes_ahead(body, walked):
    frames = window_frames(BodyTrack.of(walked, body))
    assert (frames[:, _CHANNEL["left_shoulder"]][:, 1] > 0.05).all() and (frames[:, _CHANNEL["right_shoulder"]][:, 1] < -0.05).all()
    ahead = frames[:, _CHANNEL["left_foot"]][:, 0] - frames[:, _CHANNEL["left_ankle"]][:, 0]
    assert ahead.mean() > 0.05


def test_the_mirror_exchanges_hands_and_comes_back():
    window = np.random.default_rng(0).standard_normal((2, FRAMES, CHANNELS)).astype(np.float32)
    other = mirrored(window)
    np.testing.assert_array_equal(other[..., _CHANNEL["left_wrist"]], window[..., _CHANNEL["right_wrist"]] * [1, -1, 1])
    np.testing.assert_array_equal(other[..., _CHANNEL["head"]], window[..., _CHANNEL["head"]] * [1, -1, 1])
    np.testing.assert_array_equal(mirrored(other), window)


def test_a_clip_is_cut_into_whole_windows():
    frames = np.arange(100)[:, None]
    assert cut(frames, 20)[:, 0, 0].tolist() == [0, 20, 40] and cut(frames, 20).shape == (3, FRAMES, 1)
    assert cut(frames[:59], 20).shape == (0, FRAMES, 1)


def made_up(seed, counts):
    """Styles that differ in how high and how fast the left hand swings; everything else is noise."""
    random = np.random.default_rng(seed)
    styles, windows = [], []
    for number, (style, count) in enumerate(counts.items()):
        some = 0.1 * random.standard_normal((count, FRAMES, CHANNELS)).astype(np.float32)
        phase = random.uniform(0, 2 * np.pi, (count, 1))
        some[..., _CHANNEL["left_wrist"].start + 2] += 0.6 * number + 0.3 * np.sin(np.arange(FRAMES) * (0.2 + 0.2 * number) + phase)
        windows.append(some)
        styles += [style] * count
    names = np.array(styles)
    return RealWindows(np.concatenate(windows), names, np.full(len(names), "walk"), np.full(len(names), "train"), np.zeros(len(names), int))


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setattr(style_classifier, "_STEPS", 80)


def test_styles_that_differ_are_told_apart_however_rare(brief):
    classifier = StyleClassifier.trained(made_up(0, {"low": 300, "middle": 40, "high": 100}))
    unseen = made_up(1, {"low": 40, "middle": 40, "high": 40})
    assert classifier.styles == ("high", "low", "middle")
    for style in classifier.styles:
        assert np.mean(classifier.named(unseen.windows[unseen.style == style]) == style) > 0.9, style
        assert np.mean(classifier.named(mirrored(unseen.windows[unseen.style == style])) == style) > 0.9, style


def test_the_same_seed_trains_the_same_classifier(brief):
    real = made_up(0, {"low": 30, "high": 30})
    one, same, other = (StyleClassifier.trained(real, seed).features(real.windows)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.1


def test_a_classifier_is_kept_for_the_same_windows_only(brief, tmp_path, monkeypatch):
    real = made_up(0, {"low": 30, "high": 30})
    made = StyleClassifier.cached(tmp_path / "c.safetensors", real)
    trained = []
    whole = StyleClassifier.trained
    monkeypatch.setattr(StyleClassifier, "trained", lambda *a, **k: trained.append(1) or whole(*a, **k))
    again = StyleClassifier.cached(tmp_path / "c.safetensors", real)
    assert not trained
    np.testing.assert_array_equal(again.features(real.windows)[0], made.features(real.windows)[0])
    StyleClassifier.cached(tmp_path / "c.safetensors", made_up(2, {"low": 30, "high": 30}))
    assert trained
