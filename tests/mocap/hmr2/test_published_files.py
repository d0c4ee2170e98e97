# SPDX-License-Identifier: GPL-3.0-or-later
"""HMR2's checkpoints are read safely, strictly and once; what is not one is named with the remedy."""

import json
import sys
import types
import zipfile

import numpy as np
import pytest
import torch
from hmr2_goldens import golden
from safetensors.torch import save_file

from smplit.errors import BadInput, MissingModel
from smplit.mocap.hmr2 import network as module
from smplit.mocap.hmr2.estimate import Hmr2
from smplit.mocap.hmr2.load import load_network
from smplit.mocap.hmr2.network import Hmr2Network


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """A network of the published names that is quick to write; the published widths are checked beside the goldens."""
    for name, width in {"WIDTH": 64, "TOKEN": 32, "HEAD_WIDTH": 16}.items():
        monkeypatch.setattr(module, name, width)


@pytest.fixture
def weights(narrow):
    torch.manual_seed(0)
    return {name: value + 0.1 * torch.randn(value.shape) for name, value in Hmr2Network(2).state_dict().items()}


class CfgNode(dict):
    """As yacs has it: Lightning leaves one beside the weights."""


@pytest.fixture
def yacs(monkeypatch):
    """The file says `yacs.config.CfgNode`; the package itself is not installed, here as on users' machines."""
    config = types.ModuleType("yacs.config")
    config.CfgNode = CfgNode
    monkeypatch.setattr(CfgNode, "__module__", "yacs.config")
    with monkeypatch.context() as there:
        there.setitem(sys.modules, "yacs", types.ModuleType("yacs"))
        there.setitem(sys.modules, "yacs.config", config)
        yield lambda: there.undo()


def others():
    """What the code of 4D-Humans has in its state dict besides; SMPL's big arrays cut short."""
    return {name: torch.zeros([min(length, 20) for length in shape]) for name, shape in json.loads(str(golden("depth2")["other_keys"])).items()}


def write(path, weights):
    torch.save(weights, path)
    return path


@pytest.fixture
def converted(tmp_path, weights):
    """As `smplit models add` writes it."""
    save_file(weights, tmp_path / "hmr2a.safetensors")
    return tmp_path / "hmr2a.safetensors"


def same(network, weights):
    own = network.state_dict()
    return own.keys() == weights.keys() and all(torch.equal(value, weights[name]) for name, value in own.items())


def test_a_lightning_checkpoint_loads_and_its_body_and_discriminator_are_left_out(tmp_path, yacs, weights):
    extra = others()
    assert len(extra) == 73 and {name.split(".")[0] for name in extra} == {"discriminator", "smpl", "initialized"}
    settings = CfgNode(MODEL=CfgNode(IMAGE_SIZE=256, BACKBONE=CfgNode(TYPE="vit")), LR=1e-5)
    path = write(tmp_path / "epoch=35-step=1000000.ckpt", {
        "epoch": 35, "global_step": 1_000_000, "pytorch-lightning_version": "1.8.1", "state_dict": weights | extra, "loops": {},
        "optimizer_states": [], "lr_schedulers": [], "hparams_name": "cfg", "hyper_parameters": {"cfg": settings, "init_renderer": True},
    })
    yacs()
    network = load_network(path, 2)
    assert same(network, weights) and not network.training and not any(value.requires_grad for value in network.parameters())


def test_a_state_dict_alone_loads(tmp_path, weights):
    assert same(load_network(write(tmp_path / "hmr2a.ckpt", {"state_dict": weights}), 2), weights)
    assert same(load_network(write(tmp_path / "bare.ckpt", weights), 2), weights)


def test_a_converted_checkpoint_loads_and_answers(converted, weights):
    network = load_network(converted, 2)
    assert same(network, weights)
    found = Hmr2(network)(torch.zeros(2, 3, 256, 256))
    assert found.rotations.shape == (2, 24, 3, 3) and np.isfinite(found.rotations).all()
    assert np.allclose(np.linalg.det(found.rotations), 1.0, atol=1e-5)


