# SPDX-License-Identifier: GPL-3.0-or-later
"""Published files are recognised by what lies in them, whatever they are called, and come out as the loaders read them, to the bit."""

import functools
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from look_alikes import gmm, lightning, mano, network_weights, pickled_body, random_weights, skinned
from safetensors import safe_open

from smplit import models
from smplit.cli import main
from smplit.errors import BadInput, MissingModel
from smplit.mocap.acr.network import Acr
from smplit.mocap.hmr2 import network as hmr2
from smplit.mocap.smirk.network import Smirk
from smplit.mocap.wham.network import Wham
from smplit.models import added, adding, contents, networks

ROOT = Path(__file__).parents[2]
HMR2A, HMR2B = (10, 25_000), (35, 1_000_000)  # epoch and step of the published files


@pytest.fixture
def one_block(monkeypatch):
    """HMR2 with one block instead of 32."""
    small = functools.partial(hmr2.Hmr2Network, depth=1)
    monkeypatch.setattr(hmr2, "Hmr2Network", small)
    return small


def open_body(**more):
    """The open body without what tells it from SMPL-X."""
    with np.load(ROOT / "model_files" / "body" / "OPEN_NEUTRAL.npz") as archive:
        return {name: archive[name] for name in archive.files if not name.startswith("smplit_")} | more


def test_smirk_comes_out_as_its_loader_reads_it_through_the_second_process(model_folder, tmp_path):
    weights = random_weights(Smirk)
    torch.save({f"smirk_encoder.{name}": value for name, value in weights.items()} | {"smirk_generator.x": torch.ones(3)}, tmp_path / "x.bin")
    outcome = adding.add([tmp_path / "x.bin"])
    assert [(row["model"], row["build"]) for row in outcome["added"]] == [("smirk", "unknown build")]
    path = models.find("smirk")
    assert path == (model_folder / "smirk" / "SMIRK_em1.safetensors").resolve()
    found = models.load_weights(path)
    assert found.keys() == weights.keys() and all(torch.equal(found[name], weights[name]) for name in weights)
    assert sorted(file.name for file in model_folder.rglob("*")) == ["SMIRK_em1.safetensors", "SMIRK_em1.safetensors.json", "smirk"]


@pytest.mark.parametrize("new_format", [True, False])
def test_acr_called_smirk_is_said_to_be_acr_and_filed_as_acr(model_folder, in_this_process, tmp_path, new_format):
    weights = network_weights(Acr, 0.25, "module.") | {"module.segmentation_layers.0.weight": torch.zeros(2), "module.mano.betas": torch.zeros(10)}
    torch.save({"model_state_dict": weights, "epoch": 3}, tmp_path / "SMIRK_em1.pt", _use_new_zipfile_serialization=new_format)
    outcome = adding.add([tmp_path / "SMIRK_em1.pt"])
    assert [(row["model"], row["title"]) for row in outcome["added"]] == [("acr", "ACR")]
    assert models.there("acr") and not models.there("smirk")
    with safe_open(models.find("acr"), "pt") as opened:
        assert set(opened.keys()) == set(networks.needed(Acr)) and opened.get_tensor("backbone.conv1.weight").eq(0.25).all()


def test_hmr2_at_its_real_depth_is_told_by_its_step_never_by_its_name(tmp_path):
    weights = network_weights(hmr2.Hmr2Network) | {"smpl.v_template": torch.zeros(6890, 3), "discriminator.x": torch.zeros(3)}
    assert sum(value.numel() for name, value in weights.items() if not name.startswith(("smpl.", "disc"))) == 670_459_194
    for (epoch, step), name, model in ((HMR2A, "epoch=35-step=1000000.ckpt", "hmr2a"), (HMR2B, "hmr2a.ckpt", "hmr2b")):
        lightning(tmp_path / name, weights, epoch, step)
        content = contents.open_file(tmp_path / name, frozenset())
        found = networks.recognise(content.tensors, content.about, name)
        assert found.model == model and len(found.tensors) == 503


