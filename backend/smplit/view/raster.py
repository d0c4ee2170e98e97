# SPDX-License-Identifier: GPL-3.0-or-later
"""Shaded triangles in a picture, on one CPU core, with nothing but OpenCV and numpy.

OpenCV paints each triangle's number, farthest first; every covered pixel then mixes the lit colours
of its triangle's corners. Chosen by measurement (20,938 triangles, 1280x720, one core):
this takes about 40 ms a frame; VTK's software OpenGL 236 ms and 565 MB installed, and pyrender and
moderngl need EGL or OSMesa from the system.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.sparse import csr_matrix

from smplit.view.camera import Camera

_NEAR = 0.1  # m: triangles closer are left out rather than cut
_FIXED_BITS = 4  # corners are handed to OpenCV in sixteenths of a pixel
_SMALL = 400_000  # px: below this the layer is drawn twice as large, so that its edges are smooth
_KEY = np.array([-0.449, -0.648, -0.615], np.float32)  # light from the upper left, camera axes


class Surface:
    """A mesh whose vertices move: what does not change from frame to frame is prepared once."""

    def __init__(self, faces: np.ndarray, vertex_count: int):
        self.faces = np.ascontiguousarray(faces, np.int32)
        corners = self.faces.reshape(-1)
        owner = np.repeat(np.arange(len(self.faces)), 3)
        self._gather = csr_matrix((np.ones(len(corners), np.float32), (corners, owner)), shape=(vertex_count, len(self.faces)))

    def normals(self, vertices: np.ndarray) -> np.ndarray:
        """(V,3) m -> (V,3) unit normals, faces weighted by area."""
        a, b, c = (vertices[self.faces[:, corner]] for corner in range(3))
        summed = self._gather @ np.cross(b - a, c - a).astype(np.float32)
        return summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-12)


@dataclass(frozen=True)
class Placed:
    """One body in the world: (V,3) m, (V,3) RGB 0..1 per vertex, opacity 0..1."""

    surface: Surface
    vertices: np.ndarray
    colours: np.ndarray
    opacity: float = 1.0


def draw(image: np.ndarray, bodies: list[Placed], camera: Camera) -> None:
    """Draws the bodies into `image` (H,W,3) uint8 RGB, nearer ones over farther ones."""
    if not bodies:
        return
    mesh = _joined(bodies, camera)
    box = _box(mesh, image.shape)
    if box is None:
        return
    x0, y0, x1, y1 = box
    scale = 2 if (x1 - x0) * (y1 - y0) < _SMALL else 1
    size = ((y1 - y0) * scale, (x1 - x0) * scale)
    corners = (mesh.pixels[mesh.faces] - np.array([x0, y0], np.float32)) * scale
    numbers = _paint_numbers(corners, mesh.depth, size)
    layer = _fill(numbers, corners, mesh)
    if scale == 2:
        layer = cv2.resize(layer, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    else:
        layer = _softened(layer)
    part = image[y0:y1, x0:x1]
    alpha = layer[..., 3:]
    part[:] = np.clip(part * (1.0 - alpha) + layer[..., :3] * 255.0 + 0.5, 0, 255).astype(np.uint8)


@dataclass
class _Mesh:
    """Every body's visible triangles in one list."""

    faces: np.ndarray  # (F,3) into the vertex arrays below
    pixels: np.ndarray  # (V,2) px
    depth: np.ndarray  # (F,) m
    lit: np.ndarray  # (V,4) RGB times opacity, and opacity


def _joined(bodies: list[Placed], camera: Camera) -> _Mesh:
    faces, seen, lit, first = [], [], [], 0
    for body in bodies:
        points = camera.see(np.asarray(body.vertices, np.float32))
        faces.append(body.surface.faces + first)
        seen.append(points)
        lit.append(_lit(body, points))
        first += len(points)
    seen = np.concatenate(seen)
    faces = np.concatenate(faces)
    pixels = camera.project(seen)
    (ax, ay), (bx, by), (cx, cy) = (pixels[faces[:, corner]].T for corner in range(3))
    # Corners run counter-clockwise seen from outside; with y down that is a negative area.
    towards = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) < 0
    inside = _overlaps(ax, bx, cx, camera.width) & _overlaps(ay, by, cy, camera.height)
    near = seen[:, 2] <= _NEAR
    ahead = ~(near[faces[:, 0]] | near[faces[:, 1]] | near[faces[:, 2]])
    visible = faces[towards & inside & ahead]
    depth = seen[visible[:, 0], 2] + seen[visible[:, 1], 2] + seen[visible[:, 2], 2]
    return _Mesh(visible, pixels, depth / 3.0, np.concatenate(lit))


