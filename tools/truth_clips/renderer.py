# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws people in a place with OpenGL, off screen.

moderngl on Mesa's software OpenGL draws a 960x540 frame, four samples a pixel, in about 0.2 s on one
core; Blender's Workbench engine took 0.8 s for the same body without any texture.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import cv2
import moderngl
import numpy as np
from scipy import sparse

from smplit.body.model import SURFACE_POINTS, BodyModel
from truth_clips.looks import Look

_FOLDER = Path(__file__).resolve().parent
_SHADOW_SIZE, _SHADOW_REACH = 1536, 5.0  # px, m around the people
_NOISE_SIZE = 1024  # px
_SAMPLES = 4  # a pixel, for edges; paint is computed once a pixel and softened as a lens would
_LENS_BLUR = 0.55  # px
_NEAR, _FAR = 0.1, 120.0
_VIEW_ONLY = "#version 330\nin vec3 position; uniform mat4 view; void main() { gl_Position = view * vec4(position, 1.0); }"
_SCREEN = "#version 330\nin vec2 corner; out vec2 screen; void main() { screen = corner; gl_Position = vec4(corner, 0.9999, 1.0); }"


class _Paint:
    """What the person shader needs of the body at rest: landmark outlines and where clothes stand off."""

    def __init__(self, body: BodyModel):
        with np.load(body.path, allow_pickle=False) as archive:
            template, faces = archive["v_template"], archive["f"].astype(np.int64)
            points = (template[faces[archive["lmk_faces_idx"]]] * archive["lmk_bary_coords"][..., None]).sum(1)
            weights = archive["weights"]
        self.rest, self.faces, self.points = template, faces, points
        count = len(template)
        edges = sparse.coo_matrix((np.ones(faces.size), (faces.ravel(), np.roll(faces, 1, 1).ravel())), shape=(count, count))
        parts, labels = sparse.csgraph.connected_components(edges, directed=False)
        main = np.bincount(labels, minlength=parts).argmax()
        self.eyeball = ((weights[:, 23:25].max(1) > 0.5) & (labels != main)).astype(np.float32)
        self.eye_centre = [template[(weights[:, joint] > 0.5) & (self.eyeball > 0)].mean(0) for joint in (23, 24)]
        self.ear = [template[SURFACE_POINTS[name][0]] for name in ("left_ear", "right_ear")]
        self.nostril = [points[18] + [-0.004, -0.001, 0.004], points[14] + [0.004, -0.001, 0.004]]

    def stand_off(self, look: Look) -> np.ndarray:
        """(V,) m along the normal: hair, clothes and shoes are thicker than skin."""
        x, y, z = np.abs(self.rest[:, 0]), self.rest[:, 1], self.rest[:, 2]
        out = np.zeros(len(x))
        shirt = ((y < 0.10) | (x > 0.1)) & (y > -0.40) & (x < look.sleeve)
        trousers = (y <= -0.40) & (y > look.leg) & (x < 0.24)
        out[shirt | trousers] = look.puff
        out[trousers & (y < -0.9)] = 1.3 * look.puff
        out[y < -1.245] = 0.006
        height = look.hairline + (0.185 - look.hairline) * np.clip((0.085 - z) / 0.095, 0, 1)
        ears = np.minimum(*(np.linalg.norm(self.rest - ear, axis=1) for ear in self.ear))
        hair = np.clip((y - height) / 0.02, 0, 1) * np.clip((ears - 0.03) / 0.01, 0, 1) * (y > 0.17) * (x < 0.12)
        return (out + hair * look.hair_puff) * (1 - self.eyeball)

    def uniforms(self) -> dict[str, np.ndarray]:
        flat = self.points[:, :2]
        return {
            "brow": flat[0:10], "eyelid": flat[19:31], "mouth": flat[31:51], "eye_centre": np.array(self.eye_centre),
            "ear": np.array(self.ear), "nostril": np.array(self.nostril),
        }