def test_hmr2_of_another_step_or_none_is_refused(model_folder, in_this_process, one_block, tmp_path):
    lightning(tmp_path / "own.ckpt", network_weights(one_block), 3, 7000)
    torch.save(network_weights(one_block), tmp_path / "hmr2a.pt")
    for name, told in (("own.ckpt", "step 7000, which is neither"), ("hmr2a.pt", "no step")):
        with pytest.raises(BadInput, match=f"{name}.*HMR2, but not which one.*{told}"):
            adding.add([tmp_path / name])
    assert not model_folder.exists()


def test_both_hmr2_lie_side_by_side_and_a_converted_one_can_be_added_again(model_folder, in_this_process, one_block, tmp_path):
    for (epoch, step), value in ((HMR2A, 1.0), (HMR2B, 2.0)):
        lightning(tmp_path / "hmr2.ckpt", network_weights(one_block, value), epoch, step)
        adding.add([tmp_path / "hmr2.ckpt"])
    for name, value in (("hmr2a", 1.0), ("hmr2b", 2.0)):
        weights = models.load_weights(models.find(name))
        assert len(weights) == len(networks.needed(one_block)) and weights["backbone.pos_embed"].eq(value).all()
    shutil.copy(models.find("hmr2b"), tmp_path / "carried over.safetensors")
    added.remove("hmr2b")
    assert adding.add([tmp_path / "carried over.safetensors"])["added"][0]["model"] == "hmr2b"


def test_wham_keeps_its_weights_and_two_regressors_and_leaves_smpl_behind(model_folder, in_this_process, tmp_path):
    from smplit.mocap.wham.load import FEATURES, load_network, load_regressors

    regressors = {"smpl.J_regressor_wham": torch.rand(31, 6890), "smpl.J_regressor_feet": torch.rand(4, 6890)}
    smpl = {"smpl.v_template": torch.zeros(6890, 3), "smpl.shapedirs": torch.zeros(6890, 3, 10)}
    for name in ("wham_vit_bedlam_w_3dpw.pth.tar", "wham_vit_w_3dpw.pth.tar"):
        weights = network_weights(Wham, 0.5)
        torch.save({"epoch": 20, "model": weights | smpl | regressors, "performance": np.float64(35.7), "optimizer": {"state": {}}}, tmp_path / name)
        row = adding.add([tmp_path / name])["added"][0]
        assert row["model"] == "wham_published" and Path(row["path"]).stem == name.removesuffix(".pth.tar")
    assert models.find("wham_published").name == "wham_vit_bedlam_w_3dpw.safetensors"
    assert load_network(models.find("wham_published"), FEATURES).mask_embedding.eq(0.5).all()
    keypoints, feet = load_regressors(models.find("wham_published"))
    assert np.array_equal(np.float32(keypoints), regressors["smpl.J_regressor_wham"]) and feet.shape == (4, 6890)
    assert not any("v_template" in name for name in models.load_weights(models.find("wham_published")))
    torch.save({"model": network_weights(Wham, 0.0)}, tmp_path / "stage1.pth.tar")
    with pytest.raises(BadInput, match="stage 1, which has never seen pictures"):
        adding.add([tmp_path / "stage1.pth.tar"])


def test_vposer_of_its_zip_is_found(model_folder, in_this_process, tmp_path):
    weights = {f"vp_model.{name}": torch.full(shape, 0.5) for name, shape in networks._VPOSER.items()}
    torch.save({"state_dict": weights | {"bm_train.v": torch.zeros(3)}, "epoch": 13, "global_step": 100}, tmp_path / "V02_05_epoch=13.ckpt")
    with zipfile.ZipFile(tmp_path / "V02_05.zip", "w") as archive:
        archive.write(tmp_path / "V02_05_epoch=13.ckpt", "V02_05/snapshots/V02_05_epoch=13.ckpt")
        archive.writestr("V02_05/V02_05.yaml", "a: 1")
    assert adding.add([tmp_path / "V02_05.zip"])["added"][0]["model"] == "vposer"
    assert models.load_weights(models.find("vposer"))["decoder_net.5.weight"].shape == (126, 512)


