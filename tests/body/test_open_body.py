# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped body: a closed, symmetric, textured, freely licensed person whose joints lie inside."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from smplit.body.model import BodyModel
from smplit.models import CHECKOUT_FILES
from smplit.motion import JOINT_NAMES, PARENTS

PATH = CHECKOUT_FILES / "body" / "OPEN_NEUTRAL.npz"


@pytest.fixture(scope="module")
def body() -> dict[str, np.ndarray]:
    with np.load(PATH, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return arrays | {name: arrays[name].astype(np.int64) for name in ("f", "ft")}


def directed_edges(faces: np.ndarray) -> np.ndarray:
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def test_the_arrays_have_the_sizes_of_smpl_x(body):
    assert body["v_template"].shape == (10475, 3)
    assert body["shapedirs"].shape == (10475, 3, 400)
    assert body["posedirs"].shape == (10475, 3, 54 * 9)
    assert body["weights"].shape == (10475, 55)
    parents = body["kintree_table"][0].astype(np.int64)
    parents[0] = -1
    assert tuple(parents) == tuple(PARENTS)
    assert all(np.isfinite(array).all() for array in body.values() if array.dtype.kind == "f")


def test_every_edge_joins_two_faces_that_face_the_same_way(body):
    edges = directed_edges(body["f"])
    forward = {tuple(edge) for edge in edges}
    assert len(forward) == len(edges)
    assert {(b, a) for a, b in forward} == forward


def test_it_is_a_skin_and_two_eyeballs_each_without_a_hole(body):
    edges = directed_edges(body["f"])
    graph = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(10475, 10475))
    count, _ = connected_components(graph, directed=False)
    assert count == 3
    # Euler: vertices - edges + faces is 2 for every closed surface without handles.
    assert 10475 - len(edges) // 2 + len(body["f"]) == 2 * count


def test_it_encloses_the_volume_of_a_person(body):
    corners = body["v_template"].astype(np.float64)[body["f"]]
    volume = np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    # 1.72 m and about 985 kg/m3.
    assert 0.055 < volume < 0.085
    assert np.ptp(body["v_template"][:, 1]) == pytest.approx(1.72, abs=0.02)


def test_every_face_has_its_place_in_the_picture(body):
    vt, ft = body["vt"].astype(np.float64), body["ft"]
    assert ft.shape == body["f"].shape
    assert ft.min() >= 0 and ft.max() == len(vt) - 1
    assert vt.min() >= 0.0 and vt.max() <= 1.0
    a, b, c = (vt[ft[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    assert (area > 0).all()
    # No triangle is drawn across the picture, from one side of a seam to the other.
    assert max(np.linalg.norm(p - q, axis=1).max() for p, q in ((a, b), (b, c), (c, a))) < 0.1


def test_a_place_in_the_picture_belongs_to_one_vertex(body):
    pairs = np.unique(np.stack([body["ft"].ravel(), body["f"].ravel()], 1), axis=0)
    assert len(pairs) == len(body["vt"])


def test_skin_weights_are_shares(body):
    assert (body["weights"] >= 0).all()
    assert np.abs(body["weights"].sum(1) - 1).max() < 1e-6
    assert (body["weights"].max(0) > 0.5).sum() >= 50  # nearly every joint rules some skin


def test_joints_are_means_of_skin_and_lie_inside(body):
    regressor = body["J_regressor"].astype(np.float64)
    assert regressor.min() >= 0 and np.abs(regressor.sum(1) - 1).max() < 1e-6
    joints = regressor @ body["v_template"]
    assert np.abs(joints - body["J"]).max() < 1e-5
    for number, name in enumerate(JOINT_NAMES):
        assert winding(joints[number], body) > 0.5, name


def winding(point: np.ndarray, body: dict[str, np.ndarray]) -> float:
    """How often the surface goes round a point: 1 inside, 0 outside (solid angles, Van Oosterom & Strackee 1983)."""
    a, b, c = (body["v_template"].astype(np.float64)[body["f"][:, k]] - point for k in range(3))
    la, lb, lc = (np.linalg.norm(side, axis=1) for side in (a, b, c))
    triple = np.einsum("fi,fi->f", a, np.cross(b, c))
    dots = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
    return float(np.arctan2(triple, dots).sum() / (2 * np.pi))


def test_left_and_right_mirror_each_other(body):
    vertices, joints = body["v_template"].astype(np.float64), body["J"].astype(np.float64)
    distance, partner = cKDTree(vertices).query(vertices * [-1, 1, 1])
    assert np.percentile(distance, 99) < 1e-4
    assert distance.max() < 0.003
    for name in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
        left, right = JOINT_NAMES.index(f"left_{name}"), JOINT_NAMES.index(f"right_{name}")
        assert np.linalg.norm(joints[left] * [-1, 1, 1] - joints[right]) < 2e-4
        assert np.abs(body["weights"][:, left] - body["weights"][partner, right]).mean() < 0.002
    for name in ("pelvis", "spine1", "spine2", "spine3", "neck", "head", "jaw"):
        assert abs(joints[JOINT_NAMES.index(name), 0]) < 2e-4


def test_the_file_says_what_it_is_and_what_one_may_do_with_it(body):
    assert "CC0-1.0" in str(body["smplit_license"])
    assert "NOT SMPL-X" in str(body["smplit_standin"])
    assert len(body["smplit_expr_names"]) == 62
    assert not body["shapedirs"][..., 362:].any()  # no nameless expressions


def test_the_smplx_package_loads_it_and_rest_is_the_template(body):
    model = BodyModel.load(PATH)
    still = model.vertices(np.zeros((1, 165), np.float32), np.zeros((1, 3), np.float32))[0]
    assert np.abs(still - body["v_template"]).max() < 1e-5