def test_weights_are_taken_over_and_not_copied(weights):
    """2.7 GB need not be there twice."""
    with torch.device("meta"):
        network = Hmr2Network(2)
    network.load_state_dict(weights)
    assert all(value.data_ptr() == weights[name].data_ptr() for name, value in network.state_dict().items())


def test_weights_in_half_precision_are_read(tmp_path, weights):
    path = write(tmp_path / "half.ckpt", {name: value.half() for name, value in weights.items()})
    network = load_network(path, 2)
    assert {value.dtype for value in network.state_dict().values()} == {torch.float32}
    assert np.isfinite(Hmr2(network)(torch.zeros(1, 3, 256, 256)).token).all()


def test_a_checkpoint_of_another_depth_is_not_hmr2s(converted):
    with pytest.raises(BadInput, match=r"hmr2a\.safetensors.*missing: backbone\.blocks\.2\.") as error:
        load_network(converted)
    assert error.value.code == "weights_do_not_fit" and error.value.remedy


def without(weights, *names):
    return {name: value for name, value in weights.items() if not name.startswith(names)}


WRONG = {
    "incomplete": (lambda known: without(known, "smpl_head.init_cam"), r"missing: smpl_head\.init_cam"),
    "of another backbone": (
        lambda known: known | {"backbone.pos_embed": torch.zeros(1, 197, 64)}, r"pos_embed \(1, 197, 64\) instead of \(1, 193, 64\)",
    ),
    "with a part more": (lambda known: known | {"backbone.cls_token": torch.zeros(1, 1, 64)}, r"unknown: backbone\.cls_token"),
    "a pose estimator on the same backbone": (
        lambda known: without(known, "smpl_head.") | {"keypoint_head.weight": torch.zeros(3)}, r"missing: smpl_head\.",
    ),
    "WHAM's": (lambda _: {"model": {"mask_embedding": torch.zeros(1, 1, 17, 2)}}, r"no checkpoint of HMR2.*hmr2a\.ckpt"),
    "SMPL alone": (lambda _: {"state_dict": {"smpl.v_template": torch.zeros(20, 3)}}, r"no checkpoint of HMR2"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_checkpoint_is_refused_with_the_reason(kind, tmp_path, weights):
    change, reason = WRONG[kind]
    path = write(tmp_path / "wrong.ckpt", change(weights))
    with pytest.raises(BadInput, match=reason) as error:
        load_network(path, 2)
    assert "wrong.ckpt" in str(error.value) and error.value.remedy and error.value.exit_code == 2


def test_a_checkpoint_cut_short_is_refused(converted, tmp_path, weights):
    for path in (converted, write(tmp_path / "cut.ckpt", weights)):
        path.write_bytes(path.read_bytes()[:-1000])
        with pytest.raises(BadInput, match=path.stem) as error:
            load_network(path, 2)
        assert error.value.remedy


def test_a_file_that_runs_code_is_refused_and_does_not(tmp_path):
    class Bomb:
        def __reduce__(self):
            return open, (str(tmp_path / "mark"), "w")

    path = write(tmp_path / "bomb.ckpt", {"state_dict": {"backbone.pos_embed": torch.zeros(1)}, "hyper_parameters": Bomb()})
    assert zipfile.is_zipfile(path)
    with pytest.raises(BadInput, match=r"bomb\.ckpt"):
        load_network(path)
    assert not (tmp_path / "mark").exists()


def test_a_missing_checkpoint_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SMPLIT_MODEL_FILES", str(tmp_path))
    for which in ("hmr2a", "hmr2b"):
        with pytest.raises(MissingModel, match=f"hmr2/.*{'hmr2a' if which == 'hmr2a' else 'epoch=35|hmr2b'}"):
            Hmr2.load(which=which)


def test_one_is_found_among_the_model_files(tmp_path, monkeypatch, weights):
    monkeypatch.setenv("SMPLIT_MODEL_FILES", str(tmp_path))
    monkeypatch.setattr(module, "DEPTH", 2)
    (tmp_path / "hmr2").mkdir()
    save_file(weights, tmp_path / "hmr2" / "hmr2b.safetensors")
    assert same(Hmr2.load(which="hmr2b").network, weights)
    with pytest.raises(MissingModel):
        Hmr2.load(which="hmr2a")

