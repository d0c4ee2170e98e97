# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading hands off maps, rotations, the picture's square, the way back to it and smoothing, as the original did (goldens/acr)."""

import numpy as np
import pytest
import torch
from acr_goldens import golden
from formula_weights import TOLERANCE, bgr_frame, checksum, error, normal

from smplit.axes import axis_angle_from_matrix
from smplit.mocap.acr import decode as decoding
from smplit.mocap.acr.decode import betas_of, decode, interleaved_rotations, rotations_of
from smplit.mocap.acr.network import HandMaps
from smplit.mocap.acr.one_euro import smooth_as_published
from smplit.mocap.acr.picture import cut_square, pixels_of, places, whole_picture

CASES = ("near", "far", "dist32", "dist33", "left_only", "right_only", "none", "thresh_eq", "twopeaks", "corner")
FRAMES = ((360, 640), (641, 361), (480, 480), (719, 1280))


def case_maps():
    """All cases as one batch."""
    made = lambda name, channels, scale=1.0: scale * torch.from_numpy(normal(f"acr.parse.{name}", (1, channels, 64, 64)).astype(np.float32))
    base = np.minimum(0.1 * np.abs(normal("acr.parse.base", (1, 1, 64, 64)).astype(np.float32)), np.float32(0.3))
    assert error(base[0, 0, :3, :3], golden("parse")["base_check"]) < 1e-6
    centres = np.repeat(np.stack([base, base[..., ::-1]]), len(CASES), axis=1)  # (2,cases,1,64,64)
    for index, case in enumerate(CASES):
        for side, (row, column, value) in enumerate(golden("parse")[f"{case}.peaks"]):
            if value:
                centres[side, index, 0, int(row), int(column)] = value
    for row, column, value in ((40, 40, 0.95), (41, 40, 0.97), (20, 26, 0.9)):
        centres[0, CASES.index("twopeaks"), 0, row, column] = value
    everywhere = lambda maps: maps.expand(len(CASES), -1, -1, -1)
    return {
        side: HandMaps(
            torch.from_numpy(centres[index]), everywhere(made(f"{side}_params_maps", 109)), everywhere(made(f"{side}_prior_maps", 106, 0.3)),
        ) for index, side in enumerate("lr")
    }


@pytest.fixture(scope="module")
def answers():
    return decode(case_maps())


@pytest.mark.parametrize("index, case", list(enumerate(CASES)))
def test_hands_are_read_off_the_maps_as_the_original_did(answers, index, case):
    known = {key.removeprefix(case + "."): value for key, value in golden("parse").items() if key.startswith(case + ".")}
    assert answers.found[index].float().tolist() == known["detection_flag"].tolist()
    assert answers.centres[index].flip(-1).tolist() == [*known["l_centers_pred"].tolist(), *known["r_centers_pred"].tolist()]
    scores = np.concatenate([known["l_centers_conf"], known["r_centers_conf"]])[:, 0]
    parameters = answers.parameters[index]
    assert error(answers.scores[index], scores) < TOLERANCE and error(parameters, known["params_pred"]) < TOLERANCE
    assert error(parameters[:, :3], known["cam"]) < TOLERANCE and error(betas_of(parameters.numpy()), known["betas"]) < TOLERANCE
    poses = axis_angle_from_matrix(rotations_of(parameters).numpy()).reshape(2, 48)
    assert error(poses, known["poses"]) < TOLERANCE
    assert error(poses[:, :3], known["global_orient"]) < TOLERANCE and error(poses[:, 3:], known["hand_pose"]) < TOLERANCE
    assert known["output_hand_type"].tolist() == [0, 1]


def _threshold_included(monkeypatch):
    monkeypatch.setattr(decoding, "LEAST_SCORE", float(np.nextafter(np.float32(0.35), np.float32(0))))


def _reach_not_included(monkeypatch):
    monkeypatch.setattr(decoding, "_REACH", 31.999)


def _no_priors(monkeypatch):
    monkeypatch.setattr(decoding, "_REACH", -1.0)


def _every_prior(monkeypatch):
    monkeypatch.setattr(decoding, "_REACH", 1000.0)


def _camera_told_too(monkeypatch):
    at = decoding._at
    monkeypatch.setattr(decoding, "_at", lambda maps, cells: at(maps.roll(1, 1), cells) if maps.shape[1] == 106 else at(maps, cells))


def _rows_for_columns(monkeypatch):
    at = decoding._at
    monkeypatch.setattr(decoding, "_at", lambda maps, cells: at(maps.transpose(2, 3), cells))


