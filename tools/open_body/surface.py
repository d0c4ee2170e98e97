# SPDX-License-Identifier: GPL-3.0-or-later
"""The base mesh reduced to SMPL-X's number of vertices, numbered as the smplx package expects, with its UV map."""

from __future__ import annotations

import heapq
import itertools

import numpy as np

VERTICES = 10475
_LEAST_TURN = 0.5  # cosine: a triangle may not turn further when a corner moves
_SHORT_EDGES = 1e-7  # prefers short edges where the surface is flat
_MOST_STRETCH = 2.5  # of a triangle in the picture, against the base mesh around it


class Decimation:
    """Half-edge collapse by quadric error (Garland & Heckbert 1997): vertices vanish and none moves, so that every
    per-vertex array of the base mesh is simply indexed."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, protected: set[int], importance: np.ndarray):
        self._v, self._importance = vertices, importance
        self._faces = {i: tuple(face) for i, face in enumerate(faces)}
        self._around = [set() for _ in vertices]
        for i, face in self._faces.items():
            for vertex in face:
                self._around[vertex].add(i)
        self._quadrics = _quadrics(vertices, faces)
        self._locked = protected | _borders(faces)
        self._version = np.zeros(len(vertices), int)
        self._alive = np.ones(len(vertices), bool)
        self._heap: list = []

    def run(self, target: int) -> tuple[np.ndarray, np.ndarray]:
        """Kept vertices (target,) and faces (F,3) among them."""
        count = len(self._v)
        for vertex in range(count):
            self._push(vertex)
        while count > target and self._heap:
            _, gone, kept, gone_version, kept_version = heapq.heappop(self._heap)
            if not (self._alive[gone] and self._alive[kept]):
                continue
            if self._version[gone] != gone_version or self._version[kept] != kept_version or not self._allowed(gone, kept):
                continue
            self._collapse(gone, kept)
            count -= 1
        kept = np.where(self._alive)[0]
        number = -np.ones(len(self._v), int)
        number[kept] = np.arange(len(kept))
        return kept, number[np.array(list(self._faces.values()))]

    def _neighbours(self, vertex: int) -> set[int]:
        return {other for i in self._around[vertex] for other in self._faces[i]} - {vertex}

    def _push(self, vertex: int) -> None:
        if vertex in self._locked:
            return
        for other in self._neighbours(vertex):
            heapq.heappush(self._heap, (self._cost(vertex, other), vertex, other, self._version[vertex], self._version[other]))

    def _cost(self, gone: int, kept: int) -> float:
        point = np.append(self._v[kept], 1)
        edge = ((self._v[gone] - self._v[kept]) ** 2).sum()
        return (point @ (self._quadrics[gone] + self._quadrics[kept]) @ point + _SHORT_EDGES * edge) * self._importance[gone]

    def _allowed(self, gone: int, kept: int) -> bool:
        """The surface stays a surface, and no triangle flips."""
        if len(self._neighbours(gone) & self._neighbours(kept)) != 2:
            return False
        for i in self._around[gone]:
            face = self._faces[i]
            if kept in face:
                continue
            before = _normal(*(self._v[x] for x in face))
            after = _normal(*(self._v[kept] if x == gone else self._v[x] for x in face))
            if before @ after <= _LEAST_TURN * np.linalg.norm(before) * np.linalg.norm(after):
                return False
        return True

    def _collapse(self, gone: int, kept: int) -> None:
        for i in list(self._around[gone]):
            face = self._faces[i]
            if kept in face:
                for vertex in face:
                    self._around[vertex].discard(i)
                del self._faces[i]
            else:
                self._faces[i] = tuple(kept if x == gone else x for x in face)
                self._around[kept].add(i)
        self._around[gone] = set()
        self._alive[gone] = False
        self._quadrics[kept] += self._quadrics[gone]
        changed = self._neighbours(kept) | {kept}
        for vertex in changed:
            self._version[vertex] += 1
        for vertex in changed:
            self._push(vertex)


def _normal(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    return np.cross(b - a, c - a)


def _quadrics(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V,4,4) sum of squared distances to the planes of the faces around, weighted by area."""
    normal = _normal(*(vertices[faces[:, k]] for k in range(3)))
    area = np.linalg.norm(normal, axis=1, keepdims=True)
    unit = normal / np.maximum(area, 1e-12)
    plane = np.c_[unit, -(unit * vertices[faces[:, 0]]).sum(1)]
    each = plane[:, :, None] * plane[:, None] * area[:, :, None]
    quadrics = np.zeros((len(vertices), 4, 4))
    for k in range(3):
        np.add.at(quadrics, faces[:, k], each)
    return quadrics


def _borders(faces: np.ndarray) -> set[int]:
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, counts = np.unique(edges, axis=0, return_counts=True)
    return {int(vertex) for vertex in unique[counts == 1].ravel()}