def test_smplx_as_downloaded_becomes_the_body_and_goes_again(model_folder, tmp_path, capsys):
    """Through the command and the second process; the zip holds other sexes, a pkl of the same, and a readme."""
    from smplit.body.model import BodyModel

    arrays = open_body()
    np.savez(tmp_path / "SMPLX_NEUTRAL.npz", **arrays, joint2num=np.array({"pelvis": 0}, object))
    with zipfile.ZipFile(tmp_path / "models_smplx_v1_1.zip", "w") as archive:
        for name in ("SMPLX_FEMALE.npz", "SMPLX_MALE.pkl", "SMPLX_NEUTRAL.pkl", "version.txt"):
            archive.writestr(f"models/smplx/{name}", b"not looked at")
        archive.write(tmp_path / "SMPLX_NEUTRAL.npz", "models/smplx/SMPLX_NEUTRAL.npz")
    assert main(["models", "add", str(tmp_path / "models_smplx_v1_1.zip"), "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["added"][0]
    assert row["model"] == "smplx" and row["source"] == "models/smplx/SMPLX_NEUTRAL.npz"
    body = BodyModel.load()
    assert body.name == "SMPLX_NEUTRAL.npz" and not body.standin and np.array_equal(body.v_template, arrays["v_template"].astype(np.float32))
    with np.load(body.path) as archive:
        assert all(np.array_equal(archive[name], arrays[name]) and archive[name].dtype == arrays[name].dtype for name in archive.files)
    assert {row["name"]: row["state"] for row in models.verify()}["smplx"] == "intact"
    assert main(["models", "remove", "smplx"]) == 0
    assert BodyModel.load().name == "OPEN_NEUTRAL.npz" and not (model_folder / "body").exists()


@pytest.mark.parametrize("protocol, module", [(0, None), (2, None), (2, "numpy.core.multiarray"), (5, None)])
def test_smpl_in_a_pickle_of_chumpy_arrays_comes_out_as_plain_arrays(model_folder, in_this_process, tmp_path, protocol, module):
    from smplit.mocap.wham.smpl_files import load_smpl

    arrays = skinned(6890, 24, 10)
    pickled_body(tmp_path / "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl", arrays, protocol, module)
    assert adding.add([tmp_path / "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl"])["added"][0]["model"] == "smpl"
    with np.load(models.find("smpl"), allow_pickle=False) as archive:
        assert set(archive.files) == set(arrays)
        assert all(np.array_equal(archive[name], arrays[name]) for name in arrays)
    assert load_smpl(models.find("smpl"), np.ones((31, 6890), np.float32), np.ones((4, 6890), np.float32)).shapedirs.shape == (6890, 3, 10)


def test_a_woman_s_or_a_man_s_body_is_not_taken_for_the_neutral_one(model_folder, in_this_process, tmp_path):
    pickled_body(tmp_path / "basicmodel_f_lbs_10_207_0_v1.1.0.pkl", skinned(6890, 24, 10))
    with pytest.raises(BadInput, match="SMPL, by its name of a woman or a man"):
        adding.add([tmp_path / "basicmodel_f_lbs_10_207_0_v1.1.0.pkl"])


def test_mano_s_hands_are_told_by_where_their_fingers_point_and_are_one_model(model_folder, in_this_process, tmp_path):
    left, right = mano("left", 1), mano("right", 2)
    pickled_body(tmp_path / "MANO_RIGHT.pkl", left)  # the names are swapped
    pickled_body(tmp_path / "MANO_LEFT.pkl", right)
    with pytest.raises(BadInput, match="right hand is missing"):
        adding.add([tmp_path / "MANO_RIGHT.pkl"])
    with zipfile.ZipFile(tmp_path / "mano_v1_2.zip", "w") as archive:
        for name in ("MANO_LEFT.pkl", "MANO_RIGHT.pkl"):
            archive.write(tmp_path / name, f"mano_v1_2/models/{name}")
    folder = tmp_path / "unpacked"
    folder.mkdir()
    for name in ("MANO_LEFT.pkl", "MANO_RIGHT.pkl"):
        shutil.copy(tmp_path / name, folder)
    for given in ([tmp_path / "MANO_LEFT.pkl", tmp_path / "MANO_RIGHT.pkl"], [tmp_path / "mano_v1_2.zip"], [folder]):
        assert adding.add(given)["added"][0]["model"] == "mano"
        with np.load(models.find("mano"), allow_pickle=False) as archive:
            for side, arrays in (("left", left), ("right", right)):
                assert all(np.array_equal(archive[f"{side}_{name}"], arrays[name]) for name in arrays)
        added.remove("mano")


def test_a_folder_of_downloads_gives_what_models_it_holds(model_folder, in_this_process, tmp_path):
    """Among them a zip, a web page, somebody else's network, and a zip whose paths climb out."""
    import pickle

    folder = tmp_path / "Downloads"
    (folder / "new").mkdir(parents=True)
    torch.save(network_weights(Smirk), folder / "new" / "face.pt")
    torch.save({"conv1.weight": torch.zeros(3)}, folder / "resnet50.pth")
    (folder / "hmr2a.ckpt").write_text("<!DOCTYPE html>")
    with zipfile.ZipFile(folder / "code.zip", "w") as archive:
        archive.writestr("smplify/models/gmm_08.pkl", pickle.dumps(gmm(), 2))
    with zipfile.ZipFile(folder / "odd.zip", "w") as archive:
        archive.writestr("../../SMPLX_NEUTRAL.npz", b"x")
    outcome = adding.add([folder])
    assert sorted(row["model"] for row in outcome["added"]) == ["gmm_prior", "smirk"]
    skipped = " ".join(outcome["skipped"])
    assert all(told in skipped for told in ("resnet50.pth", "hmr2a.ckpt': The file is a web page", "odd.zip': The zip holds a path"))


def test_flame_and_the_mixture_of_poses_are_read_from_their_pickles(model_folder, in_this_process, tmp_path):
    import pickle

    from smplit.mocap.fit.pose_prior import read_mixture

    flame, prior = skinned(5023, 5, 400), gmm()
    pickled_body(tmp_path / "generic_model.pkl", flame, select=False)
    (tmp_path / "gmm_08.pkl").write_bytes(pickle.dumps(prior, protocol=2))
    assert [row["model"] for row in adding.add([tmp_path / "generic_model.pkl", tmp_path / "gmm_08.pkl"])["added"]] == ["flame", "gmm_prior"]
    with np.load(models.find("flame")) as archive:
        assert np.array_equal(archive["shapedirs"], flame["shapedirs"])
    means, _, weights = read_mixture(models.find("gmm_prior"))
    assert np.allclose(means.numpy(), prior["means"][:, :63]) and np.allclose(weights.numpy(), prior["weights"])


def test_one_zip_of_everything_goes_through_the_second_process(model_folder, tmp_path):
    """What each kind of file needs is allowed there."""
    import fake_networks

    fake_networks.write_heatmaps(tmp_path / "a.onnx", {0: 0})
    torch.save({f"vp_model.{name}": torch.full(shape, 0.5) for name, shape in networks._VPOSER.items()}, tmp_path / "b.ckpt")
    pickled_body(tmp_path / "c.pkl", mano("left"))
    pickled_body(tmp_path / "d.pkl", mano("right"))
    torch.save(network_weights(Smirk), tmp_path / "e.pth", _use_new_zipfile_serialization=False)
    np.savez(tmp_path / "f.npz", **gmm())
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name in ("a.onnx", "b.ckpt", "c.pkl", "d.pkl", "e.pth", "f.npz"):
            archive.write(tmp_path / name, name)
    outcome = adding.add([tmp_path / "all.zip"])
    assert sorted(row["model"] for row in outcome["added"]) == ["gmm_prior", "mano", "smirk", "vitpose", "vposer"] and not outcome["skipped"]


def test_landmark_networks_and_detectors_are_told_by_what_goes_in_and_out(model_folder, in_this_process, tmp_path):
    import fake_networks

    path = tmp_path / "end2end.onnx"
    for made, model, name in (
        (lambda: fake_networks.write_heatmaps(path, {0: 0}), "vitpose", "vitpose.onnx"),
        (lambda: fake_networks.write_heatmaps(path, {0: 0}, 133), "vitpose", "vitpose_wholebody.onnx"),
        (lambda: fake_networks.write_simcc(path, {0: 0}, 17), "rtmpose", "rtmpose.onnx"),
        (lambda: fake_networks.write_simcc(path, {0: 0}, 133), "rtmw", "rtmw.onnx"),
        (lambda: fake_networks.write_detector(path, "yolo"), "yolo", "yolo.onnx"),
    ):
        made()
        row = adding.add([path])["added"][0]
        assert row["model"] == model and Path(row["path"]) == model_folder / "landmarks" / name
        assert Path(row["path"]).read_bytes() == path.read_bytes() and models.there(model)
    assert models.find("vitpose").name == "vitpose_wholebody.onnx"
    both = [fake_networks.write_heatmaps(tmp_path / f"{count}.onnx", {0: 0}, count) for count in (17, 133)]
    assert len(adding.add(both)["added"]) == 2 and "is ViTPose, 17 points" in adding.add([both[0], both[0]])["skipped"][0]
    assert len(added.remove("vitpose")) == 2 and not models.there("vitpose") and models.there("yolo")


def test_a_known_file_is_told_by_its_checksum(model_folder, in_this_process, tmp_path, monkeypatch):
    import dataclasses
    import hashlib

    from smplit.models import child

    torch.save(network_weights(Smirk), tmp_path / "SMIRK_em1.pt")
    digest = hashlib.sha256((tmp_path / "SMIRK_em1.pt").read_bytes()).hexdigest()
    monkeypatch.setitem(child.MODELS, "smirk", dataclasses.replace(models.MODELS["smirk"], builds=(("0" * 64, "another"), (digest, "this one"))))
    assert adding.add([tmp_path / "SMIRK_em1.pt"])["added"][0]["build"] == "this one"
    assert next(row for row in models.states() if row["name"] == "smirk")["build"] == "this one"


def test_a_file_changed_after_it_was_added_or_another_one_by_hand_is_noticed(model_folder, in_this_process, tmp_path):
    torch.save(network_weights(Smirk, 0.5), tmp_path / "SMIRK_em1.pt")
    adding.add([tmp_path / "SMIRK_em1.pt"])
    state = lambda name, rows: next(row for row in rows if row["name"] == name)["state"]
    content = bytearray(models.find("smirk").read_bytes())
    content[-1] ^= 1
    models.find("smirk").write_bytes(content)
    assert state("smirk", models.verify()) == "changed" and state("smirk", models.states()) == "found"
    models.find("smirk").write_bytes(content[:-1])
    assert state("smirk", models.states()) == "wrong file"
    (model_folder / "acr").mkdir()
    shutil.copy(tmp_path / "SMIRK_em1.pt", model_folder / "acr" / "wild.pkl")
    row = next(row for row in models.states() if row["name"] == "acr")
    assert row["state"] == "wrong file" and row["problem"] == "it is not ACR" and state("acr", models.verify()) == "wrong file"
    with pytest.raises(MissingModel, match=r"acr.*wild\.pkl' was put there by hand"):
        added.remove("acr")
    assert (model_folder / "acr" / "wild.pkl").is_file()
    torch.save({f"module.{name}": value for name, value in network_weights(Acr).items()}, model_folder / "acr" / "wild.pkl")
    assert state("acr", models.states()) == "found" and state("acr", models.verify()) == "unknown build"


def test_shipped_models_are_never_removed(model_folder):
    for name in ("hand", "body", "lifter"):
        with pytest.raises(MissingModel, match="belongs to SMPLit itself"):
            added.remove(name)
    with pytest.raises(BadInput, match="no model 'dance'"):
        added.remove("dance")
    assert all(row["state"] == "intact" for row in models.verify())


def test_every_model_that_is_not_shipped_says_how_to_get_it(model_folder):
    for row in models.states():
        if not row["shipped"]:
            assert row["state"] == "missing" and row["expects"] and row["licence"] and row["enables"], row["name"]
            assert len(row["steps"]) >= 2 and row["steps"][-1].startswith("smplit models add"), row["name"]