@pytest.mark.parametrize("mistake", [_threshold_included, _reach_not_included, _no_priors, _every_prior, _camera_told_too, _rows_for_columns])
def test_a_mistake_in_reading_would_show(monkeypatch, mistake):
    mistake(monkeypatch)
    wrong = decode(case_maps())
    errors = [error(wrong.parameters[index], golden("parse")[f"{case}.params_pred"]) for index, case in enumerate(CASES)]
    assert max(errors) > 100 * TOLERANCE


def test_rotations_have_their_columns_interleaved():
    known = golden("rot6d")
    found = interleaved_rotations(torch.from_numpy(known["rot6d"])).numpy()
    assert error(found, known["rotmat"]) < TOLERANCE
    assert error(axis_angle_from_matrix(found), known["axis_angle"]) < TOLERANCE
    halves = torch.from_numpy(known["rot6d"]).unflatten(-1, (2, 3)).transpose(-1, -2).flatten(-2)  # as if a came first, then b
    assert error(interleaved_rotations(halves).numpy(), known["rotmat"]) > 0.1


@pytest.mark.parametrize("height, width", FRAMES)
def test_a_frame_becomes_the_square_that_the_original_looked_at(height, width):
    known = {key.partition(".")[2]: value for key, value in golden("preprocess").items() if key.startswith(f"{height}x{width}.")}
    frame = bgr_frame(height, width)
    assert checksum(frame) == int(known["bgr_crc32"])
    square = whole_picture(width, height)
    side, _, *_, top, _, _, left = known["offsets"][0]
    assert square.tolist() == [-left, -top, side]
    cut = cut_square(np.ascontiguousarray(frame[..., ::-1]), square).astype(int)
    assert np.abs(cut[4::8, 4::8] - known["image_s8"]).max() <= 1 and np.abs(cut[255] - known["image_row255"]).max() <= 1
    assert np.abs(pixels_of(known["kp_norm"], square) - known["kp_org"]).max() < 1e-3  # px


def test_beyond_the_picture_it_is_white_and_red_comes_first():
    frame = np.zeros((100, 200, 3), np.uint8)
    frame[..., 0] = 200
    cut = cut_square(frame, np.array([-100, -50, 200]))
    assert (cut[:120] == 255).all() and (cut[:, :250] == 255).all()
    assert cut[256, 400].tolist() == [200, 0, 0]


def test_places_are_those_of_the_closed_form_and_near_the_original_search():
    known = golden("preprocess")
    K = np.array([[1265.0, 0, 256], [0, 1265.0, 256], [0, 0, 1]])
    found = places(known["proj.cam"], np.array([0, 0, 512]), K)
    assert error(found, known["proj.cam_trans_analytic"]) < TOLERANCE
    assert np.abs(found[:, 2] / known["proj.cam_trans_pnp_focal1265"][:, 2] - 1.0).max() < 0.02
    weak = known["proj.cam"][:, None, :1] * known["proj.j3d"][..., :2] + known["proj.cam"][:, None, 1:]
    assert error(weak, known["proj.pj2d"]) < 1e-6  # the camera's meaning: scale and then shift, y down


def test_a_place_does_not_depend_on_which_square_was_looked_at():
    K = np.array([[1100.0, 0, 960], [0, 1100.0, 540], [0, 0, 1]])
    place, square = np.array([0.3, -0.2, 2.5]), np.array([900, 200, 400])
    pixel = place[:2] / place[2] * 1100.0 + K[:2, 2]
    camera = np.concatenate([[1100.0 / place[2] / 200.0], (pixel - square[:2]) / 200.0 - 1.0])
    assert np.allclose(places(camera, square, K), place, atol=1e-9)


def test_smoothing_is_the_published_one():
    known = golden("smooth")
    poses, betas = smooth_as_published(known["pose_in"], known["betas_in"], np.ones(len(known["pose_in"]), bool))
    assert np.abs(poses[:, 3:] - known["pose_out"][:, 3:]).max() < 1e-5 and np.abs(betas - known["betas_out"]).max() < 1e-5
    assert np.abs(poses[:, :3] - known["pose_out"][:, :3]).max() < 0.01  # rad; SPEC
    assert np.abs(known["pose_in"] - known["pose_out"]).max() > 0.1


def test_smoothing_waits_while_a_hand_is_not_found():
    known, found = golden("smooth"), np.ones(90, bool)
    found[30:45] = False
    poses, betas = smooth_as_published(known["pose_in"], known["betas_in"], found)
    alone = smooth_as_published(known["pose_in"][found], known["betas_in"][found], np.ones(75, bool))
    assert np.array_equal(poses[found], alone[0]) and np.array_equal(betas[found], alone[1])
    assert np.array_equal(poses[~found], known["pose_in"][~found].astype(float))


def test_left_for_right_would_show():
    maps = case_maps()
    wrong = decode({"l": maps["r"], "r": maps["l"]})
    assert error(wrong.parameters[0], golden("parse")["near.params_pred"]) > 1.0