def numbered(kept: np.ndarray, faces: np.ndarray, slots: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Base vertex of every final number (V,), and faces in final numbers.

    Args:
        kept: base vertices that are left, as `Decimation.run` returns them.
        faces: (F,3) among them.
        slots: final number -> base vertex, for the vertices whose number is prescribed.
    """
    at = {int(vertex): i for i, vertex in enumerate(kept)}
    order = -np.ones(len(kept), int)
    for number, vertex in slots.items():
        order[number] = at[vertex]
    taken = set(order[order >= 0].tolist())
    order[order < 0] = [i for i in range(len(kept)) if i not in taken]
    number = np.empty(len(kept), int)
    number[order] = np.arange(len(kept))
    return kept[order], number[faces]


def map_to_picture(
    vertices: np.ndarray, base_faces: np.ndarray, uv: np.ndarray, uv_faces: np.ndarray, base: np.ndarray, faces: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`vt` (U,2) and `ft` (F,3) of the reduced mesh from the base mesh's UV map.

    A vertex on a seam has several places in the picture; a triangle takes, of those its corners have, the
    ones of one island that lie closest together. Where a collapse pulled a triangle over a seam, its third
    corner gets a place of its own, beside the other two.

    Args:
        vertices, base_faces: of the base mesh, to which `uv` (P,2) and `uv_faces` belong.
        base: (V,) base vertex of every vertex of the reduced mesh, to which `faces` (F,3) belong.
    """
    islands = _islands(len(uv), uv_faces)
    places: dict[int, set[int]] = {}
    for vertex, place in zip(base_faces.ravel(), uv_faces.ravel(), strict=True):
        places.setdefault(int(vertex), set()).add(int(place))
    scale = np.zeros(len(vertices))
    np.maximum.at(scale, base_faces, _stretch(uv[uv_faces], vertices[base_faces])[:, None])
    uv, corners = list(uv), np.empty(faces.shape, int)
    for i, face in enumerate(base[faces]):
        choices = list(itertools.product(*(sorted(places[int(vertex)]) for vertex in face)))
        flat = np.array([[uv[place] for place in choice] for choice in choices])
        stretch = _stretch(flat, vertices[face][None])
        apart = np.array([len({islands[place] for place in choice}) > 1 for choice in choices])
        best = int(np.argmin(stretch + 1e6 * apart))
        corners[i] = choices[best]
        if apart[best] or stretch[best] > _MOST_STRETCH * scale[face].max():
            corner, place = _beside(vertices[face], flat, islands[np.array(choices)])
            corners[i] = choices[int(np.argmin(_edge_across(flat, islands[np.array(choices)], corner)))]
            corners[i, corner] = len(uv)
            uv.append(place)
    used, ft = np.unique(corners, return_inverse=True)
    return np.array(uv)[used], ft.reshape(faces.shape)


def _stretch(flat: np.ndarray, solid: np.ndarray) -> np.ndarray:
    """(F,) greatest edge length in the picture (F,3,2) over that in space (F,3,3)."""
    edges = lambda triangles: np.linalg.norm(triangles - np.roll(triangles, 1, axis=-2), axis=-1)
    return (edges(flat) / edges(solid)).max(-1)


def _edge_across(flat: np.ndarray, islands: np.ndarray, corner: int) -> np.ndarray:
    """(C,) length in the picture of the edge opposite a corner, for C choices of places; far for two islands."""
    a, b = (corner + 1) % 3, (corner + 2) % 3
    return np.linalg.norm(flat[:, a] - flat[:, b], axis=1) + 1e6 * (islands[:, a] != islands[:, b])


def _beside(solid: np.ndarray, flat: np.ndarray, islands: np.ndarray) -> tuple[int, np.ndarray]:
    """The corner to be moved, and its place (2,): the triangle's own shape on the edge that kept together best."""
    ratio = []
    for corner in range(3):
        length = np.linalg.norm(solid[(corner + 1) % 3] - solid[(corner + 2) % 3])
        ratio.append(_edge_across(flat, islands, corner).min() / length)
    corner = int(np.argmin(ratio))
    a, b = (corner + 1) % 3, (corner + 2) % 3
    choice = flat[int(np.argmin(_edge_across(flat, islands, corner)))]
    along, across = solid[b] - solid[a], solid[corner] - solid[a]
    share = across @ along / (along @ along)
    height = np.linalg.norm(across - share * along) / np.linalg.norm(along)
    edge = choice[b] - choice[a]
    # Triangles run counter-clockwise in the picture, so the third corner is on the left of the edge.
    return corner, np.clip(choice[a] + share * edge + height * np.array([-edge[1], edge[0]]), 0.0, 1.0)


def _islands(count: int, uv_faces: np.ndarray) -> np.ndarray:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    pairs = np.concatenate([uv_faces[:, [0, 1]], uv_faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]