class Renderer:
    """`Renderer(size, body)`; then `set_place` once and `draw` for every frame."""

    def __init__(self, size: tuple[int, int], body: BodyModel):
        """`size` (width, height) px."""
        self._size = size
        self._context = moderngl.create_context(standalone=True, backend="egl", require=330)
        context = self._context
        samples = context.renderbuffer(size, 4, samples=_SAMPLES), context.depth_renderbuffer(size, samples=_SAMPLES)
        self._frame = context.framebuffer([samples[0]], samples[1])
        self._resolved = context.framebuffer([context.renderbuffer(size, 4)])
        self._shadow = context.depth_texture((_SHADOW_SIZE, _SHADOW_SIZE))
        self._shadow.compare_func = "<="
        self._shadow_frame = context.framebuffer(depth_attachment=self._shadow)
        self._noise = context.texture((_NOISE_SIZE, _NOISE_SIZE), 3, _noise_picture().tobytes())
        self._noise.build_mipmaps()
        # No anisotropy: Mesa's software look-up with it takes twenty times as long.
        self._noise.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        common = (_FOLDER / "common.glsl").read_text(encoding="utf-8")
        self._programs = {}
        for name in ("person", "place", "sky"):
            vertex = _SCREEN if name == "sky" else _shader(f"{name}.vert")
            fragment = "#version 330\n" + common + (_FOLDER / f"{name}.frag.glsl").read_text(encoding="utf-8")
            self._programs[name] = context.program(vertex_shader=vertex, fragment_shader=fragment)
        self._depth_only = context.program(vertex_shader=_VIEW_ONLY, fragment_shader="#version 330\nvoid main() {}")
        self._paint = _Paint(body)
        self._indices = context.buffer(self._paint.faces.astype("i4").tobytes())
        self._still = context.buffer(np.column_stack([self._paint.rest, self._paint.eyeball]).astype("f4").tobytes())
        corners = np.array([[-1, -1], [3, -1], [-1, 3]], "f4")
        self._sky = context.vertex_array(self._programs["sky"], [(context.buffer(corners.tobytes()), "2f", "corner")])
        self._people: list[_Figure] = []

    def set_place(
        self, triangles: np.ndarray, looks: list[Look], sun: tuple[float, float, float], tint: tuple[float, float, float], seed: int
    ) -> None:
        """`triangles` (N,7) of `places.build`; one look per person; `sun` the direction towards it."""
        buffer = self._context.buffer(triangles.astype("f4").tobytes())
        self._place = self._context.vertex_array(self._programs["place"], [(buffer, "3f 3f 1f", "position", "normal", "material")])
        self._place_depth = self._context.vertex_array(self._depth_only, [(buffer, "3f 16x", "position")])
        self._sun = np.asarray(sun) / np.linalg.norm(sun)
        self._seed = float(seed % 97)
        self._programs["place"]["tint"].value = tint
        for program in self._programs.values():
            _set(program, "sun", self._sun)
            _set(program, "seed", self._seed)
            if "noise_map" in program:
                program["noise_map"].value = 1
        for name, value in self._paint.uniforms().items():
            self._programs["person"][name].write(np.ascontiguousarray(value, "f4").tobytes())
        shared = self._context, self._programs["person"], self._depth_only, self._still, self._indices, self._paint
        self._people = [_Figure(*shared, look) for look in looks]

    def draw(self, vertices: list[np.ndarray], R: np.ndarray, t: np.ndarray, K: np.ndarray) -> np.ndarray:
        """One frame (H,W,3) uint8 RGB.

        Args:
            vertices: (V,3) m of each person; R (3,3), t (3,) m world-to-camera; K (3,3) px.
        """
        for figure, points in zip(self._people, vertices, strict=True):
            figure.move(points)
        view = _projection(K, self._size) @ _rigid(R, t)
        shadow_view = self._shadow_projection(np.mean([points.mean(0) for points in vertices], axis=0))
        context = self._context
        context.enable(moderngl.DEPTH_TEST)
        self._shadow_frame.use()
        self._shadow_frame.clear()
        _set(self._depth_only, "view", shadow_view)
        self._place_depth.render()
        for figure in self._people:
            figure.depth.render()
        self._shadow.use(0)
        self._noise.use(1)
        self._frame.use()
        self._frame.clear()
        eye = -R.T @ t
        for program in self._programs.values():
            for name, value in (("view", view), ("shadow_view", shadow_view), ("eye", eye), ("unview", np.linalg.inv(view))):
                _set(program, name, value)
        self._place.render()
        for figure in self._people:
            figure.dress()
            figure.array.render()
        context.depth_func = "<="
        self._sky.render()
        context.depth_func = "<"
        context.copy_framebuffer(self._resolved, self._frame)
        width, height = self._size
        picture = np.frombuffer(self._resolved.read(components=3, alignment=1), np.uint8).reshape(height, width, 3)[::-1]
        return cv2.GaussianBlur(picture, (0, 0), _LENS_BLUR)

    def _shadow_projection(self, centre: np.ndarray) -> np.ndarray:
        """(4,4) world -> clip space of a parallel light around the people."""
        forward = -self._sun
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        R = np.stack([right, np.cross(forward, right), forward])
        scale = np.diag([1 / _SHADOW_REACH, 1 / _SHADOW_REACH, 1 / (4 * _SHADOW_REACH), 1.0])
        return scale @ _rigid(R, -R @ centre)