def _overlaps(a: np.ndarray, b: np.ndarray, c: np.ndarray, size: int) -> np.ndarray:
    """Whether triangles with these corners along one axis, px, reach into 0..size."""
    return (np.maximum(np.maximum(a, b), c) > 0) & (np.minimum(np.minimum(a, b), c) < size)


def _box(mesh: _Mesh, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    if not len(mesh.faces):
        return None
    used = mesh.pixels[mesh.faces].reshape(-1, 2)
    low, high = np.floor(used.min(0)).astype(int) - 2, np.ceil(used.max(0)).astype(int) + 2
    x0, y0 = np.maximum(low, 0)
    x1, y1 = min(high[0], shape[1]), min(high[1], shape[0])
    return None if x1 <= x0 or y1 <= y0 else (int(x0), int(y0), int(x1), int(y1))


def _paint_numbers(corners: np.ndarray, depth: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h,w) int32: number of the nearest triangle over each pixel, -1 where there is none."""
    numbers = np.full(size, -1, np.int32)
    order = np.argsort(-depth)
    # OpenCV's whole numbers are pixel centres, ours are pixel corners: hence the half pixel.
    fixed = np.round((corners[order] - 0.5) * (1 << _FIXED_BITS)).astype(np.int32)
    paint = cv2.fillConvexPoly
    for triangle, number in zip(fixed, order.tolist(), strict=True):
        paint(numbers, triangle, number, 8, _FIXED_BITS)
    return numbers


def _fill(numbers: np.ndarray, corners: np.ndarray, mesh: _Mesh) -> np.ndarray:
    """(h,w,4) float32: the corners' lit colours, mixed over each triangle."""
    layer = np.zeros((numbers.size, 4), np.float32)
    covered = np.flatnonzero(numbers >= 0)
    which = numbers.reshape(-1)[covered]
    rows, columns = np.divmod(covered, numbers.shape[1])
    second, third = _shares(corners, which, columns.astype(np.float32) + 0.5, rows.astype(np.float32) + 0.5)
    a, b, c = (mesh.lit[mesh.faces[:, corner]] for corner in range(3))
    across, along = b - a, c - a
    layer[covered] = a[which] + across[which] * second[:, None] + along[which] * third[:, None]
    return layer.reshape(*numbers.shape, 4)


def _shares(corners: np.ndarray, which: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(F,3,2) px, (n,) triangle of each pixel, (n,) px -> weights of the second and third corner (n,),
    kept inside the triangle. Both are linear in x and y: their slopes are made once per triangle."""
    ax, ay = corners[:, 0, 0], corners[:, 0, 1]
    bx, by = corners[:, 1, 0] - ax, corners[:, 1, 1] - ay
    cx, cy = corners[:, 2, 0] - ax, corners[:, 2, 1] - ay
    area = bx * cy - by * cx
    inverse = 1.0 / np.where(np.abs(area) < 1e-9, 1e-9, area)
    slopes = np.stack([ax, ay, cy * inverse, cx * inverse, by * inverse, bx * inverse], axis=1)[which]
    px, py = x - slopes[:, 0], y - slopes[:, 1]
    second = np.clip(px * slopes[:, 2] - py * slopes[:, 3], 0.0, 1.0)
    return second, np.clip(py * slopes[:, 5] - px * slopes[:, 4], 0.0, 1.0 - second)


def _lit(body: Placed, seen: np.ndarray) -> np.ndarray:
    """(V,4) colours under a soft key light, sky from above, a little gloss, and darker edges that
    show the form; `seen` (V,3) m in camera axes. Per vertex: the mesh is finer than the shading."""
    normal = body.surface.normals(seen)
    towards = -seen / np.linalg.norm(seen, axis=1, keepdims=True)
    half = towards + _KEY
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    key = np.clip(normal @ _KEY, 0.0, 1.0)
    sky = 0.5 - 0.5 * normal[:, 1]
    facing = np.clip((normal * towards).sum(1), 0.0, 1.0)
    light = (0.30 + 0.52 * key + 0.24 * sky) * (0.62 + 0.38 * np.sqrt(facing))
    gloss = 0.10 * np.clip((normal * half).sum(1), 0.0, 1.0) ** 24
    colour = np.minimum(body.colours * light[:, None] + gloss[:, None], 1.0) * body.opacity
    return np.c_[colour, np.full(len(colour), body.opacity)].astype(np.float32)


def _softened(layer: np.ndarray) -> np.ndarray:
    """Large bodies are drawn once per pixel; only their outline is smoothed."""
    blurred = cv2.blur(layer, (3, 3))
    solid = cv2.erode((layer[..., 3] > 0).astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
    return np.where(solid[..., None] > 0, layer, blurred)
