# SPDX-License-Identifier: GPL-3.0-or-later
"""`smplit eval capture` on captures whose error is known: none at all, then one at a time."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.errors import BadInput
from smplit.evaluation import capture as evaluation
from smplit.evaluation.score import compare, figures, joint_figures
from smplit.evaluation.truth import find_truth, match_people, read_truth
from smplit.mocap.options import CaptureOptions
from smplit.mocap.pipeline import CaptureResult
from smplit.progress import Reporter

ZERO = (
    "pa_mpjpe12_mm", "detector_pa_mpjpe12_mm", "mpjpe12_camera_mm", "detector_mpjpe12_camera_mm", "pa_mpjpe_mm", "mpjpe_camera_mm", "mpjpe_world_mm",
    "wa_mpjpe100_mm", "w_mpjpe100_mm", "w_mpjpe100_rigid_mm", "root_error_mm", "acceleration_error", "foot_slide_mm", "foot_joint_slide_mm",
    "gravity_tilt_deg", "gravity_tilt_mean_deg", "camera_rotation_step_deg", "camera_drift_deg", "finger_px", "finger_p90_px", "finger_mm", "arm_mm",
)


@pytest.fixture(scope="module")
def truth(tmp_path_factory, body, scene):
    return read_truth(scene.write_truth(tmp_path_factory.mktemp("truth"), [scene.performer(body, 0.0)], body))


@pytest.fixture
def motion(body, scene):
    return scene.performer(body, 0.0)


@pytest.fixture
def score(truth, body, scene):
    """`score(motion)` -> figures, beside a detector without any error."""
    return lambda motion: figures(compare(motion, scene.perfect_landmarks(scene.performer(body, 0.0), body, 1), truth, 0, body), body)


def test_the_truth_itself_scores_zero(motion, truth, body, score, scene):
    found = score(motion)
    assert {name: round(found[name], 2) for name in ZERO} == dict.fromkeys(ZERO, 0.0)
    assert found["jitter_ratio"] == pytest.approx(1.0, abs=1e-3)
    assert found["camera_distance_ratio"] == pytest.approx(1.0, abs=1e-5)
    assert found["penetration_mm"] == pytest.approx(0, abs=0.1) and found["floating_mm"] == pytest.approx(0, abs=0.1)
    assert all(abs(entry["error_mm"]) < 0.01 for entry in joint_figures(compare(motion, scene.perfect_landmarks(motion, body, 1), truth, 0, body)))


def test_standing_elsewhere_leaves_pose_and_aligned_figures_alone(motion, score):
    motion.trans = motion.trans + np.float32([0.5, -2.0, 0.0])
    motion.camera_t = motion.camera_t - motion.camera_R @ np.array([0.5, -2.0, 0.0])
    found = score(motion)
    for name in ("mpjpe_camera_mm", "w_mpjpe100_rigid_mm", "root_error_mm", "foot_slide_mm", "gravity_tilt_deg"):
        assert found[name] == pytest.approx(0, abs=0.02), name


def test_a_body_two_centimetres_too_low_is_two_centimetres_in_the_floor(motion, score):
    motion.trans = motion.trans - np.float32([0, 0, 0.02])
    assert score(motion)["penetration_mm"] == pytest.approx(20.0, abs=0.1)


def test_a_capture_that_slides_sideways_has_that_foot_slide(motion, score):
    motion.trans = motion.trans + (np.arange(len(motion)) * 0.004)[:, None].astype(np.float32) * np.float32([0, 1, 0])
    found = score(motion)
    assert found["foot_slide_mm"] == pytest.approx(4.0, abs=0.01)
    assert found["foot_joint_slide_mm"] == pytest.approx(4.0, abs=0.01)


def test_a_world_leant_by_five_degrees_has_that_tilt(motion, score):
    lean = Rotation.from_euler("y", 5, degrees=True).as_matrix()
    motion.camera_R = motion.camera_R @ lean
    assert score(motion)["gravity_tilt_deg"] == pytest.approx(5.0, abs=1e-3)


def test_one_joint_s_offset_is_reported_in_camera_and_body_axes(motion, truth, body, scene):
    # The whole capture turned by half a degree about the camera's view: pelvis-centred head moves by height x angle.
    pair = compare(motion, scene.perfect_landmarks(motion, body, 1), truth, 0, body)
    pair.camera[:, 15] += [0.0, 0.0, 0.03]  # head 3 cm further away; the performer faces the camera
    head = next(entry for entry in joint_figures(pair) if entry["joint"] == "head")
    assert head["error_mm"] == pytest.approx(30.0, abs=0.01)
    np.testing.assert_allclose(head["camera_offset_mm"], [0, 0, 30], atol=0.05)
    assert head["body_offset_mm"][2] == pytest.approx(-30.0, abs=2.0)  # away from the camera is backward for the body


def test_a_detector_error_is_the_detector_s_alone(motion, truth, body, scene):
    landmarks = scene.perfect_landmarks(motion, body, 1)
    landmarks.body_world[:, 25] += [0.0, 0.12, 0.0]  # left knee
    found = figures(compare(motion, landmarks, truth, 0, body), body)
    assert found["detector_mpjpe12_camera_mm"] == pytest.approx(10.0, abs=0.01)
    assert found["mpjpe12_camera_mm"] == pytest.approx(0, abs=0.01)


def test_people_are_matched_where_they_are_in_the_picture(tmp_path, body, scene):
    left, right = scene.performer(body, -0.8), scene.performer(body, 0.8)
    truth = read_truth(scene.write_truth(tmp_path, [left, right], body))
    boxes = [scene.perfect_landmarks(m, body, 1).boxes for m in (right, left)]
    rows = np.arange(scene.FRAMES)
    assert match_people([(rows, boxes[0]), (rows, boxes[1])], truth) == [(1, 0), (0, 1)]
    far = boxes[0] + 5000
    assert match_people([(rows, far), (rows, boxes[1])], truth) == [(1, 0)]


def test_a_folder_is_evaluated_with_unknown_and_true_focal_length(tmp_path, monkeypatch, body, scene):
    people = [scene.performer(body, -0.8), scene.performer(body, 0.8)]
    scene.write_truth(tmp_path, people, body, "pair")
    guess = np.array([[800.0, 0, 320], [0, 800.0, 240], [0, 0, 1]])
    observed, used = [], []

    def observe(video, options, reporter):
        observed.append(video.name)
        return [scene.perfect_shot(people, body, guess)]

    def capture_observed(video, shots, output, options, reporter, body):
        used.append(float(shots[0].camera.K[0, 0]))
        return [CaptureResult(Path(output) / f"{p}.npz", motion, p) for p, motion in enumerate(people, 1)]

    monkeypatch.setattr(evaluation, "observe", observe)
    monkeypatch.setattr(evaluation, "capture_observed", capture_observed)
    report = evaluation.evaluate_capture(tmp_path, tmp_path / "out", CaptureOptions(), Reporter())
    assert observed == ["pair.mp4"]  # one look at a standing camera's video serves both
    assert used == [800.0, scene.FOCAL]
    saved = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [(row["clip"], row["person"], row["focal"]) for row in saved["people"]] == [
        ("pair", 1, "unknown"), ("pair", 2, "unknown"), ("pair", 1, "true"), ("pair", 2, "true")
    ]
    assert all(row["pa_mpjpe12_mm"] < 0.01 for row in saved["people"])
    assert [row["camera"] for row in report["world"]] == ["static seen as static"] * 4
    assert [(row["px"], row["true px"]) for row in report["camera"]] == [(800.0, scene.FOCAL), (scene.FOCAL, scene.FOCAL)]


def test_a_person_who_was_not_captured_is_told(tmp_path, monkeypatch, body, scene):
    people = [scene.performer(body, -0.8), scene.performer(body, 0.8)]
    scene.write_truth(tmp_path, people, body, "pair")
    told = []

    class Listener(Reporter):
        def warn(self, text):
            told.append(text)

    monkeypatch.setattr(evaluation, "observe", lambda *_: [scene.perfect_shot(people[:1], body, people[0].camera_K)])
    monkeypatch.setattr(evaluation, "capture_observed", lambda *_: [CaptureResult(Path("x"), people[0], 1)])
    evaluation.evaluate_capture(tmp_path, tmp_path / "out", replace(CaptureOptions(), focal=scene.FOCAL), Listener())
    assert any("pair" in text and "1 people were not captured" in text for text in told)


def test_wrong_folders_and_files_are_refused_with_their_names(tmp_path, body, scene):
    with pytest.raises(BadInput, match=r"_truth\.npz"):
        find_truth(tmp_path)
    path = scene.write_truth(tmp_path, [scene.performer(body, 0.0)], body)
    with pytest.raises(BadInput, match="no clip elsewhere"):
        find_truth(tmp_path, ("elsewhere",))
    with np.load(path) as archive:
        entries = dict(archive)
    np.savez(path, **{**entries, "camera_t": entries["camera_t"][:3]})
    with pytest.raises(BadInput, match="'camera_t' should have shape"):
        read_truth(path)
    path.write_bytes(b"not an npz")
    with pytest.raises(BadInput, match=path.name):
        read_truth(path)
    path.with_name("clip.mp4").unlink()
    with pytest.raises(BadInput, match=r"no video 'clip\.mp4'"):
        read_truth(path)
