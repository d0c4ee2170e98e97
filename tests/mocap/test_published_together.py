# SPDX-License-Identifier: GPL-3.0-or-later
"""Every published estimator at once on a real video. Weights are by formula, so no pose means anything; that it arrives does."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from smplit.cli import main
from smplit.mocap.hmr2 import network as hmr2_network
from smplit.mocap.sources import LIMBS, SOURCES
from smplit.motion import Motion

sys.path.insert(0, str(Path(__file__).parent))
from published_files import DEPTH, write_published

VIDEOS = Path(__file__).resolve().parents[3] / "shared" / "videos"
WHOLE, HALF = VIDEOS / "walk_moving_camera.mp4", VIDEOS / "halfbody_sign_hands.mp4"
SECONDS = "1:1.35"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not WHOLE.is_file(), reason="needs ../shared/videos")]


@pytest.fixture(scope="module")
def model_files(tmp_path_factory):
    return write_published(tmp_path_factory.mktemp("model_files"))


@pytest.fixture
def captured(model_files, tmp_path, monkeypatch, capsys):
    """`captured(video, *options)` -> motion and what was said."""
    monkeypatch.setenv("SMPLIT_MODEL_FILES", str(model_files))
    monkeypatch.setattr(hmr2_network, "DEPTH", DEPTH)

    def run(video, *options):
        assert main(["capture", str(video), "-o", str(tmp_path), "--range", SECONDS, "--people", "largest", "--json", *options]) == 0
        said = json.loads(capsys.readouterr().out)
        return Motion.load(said["written"][0]["file"]), said

    return run


def _sources(motion, limb):
    return {SOURCES[code] for code in motion.extras["smplit_sources"][:, LIMBS.index(limb)]}


def _check(motion):
    motion.check()  # shapes, and nothing NaN
    assert len(motion) >= 8 and motion.extras["smplit_sources"].shape == (len(motion), len(LIMBS))
    confidence = motion.extras["smplit_limb_confidence"]
    assert confidence.shape == (len(motion), len(LIMBS)) and (confidence >= 0).all() and (confidence <= 1).all()


def test_a_whole_body_is_whams_with_image_features_and_the_published_hands_and_face(captured):
    motion, said = captured(WHOLE, "--preset", "fast")
    _check(motion)
    assert [_sources(motion, limb) for limb in ("torso", "head", "left_arm", "right_leg")] == [{"wham"}] * 4
    assert any("MANO" in text for text in said["warnings"])  # its mean hand is not there


def test_a_half_body_is_hmr2s_with_fit_hands_and_face(captured):
    motion, _ = captured(HALF, "--preset", "half-body")
    _check(motion)
    assert _sources(motion, "torso") == {"hmr2"} and _sources(motion, "left_leg") == {"rest"}
    assert _sources(motion, "face") <= {"smirk", "landmarks", "bridged", "rest"} and "smirk" in _sources(motion, "face")
    for hand in ("left_hand", "right_hand"):
        assert _sources(motion, hand) <= {"acr", "landmarks", "bridged", "rest"}


def test_auto_takes_all_of_them_and_best_looks_at_the_mirrored_video_too(captured):
    chosen, _ = captured(WHOLE)
    best, _ = captured(WHOLE, "--preset", "best")
    for motion in (chosen, best):
        _check(motion)
        assert _sources(motion, "torso") == {"wham"}
    assert np.abs(chosen.poses - best.poses).max() > 1e-3