class _Figure:
    """One person's buffers on the graphics side."""

    def __init__(self, context, program, depth_only, still, indices, paint: _Paint, look: Look):
        self._program, self._look, self._faces = program, look, paint.faces
        self._off = paint.stand_off(look)[:, None]
        count = len(paint.rest)
        corners = paint.faces.ravel()
        faces = np.repeat(np.arange(len(paint.faces)), 3)
        self._gather = sparse.csr_matrix((np.ones(len(corners), np.float32), (corners, faces)), shape=(count, len(paint.faces)))
        self._buffer = context.buffer(reserve=count * 24, dynamic=True)
        self.array = context.vertex_array(program, [(self._buffer, "3f 3f", "position", "normal"), (still, "3f 1f", "rest", "eyeball")], indices)
        self.depth = context.vertex_array(depth_only, [(self._buffer, "3f 12x", "position")], indices)

    def move(self, vertices: np.ndarray) -> None:
        """Sends (V,3) m to the graphics side, clothes standing off along the normals."""
        normals = self._normals(vertices)
        dressed = vertices + self._off * normals
        self._buffer.write(np.concatenate([dressed, self._normals(dressed)], 1).astype("f4").tobytes())

    def _normals(self, vertices: np.ndarray) -> np.ndarray:
        a, b, c = (vertices[self._faces[:, i]] for i in range(3))
        normals = self._gather @ np.cross(b - a, c - a)
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)

    def dress(self) -> None:
        """Sets the shader's colours to this person's."""
        for field in fields(self._look):
            _set(self._program, field.name, getattr(self._look, field.name))
        skin = np.array(self._look.skin)
        for name, value in (("lips", skin * [0.95, 0.55, 0.55]), ("neck_line", 0.10), ("waist", -0.40)):
            _set(self._program, name, value)


def _noise_picture() -> np.ndarray:
    """(N,N,3) uint8 tileable noise: 16 cells a side, 64 cells, and a sum of four octaves from 16 on."""
    random = np.random.default_rng(0)

    def layer(cells: int) -> np.ndarray:
        # Padded on all sides, so that the enlarged picture meets itself at its edges.
        values = np.pad(random.random((cells, cells)).astype(np.float32), 2, mode="wrap")
        zoom = _NOISE_SIZE // cells
        large = cv2.resize(values, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
        return large[2 * zoom : -2 * zoom, 2 * zoom : -2 * zoom]

    coarse, fine = layer(16), layer(64)
    summed = 0.5 * coarse + 0.25 * layer(32) + 0.15 * fine + 0.1 * layer(128)
    return (np.clip(np.stack([coarse, fine, summed], -1), 0, 1) * 255).astype(np.uint8)


def _shader(name: str) -> str:
    """A vertex shader's text; GLSL wants its version before any comment that some drivers choke on."""
    return (_FOLDER / f"{name}.glsl").read_text(encoding="utf-8")


def _set(program: moderngl.Program, name: str, value) -> None:
    """Sets a uniform when the compiler kept it; matrices are row-major here, column-major in GLSL."""
    if name not in program:
        return
    array = np.asarray(value, "f4")
    if array.ndim == 2:
        program[name].write(np.ascontiguousarray(array.T).tobytes())
    elif array.ndim == 1:
        program[name].value = tuple(float(x) for x in array)
    else:
        program[name].value = float(array)


def _rigid(R: np.ndarray, t: np.ndarray) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = R, t
    return matrix


def _projection(K: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(4,4) OpenCV camera axes -> OpenGL clip space; pixel coordinates start at the top-left CORNER."""
    width, height = size
    depth = (_FAR + _NEAR) / (_FAR - _NEAR)
    return np.array([
        [2 * K[0, 0] / width, 0, 2 * K[0, 2] / width - 1, 0],
        [0, -2 * K[1, 1] / height, 1 - 2 * K[1, 2] / height, 0],
        [0, 0, depth, -2 * _FAR * _NEAR / (_FAR - _NEAR)],
        [0, 0, 1, 0],
    ])
