# SPDX-License-Identifier: GPL-3.0-or-later
"""Model files are found, missing ones named with a remedy, changed ones noticed."""

import hashlib
import shutil

import pytest

from smplit import models
from smplit.errors import MissingModel


def test_every_shipped_model_is_intact():
    assert {row["name"]: row["state"] for row in models.verify()} == dict.fromkeys(models.MODELS, "intact")


def test_a_missing_model_is_named_with_where_it_was_looked_for(monkeypatch, tmp_path):
    monkeypatch.setattr(models, "folders", lambda: [tmp_path])
    with pytest.raises(MissingModel, match="hand_full.onnx") as error:
        models.find("hand")
    assert str(tmp_path) in str(error.value) and "Install SMPLit again" in error.value.remedy and error.value.exit_code == 2


def test_a_users_own_folder_comes_first_and_a_changed_file_is_noticed(monkeypatch, tmp_path):
    (tmp_path / "landmarks").mkdir()
    shutil.copy(models.find("face_mesh"), tmp_path / "landmarks" / "face_mesh.onnx")
    with (tmp_path / "landmarks" / "face_mesh.onnx").open("ab") as stream:
        stream.write(b"x")
    monkeypatch.setenv("SMPLIT_MODEL_FILES", str(tmp_path))
    changed = {row["name"]: row["state"] for row in models.verify()}
    assert changed["face_mesh"] == "changed" and changed["hand"] == "intact"
    state = next(row for row in models.states() if row["name"] == "face_mesh")
    assert state["sha256"] == hashlib.sha256((tmp_path / "landmarks" / "face_mesh.onnx").read_bytes()).hexdigest()
