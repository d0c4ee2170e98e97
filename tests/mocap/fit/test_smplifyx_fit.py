# SPDX-License-Identifier: GPL-3.0-or-later
"""The staged fit as a whole: on the goldens' made-up body, and on the real class of bodies against the smplx package."""

from pathlib import Path

import numpy as np
import pytest
import roma
import smplx
import torch
from smplifyx_goldens import SIZES, ToyBody, doubles, golden, mixture, pinhole

from smplit.body.model import BodyModel
from smplit.mocap.face.surface import LANDMARK_POINTS
from smplit.mocap.fit.points import BLAZEPOSE_NAMES
from smplit.mocap.fit.smplifyx import joints, staged
from smplit.mocap.fit.smplifyx.body import SmplxPoints
from smplit.mocap.fit.smplifyx.camera import Pinhole, turned_about
from smplit.mocap.fit.smplifyx.fitter import SmplifyX
from smplit.mocap.fit.smplifyx.lbfgs import minimise
from smplit.mocap.fit.smplifyx.staged import StagedFit
from smplit.mocap.observations import PersonLandmarks

BODY = Path(__file__).resolve().parents[3] / "model_files" / "body" / "OPEN_NEUTRAL.npz"
K = np.array([[1100.0, 0, 480], [0, 1100.0, 540], [0, 0, 1]])
SIZE = (960, 1080)


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(BODY)


@pytest.fixture(scope="module")
def points(body):
    return SmplxPoints(body)


def test_all_six_minima_of_the_made_up_body():
    toy = golden("toyfit.npz")
    height, width = toy["image_hw"]
    fit = StagedFit(ToyBody(toy), mixture(), pinhole(float(width), float(height)))
    found = fit(torch.as_tensor(toy["keypoints"]).double())
    known = toy["stage_log_start_reported_final_evals"][:, 2]
    ratios = torch.stack(found.energies)[:, 0].numpy() / known
    assert (ratios <= 1.01).all()
    assert np.abs(ratios - 1.0).max() < 1e-3
    final = doubles(toy)
    torch.testing.assert_close(found.translation, final["final_camera_translation"], rtol=1e-3, atol=1e-3)
    for name in SIZES:
        torch.testing.assert_close(found.parameters[name], final[f"final.{name}"], rtol=0, atol=0.02)
    pixels = pinhole(float(width), float(height)).project(ToyBody(toy).points(found.parameters), found.translation)
    assert (pixels[0] - final["final_projected"]).abs().max() < 1.0


def test_the_mean_pose_set_before_the_depth_guess_is_caught(monkeypatch):
    toy = golden("toyfit.npz")
    height, width = toy["image_hw"]
    fit = StagedFit(ToyBody(toy), mixture(), pinhole(float(width), float(height)))
    detected = torch.as_tensor(toy["keypoints"]).double()
    known = toy["stage_log_start_reported_final_evals"][0, 2]
    assert fit._place(detected)[2].item() == pytest.approx(known, rel=1e-3)
    start = fit._start(1)
    monkeypatch.setattr(fit, "_start", lambda frames: start)
    monkeypatch.setattr(fit, "_zeros", lambda frames: start)
    assert abs(fit._place(detected)[2].item() / known - 1.0) > 1e-2


def test_many_problems_at_once_end_where_each_does_alone():
    """Rosenbrock's valley from several places, one of them far off; the minimum is known."""
    valley = lambda x, rows: (1.0 - x[:, 0]) ** 2 * (1.0 + rows) + 100.0 * (x[:, 1] - x[:, 0] ** 2) ** 2
    start = torch.tensor([[-1.2, 1.0], [0.0, 0.0], [3.0, -2.0], [1.0, 1.0]], dtype=torch.float64)
    found, lowest = minimise(valley, start)
    torch.testing.assert_close(found, torch.ones_like(found), rtol=0, atol=1e-4)
    assert lowest.max() < 1e-8


def test_the_points_of_a_body_are_the_smplx_packages(body, points):
    generator = torch.Generator().manual_seed(0)
    parameters = {name: 0.3 * torch.randn(2, size, generator=generator, dtype=torch.float64) for name, size in points.sizes.items()}
    model = smplx.SMPLX(BODY, use_pca=True, num_pca_comps=12, flat_hand_mean=False, batch_size=2, num_betas=10,
                        num_expression_coeffs=points.expressions)
    wanted = model(**{name: values.float() for name, values in parameters.items()}).joints
    assert (points.all_points(parameters) - wanted[:, :127]).abs().max() < 1e-5
    assert (points.points(parameters) - wanted[:, list(joints.smplx_indices())]).abs().max() < 1e-5


def somebody(points, turn, frames=1):
    """Parameters of a person with hanging arms, one a little raised, who faces the camera turned by `turn` rad about the vertical."""
    parameters = {name: torch.zeros(frames, size, dtype=torch.float64) for name, size in points.sizes.items()}
    face = roma.rotvec_to_rotmat(torch.tensor([np.pi, 0.0, 0.0], dtype=torch.float64))
    about = roma.rotvec_to_rotmat(torch.tensor([0.0, turn, 0.0], dtype=torch.float64))
    parameters["global_orient"] = roma.rotmat_to_rotvec(face @ about).expand(frames, 3).clone()
    pose = parameters["body_pose"].view(frames, 21, 3)
    pose[:, 15, 2], pose[:, 16, 2] = -1.1, 1.0
    pose[:, 17, 1], pose[:, 18, 1] = -0.6, 0.9
    return parameters


