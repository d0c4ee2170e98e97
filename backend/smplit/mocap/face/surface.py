# SPDX-License-Identifier: GPL-3.0-or-later
"""Where MediaPipe's 468 face mesh points sit on the loaded body, and how they move with its expressions.

Nothing here knows vertex ids: the canonical face (`canonical_face.npz`, made by
`tools/build_face_table.py`) is warped onto the body through the 51 face landmarks that every SMPL-X file
carries, then dropped onto its skin. So the open body, a rebuilt one and the real SMPL-X work alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from smplit.body.model import BodyModel
from smplit.errors import BadInput
from smplit.mocap.alignment import procrustes
from smplit.motion import JOINT_NAMES

# Mesh point of each of SMPL-X's 51 face landmarks (iBUG points 18-68: brows, nose, eyes, lips).
LANDMARK_POINTS = np.array(
    [70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 168, 197, 5, 4, 98, 97, 2, 326, 327]
    + [33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380]
    + [61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87]
)
_HEAD, _JAW, _EYES = JOINT_NAMES.index("head"), JOINT_NAMES.index("jaw"), (23, 24)
_NEIGHBOURS = 24  # triangles tried for each point
_JAW_PROBE = 0.2  # rad


@dataclass
class FaceSurface:
    """The mesh points on one body, in the head joint's rest axes (left +x, up +y, ahead +z), m.

    `rest` (468,3); `expression` (E,468,3) m per unit of each of `body.expression_names`;
    `jaw` (2,468,3) m per rad of jaw opening (about +x) and turn (about +y); `canonical` (468,3) m:
    MediaPipe's mean face brought to the same place by a similarity.
    """

    rest: np.ndarray
    expression: np.ndarray
    jaw: np.ndarray
    canonical: np.ndarray


def canonical_face() -> tuple[np.ndarray, np.ndarray]:
    """MediaPipe's mean face: (468,3) m (left +x, up +y, ahead +z) and its triangles (898,3)."""
    with files(__package__).joinpath("canonical_face.npz").open("rb") as file, np.load(file, allow_pickle=False) as table:
        return table["points"].astype(np.float64), table["triangles"].astype(np.int64)


def face_surface(body: BodyModel) -> FaceSurface:
    """Places the mesh points on a body of mean shape; some seconds: `surface_cache.kept_surface` remembers it.

    Raises:
        BadInput: the body file has no face landmarks.
    """
    from scipy.interpolate import RBFInterpolator  # with trimesh a second to import, and mostly not needed

    vertices = body.v_template.astype(np.float64)
    landmarks = _static_landmarks(body)
    points, triangles = canonical_face()
    canonical = _similar(points, points[LANDMARK_POINTS], landmarks)
    # The landmarks are some mm uncertain (two opinions of where a lip's corner is): a smoothed warp.
    moved = RBFInterpolator(
        canonical[LANDMARK_POINTS], landmarks - canonical[LANDMARK_POINTS], kernel="thin_plate_spline", smoothing=1e-5
    )
    corners, weights = _drop_onto_skin(canonical + moved(canonical), triangles, vertices, _skin_triangles(body))

    def on_face(vertex_field: np.ndarray) -> np.ndarray:  # (...,V,3) -> (...,468,3)
        return np.einsum("pk,...pkd->...pd", weights, vertex_field[..., corners, :])

    count = len(body.expression_names)
    poses, expression = np.zeros((count + 2, 165)), np.zeros((count + 2, count))
    expression[:count] = np.eye(count)
    poses[[count, count + 1], [3 * _JAW, 3 * _JAW + 1]] = _JAW_PROBE
    # Through the posed model: the columns' layout and the pose correctives are its own business.
    moves = np.concatenate(
        [on_face(piece - vertices) for _, piece in body.vertex_chunks(poses, np.zeros((count + 2, 3)), None, expression)]
    )
    head = body.rest_joints().cpu().numpy()[_HEAD]
    return FaceSurface(on_face(vertices) - head, moves[:count], moves[count:] / _JAW_PROBE, canonical - head)


def _static_landmarks(body: BodyModel) -> np.ndarray:
    """(51,3) m on the body at rest.

    Raises:
        BadInput: the body file has no face landmarks (SMPL-X's has).
    """
    try:
        with np.load(body.path, allow_pickle=False) as archive:
            faces, weights = archive["lmk_faces_idx"].astype(np.int64), archive["lmk_bary_coords"].astype(np.float64)
    except KeyError as error:
        raise BadInput(f"'{body.path}' has no face landmarks ({error}).", "Use SMPLX_NEUTRAL.npz, or capture with --face none.") from error
    return np.einsum("lk,lkd->ld", weights, body.v_template[body.faces[faces]].astype(np.float64))


def _similar(points: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`points` (P,3) moved by the similarity that best takes `source` (K,3) to `target` (K,3)."""
    rotation, scale = procrustes(source, target)
    return scale * (points - source.mean(0)) @ rotation.T + target.mean(0)


def _skin_triangles(body: BodyModel) -> np.ndarray:
    """(T,3) triangles of the head's outer skin: no eyeballs, and nothing turned inwards like the mouth's lining."""
    follow = body.weights
    on_head = (follow[:, _HEAD] + follow[:, _JAW] > 0.3) & (follow[:, _EYES].sum(1) < 0.5)
    triangles = body.faces[on_head[body.faces].all(1)]
    return triangles


def _drop_onto_skin(
    points: np.ndarray, triangles: np.ndarray, vertices: np.ndarray, skin: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Nearest place on the skin that faces the same way: vertices (468,3) and their weights (468,3)."""
    import trimesh
    from scipy.spatial import cKDTree

    normals = trimesh.Trimesh(points, triangles, process=False).vertex_normals
    corners = vertices[skin]  # (T,3,3)
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing = across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
    near = cKDTree(corners.mean(1)).query(points, _NEIGHBOURS)[1]  # (468,K)
    repeated = np.repeat(points, _NEIGHBOURS, axis=0)
    closest = trimesh.triangles.closest_point(corners[near.ravel()], repeated)
    distance = np.linalg.norm(closest - repeated, axis=1).reshape(near.shape)
    turned = 1.0 - (facing[near] * normals[:, None]).sum(-1)  # 0 same way, 2 opposite
    best = (distance + 0.02 * turned).argmin(1)
    rows = np.arange(len(points))
    chosen = near[rows, best]
    weights = trimesh.triangles.points_to_barycentric(corners[chosen], closest.reshape(*near.shape, 3)[rows, best])
    return skin[chosen], weights
