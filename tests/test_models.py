# SPDX-License-Identifier: GPL-3.0-or-later
"""Model files are found, missing ones named with a remedy, changed ones noticed."""

import hashlib
import shutil
import sys
import types
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from smplit import models
from smplit.errors import BadInput, MissingModel


def test_every_shipped_model_is_intact():
    shipped = [entry.name for entry in models.MODELS.values() if entry.shipped]
    assert {row["name"]: row["state"] for row in models.verify()} == dict.fromkeys(shipped, "intact")


def test_a_missing_model_is_named_with_where_it_was_looked_for(monkeypatch, tmp_path):
    monkeypatch.setattr(models, "folders", lambda: [tmp_path])
    with pytest.raises(MissingModel, match=r"hand_full\.onnx") as error:
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


@pytest.mark.parametrize("wrap", [lambda weights: weights, lambda weights: {"model": weights, "epoch": 3}, lambda weights: {"state_dict": weights},
                                  lambda weights: {"model_state_dict": weights, "optimizer_state_dict": {}}])
def test_weights_are_read_plain_or_from_where_training_scripts_put_them(tmp_path, wrap):
    torch.save(wrap({"layer.weight": torch.eye(3)}), tmp_path / "model.pt")
    found = models.load_weights(tmp_path / "model.pt")
    assert list(found) == ["layer.weight"] and torch.equal(found["layer.weight"], torch.eye(3))


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
@pytest.mark.parametrize("number", [np.float32(71.5), np.float64(71.5)])
def test_a_score_left_by_numpy_1_or_2_beside_the_weights_is_no_hindrance(tmp_path, module, number):
    torch.save({"model": {"w": torch.ones(2)}, "performance": number}, tmp_path / "whole.pt")
    with zipfile.ZipFile(tmp_path / "whole.pt") as source, zipfile.ZipFile(tmp_path / "model.pt", "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename.endswith("data.pkl"):
                own = np.float64().__reduce__()[0].__module__
                assert f"c{own}\nscalar\n".encode() in content
                content = content.replace(f"c{own}\n".encode(), f"c{module}\n".encode())
            target.writestr(entry.filename.replace("whole", "model"), content)
    assert torch.equal(models.load_weights(tmp_path / "model.pt")["w"], torch.ones(2))


def test_lightnings_settings_are_no_hindrance_and_both_of_torchs_formats_are_read(tmp_path):
    """Settings of yacs, which is not installed: a class of that name is pretended while the file is written."""
    module = types.ModuleType("yacs.config")
    module.CfgNode = type("CfgNode", (dict,), {"__module__": "yacs.config"})
    sys.modules |= {"yacs": types.ModuleType("yacs"), "yacs.config": module}
    settings = module.CfgNode(GENERAL=module.CfgNode(STEPS=3))
    settings.frozen = True
    try:
        for new in (True, False):
            whole = {"state_dict": {"w": torch.ones(2)}, "global_step": 25000, "hyper_parameters": {"cfg": settings}}
            torch.save(whole, tmp_path / f"{new}.ckpt", _use_new_zipfile_serialization=new)
    finally:
        del sys.modules["yacs"], sys.modules["yacs.config"]
    for new in (True, False):
        assert torch.equal(models.load_weights(tmp_path / f"{new}.ckpt")["w"], torch.ones(2))


def test_averaged_weights_come_first(tmp_path):
    torch.save({"model": {"w": torch.zeros(1)}, "model_avg": {"w": torch.ones(1)}}, tmp_path / "model.pt")
    assert models.load_weights(tmp_path / "model.pt")["w"].item() == 1


def test_safetensors_are_read_too(tmp_path):
    save_file({"w": torch.arange(4.0)}, tmp_path / "model.safetensors")
    assert torch.equal(models.load_weights(tmp_path / "model.safetensors")["w"], torch.arange(4.0))


class Intruder:
    """Unpickled without care, it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_checkpoint_that_would_run_code_is_refused_and_does_not(tmp_path):
    torch.save({"w": torch.zeros(1), "trap": Intruder(tmp_path / "intruded")}, tmp_path / "model.pt")
    with pytest.raises(BadInput, match=r"model\.pt.*plain weights") as error:
        models.load_weights(tmp_path / "model.pt")
    assert error.value.exit_code == 2 and not (tmp_path / "intruded").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"no checkpoint at all", b"\x80\x02}q\x00."])
@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
def test_a_damaged_checkpoint_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=name):
        models.load_weights(tmp_path / name)


def test_a_checkpoint_without_weights_or_without_a_file_is_named(tmp_path):
    torch.save({"step": 5}, tmp_path / "opt.pt")
    with pytest.raises(BadInput, match=r"opt\.pt.*no weights"):
        models.load_weights(tmp_path / "opt.pt")
    with pytest.raises(BadInput, match=r"missing\.pt"):
        models.load_weights(tmp_path / "missing.pt")