def seen(points, parameters, translation=(0.1, 0.15, 3.5)):
    """Detections (F,118,3) and the pinhole."""
    camera = Pinhole(torch.tensor([K[0, 0], K[1, 1]]).double(), torch.as_tensor(K[:2, 2]).double(), float(SIZE[1]))
    place = torch.tensor(translation, dtype=torch.float64).expand(len(parameters["betas"]), 3)
    pixels = camera.project(points.points(parameters), place)
    return torch.cat([pixels, torch.ones_like(pixels[..., :1])], -1), camera


def landmarks(detected):
    """The same as a detector of ours would tell it."""
    detected, count = detected.numpy(), len(detected)
    body = np.zeros((count, 33, 3))
    for slot, name in joints._BLAZEPOSE.items():
        body[:, BLAZEPOSE_NAMES.index(name)] = detected[:, slot]
    face = np.zeros((count, 468, 3))
    face[:, LANDMARK_POINTS, :2] = detected[:, joints.FACE, :2]
    hands = np.stack([detected[:, joints.LEFT_HAND, :2], detected[:, joints.RIGHT_HAND, :2]], 1)
    return PersonLandmarks(
        1, 0, np.ones(count, bool), np.zeros((count, 4)), body[..., :2], body[..., 2], np.zeros((count, 33, 3)), hands,
        np.ones((count, 2)), np.zeros((count, 2, 21, 3)), face, np.ones(count),
    )


def test_our_landmarks_come_in_openposes_order(points):
    detected, _ = seen(points, somebody(points, 0.3, 2))
    told = landmarks(detected)
    told.body_confidence[1] = 0.0
    ours = joints.openpose_points(told, told.body_confidence)
    made_up = [joints.NECK, joints.MIDDLE_HIP, 20, 23]  # middles, and small toes that BlazePose lacks
    kept = [slot for slot in range(joints.COUNT) if slot not in made_up]
    np.testing.assert_allclose(ours[0, kept], detected[0, kept].numpy())
    assert (ours[0, [20, 23]] == 0).all() and (ours[1, :25] == 0).all() and (ours[1, 25:, 2] == 1).all()
    np.testing.assert_allclose(ours[0, joints.MIDDLE_HIP, :2], detected[0, list(joints.HIPS), :2].mean(0).numpy())


def test_a_person_is_found_where_they_stand_with_the_videos_own_focal_length(body, points):
    truth = somebody(points, 0.3, 2)
    detected, _ = seen(points, truth)
    told = landmarks(detected)
    told.seen[1] = False
    told.body_confidence[1] = 0.0
    asked = []
    found = SmplifyX(body, check=lambda done, total: asked.append((done, total)))(told, K, SIZE)
    placed = body.joints(torch.as_tensor(found.body.rotations), torch.as_tensor(found.body.trans), torch.as_tensor(found.body.betas))[0]
    true = points.all_points(truth)[0, :22] + torch.tensor([0.1, 0.15, 3.5])
    assert (placed[:, 2].mean() / true[:, 2].mean() - 1.0).abs() < 0.1
    about = lambda joint: joint - joint[:1]
    assert (about(placed) - about(true)).norm(dim=-1).mean() < 0.08
    pixels = placed[:, :2] / placed[:, 2:] * K[0, 0] + torch.as_tensor(K[:2, 2])
    true_pixels = true[:, :2] / true[:, 2:] * K[0, 0] + torch.as_tensor(K[:2, 2])
    assert (pixels - true_pixels).norm(dim=-1)[[4, 5, 7, 8, 16, 17, 18, 19, 20, 21]].max() < 8.0
    # The frame that shows nobody: its neighbour's pose, and no confidence.
    assert (found.body.rotations[1] == found.body.rotations[0]).all() and found.body.confidence[1].max() == 0.0
    assert found.hands.confidence[1].max() == 0.0 and found.energies[1] == 0.0 < found.energies[0]
    assert (found.hands.poses.shape, found.face.head_rotation.shape) == ((2, 2, 15, 3), (2, 3, 3)) and asked


def test_only_of_people_seen_from_the_side_the_better_of_two_ways_to_stand_is_taken(monkeypatch):
    """Shoulders 24, 24 and 26 px apart; each way to stand costs how far the turn's x is from 3."""
    detected = torch.zeros(3, joints.COUNT, 3, dtype=torch.float64)
    detected[:, joints.SHOULDERS[1], 0] = torch.tensor([24.0, 24.0, 26.0])
    good = torch.tensor([[3.0, 0.0, 0.0]], dtype=torch.float64)
    first = torch.cat([turned_about(good), good, turned_about(good)])
    fit, asked = StagedFit(None, None, None), []

    def stages(detected, orientation, translation, placed):
        asked.append(len(detected))
        cost = (orientation[:, 0].abs() - 3.0).abs()
        return staged.Fitted({"global_orient": orientation}, translation, [placed, cost])

    monkeypatch.setattr(fit, "_stages", stages)
    monkeypatch.setattr(fit, "_place", lambda detected: (torch.zeros(3, 3).double(), first, torch.zeros(3).double()))
    found = fit(detected).parameters["global_orient"]
    assert asked == [3, 2]
    torch.testing.assert_close(found[:2].abs(), good.expand(2, 3), rtol=0, atol=1e-6)
    assert torch.equal(found[2], first[2])


def test_turned_about_is_half_a_circle_about_the_bodys_own_axis():
    orientation = torch.tensor([[3.0, 0.2, -0.3]], dtype=torch.float64)
    before, after = roma.rotvec_to_rotmat(orientation)[0], roma.rotvec_to_rotmat(turned_about(orientation))[0]
    torch.testing.assert_close(after, before @ torch.diag(torch.tensor([-1.0, 1.0, -1.0], dtype=torch.float64)), rtol=0, atol=1e-9)
