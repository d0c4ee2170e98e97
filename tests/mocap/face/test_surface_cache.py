# SPDX-License-Identifier: GPL-3.0-or-later
"""The kept places of the mesh points are the ones that were made, or they are made again."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from smplit.body.model import BodyModel
from smplit.mocap.face import surface
from smplit.mocap.face.surface_cache import kept_surface

BODY = Path(__file__).resolve().parents[3] / "model_files" / "body" / "OPEN_NEUTRAL.npz"
FIELDS = ("rest", "expression", "jaw", "canonical")


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(BODY)


@pytest.fixture(scope="module")
def fresh(body):
    return surface.face_surface(body)


@pytest.fixture
def counted(monkeypatch, fresh):
    """How often the places were made."""
    made = []
    monkeypatch.setattr(surface, "face_surface", lambda body: made.append(body) or fresh)
    return made


def same(first, second):
    return all(np.abs(getattr(first, name) - getattr(second, name)).max() < 1e-6 for name in FIELDS)


def test_the_second_time_they_are_read_and_are_the_same(tmp_path, body, fresh, counted):
    assert same(kept_surface(body, tmp_path), fresh)
    assert same(kept_surface(body, tmp_path), fresh)
    assert len(counted) == 1
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]  # nothing half-written beside it


def test_another_body_file_has_places_of_its_own(tmp_path, body, counted):
    kept_surface(body, tmp_path)
    other = BodyModel.load(BODY)
    other.sha256 = "0" * 64
    kept_surface(other, tmp_path)
    assert len(counted) == 2 and len(list(tmp_path.iterdir())) == 2


def cut(path):
    path.write_bytes(path.read_bytes()[:1000])


def emptied(path):
    path.write_bytes(b"")


def misshapen(path):
    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)
    np.savez(path, **arrays | {"jaw": arrays["jaw"][:1]})


def not_numbers(path):
    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)
    np.savez(path, **arrays | {"rest": np.full_like(arrays["rest"], np.nan)})


@pytest.mark.parametrize("spoil", [cut, emptied, misshapen, not_numbers])
def test_a_spoiled_file_is_made_again(tmp_path, body, fresh, counted, spoil):
    kept_surface(body, tmp_path)
    spoil(next(tmp_path.iterdir()))
    assert same(kept_surface(body, tmp_path), fresh)
    assert same(kept_surface(body, tmp_path), fresh)
    assert len(counted) == 2


def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path, body, fresh):
    blocked = tmp_path / "a file"
    blocked.write_text("no folder")
    assert same(kept_surface(body, blocked / "below"), fresh)


def test_kept_places_cost_neither_trimesh_nor_the_smplx_package(tmp_path, body):
    kept_surface(body, tmp_path)
    code = (
        "import sys; from pathlib import Path; from smplit.body.model import BodyModel; from smplit.mocap.face.landmark_fit import kept_surface;"
        "kept_surface(BodyModel.load(sys.argv[1]), Path(sys.argv[2])); print(*{'trimesh', 'smplx'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code, str(BODY), str(tmp_path)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
