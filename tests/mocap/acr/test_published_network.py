# SPDX-License-Identifier: GPL-3.0-or-later
"""ACR's network gives what the original gave, with the same weights and picture (goldens/acr, net.npz), and its usual mistakes do not."""

import types

import numpy as np
import pytest
import torch
from acr_goldens import UNUSED, golden, map_error, new_network, outputs, picture
from formula_weights import TOLERANCE, acr_picture, checksum, error, formula_weights, shapes
from torch.nn import functional as F

from smplit.axes import axis_angle_from_matrix
from smplit.mocap.acr import network as acr_network
from smplit.mocap.acr.decode import betas_of, decode, rotations_of
from smplit.mocap.acr.look import AcrLook
from smplit.mocap.acr.network import Acr, quicker, with_coordinates

_HOOKED = {
    "backbone.bn1": "mid.backbone.bn1", "backbone.bn2": "mid.backbone.bn2", "backbone.layer1": "mid.backbone.layer1",
    "backbone.stage2": "mid.backbone.stage2", "backbone.stage3": "mid.backbone.stage3", "backbone.stage4": "mid.backbone.stage4",
    "backbone": "out.backbone", "backbone.hand_segm.segm_head.upsampler.up1.conv.double_conv": "mid.backbone.hand_segm.segm_head.upsampler",
}


@pytest.fixture(scope="module")
def network():
    """Shared: whoever changes it changes it back."""
    return new_network()


@pytest.fixture(scope="module")
def answers(network):
    """{the goldens' key: map} of one run, what is inside the network too; `maps` for the decoder."""
    inside = {}

    def keep(name):
        def hook(_module, _inputs, output):
            inside.update({f"{name}.{branch}": value for branch, value in enumerate(output)} if isinstance(output, list) else {name: output})
        return hook

    handles = [network.get_submodule(module).register_forward_hook(keep(name)) for module, name in _HOOKED.items()]
    maps, parts = network(picture())
    for handle in handles:
        handle.remove()
    return types.SimpleNamespace(maps=maps, features=inside["out.backbone"], named=inside | outputs(maps, parts))


def worst(named):
    return max(map_error(key, value) for key, value in named.items())


def test_the_picture_is_that_of_the_goldens():
    assert checksum(acr_picture()) == int(golden("network")["input_crc32"])


def test_names_and_shapes_are_those_of_the_published_file():
    own = {name: tuple(value.shape) for name, value in Acr().state_dict().items()}
    published = shapes("acr")
    assert own == {name: shape for name, shape in published.items() if not name.startswith(UNUSED)}
    assert len(published) == 2067
    assert sum(int(np.prod(shape)) for shape in published.values()) == 30_310_163


@pytest.mark.parametrize("key", [key for key in golden("network") if key.startswith(("out.", "mid."))])
def test_every_map_is_the_published_one(answers, key):
    assert map_error(key, answers.named[key]) < TOLERANCE


def test_the_hands_read_off_the_maps_are_the_published_ones(answers):
    known, hands = golden("network"), decode(answers.maps)
    assert hands.found.float().tolist() == [known["parse.detection_flag"].tolist()]
    assert hands.centres[0].flip(-1).tolist() == [*known["parse.l_centers_pred"].tolist(), *known["parse.r_centers_pred"].tolist()]
    assert error(hands.scores[0], np.concatenate([known["parse.l_centers_conf"], known["parse.r_centers_conf"]])[:, 0]) < TOLERANCE
    assert error(hands.parameters[0], known["parse.params_pred"]) < TOLERANCE
    assert error(hands.parameters[0, :, :3], known["parse.cam"]) < TOLERANCE
    poses = axis_angle_from_matrix(rotations_of(hands.parameters[0]).numpy()).reshape(2, 48)
    assert error(poses, known["parse.poses"]) < TOLERANCE
    assert error(poses[:, :3], known["parse.global_orient"]) < TOLERANCE and error(poses[:, 3:], known["parse.hand_pose"]) < TOLERANCE
    assert error(betas_of(hands.parameters[0].numpy()), known["parse.betas"]) < TOLERANCE


def test_the_quicker_network_of_the_second_look_says_the_same():
    network = quicker(new_network())
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    said = AcrLook(network).look(torch.from_numpy(acr_picture())[None])
    assert {name: values.shape for name, values in said.items()} == {"found": (1, 2), "scores": (1, 2), "parameters": (1, 2, 109)}
    assert error(said["parameters"][0], golden("network")["parse.params_pred"]) < TOLERANCE and (said["found"] == 1).all()


def test_coordinates_run_along_the_columns_first():
    corners = with_coordinates(torch.zeros(1, 32, 128, 128))[0, 32:, [0, 0, 127, 127], [0, 127, 0, 127]]
    assert torch.equal(corners, torch.from_numpy(golden("network")["coordmaps_corner"]))


def test_pictures_of_a_batch_do_not_know_of_each_other(network, answers):
    other = 255.0 - picture()
    maps, _ = network(torch.cat([other, picture()]))
    assert error(maps["l"].parameters[1], answers.maps["l"].parameters[0]) < TOLERANCE


def test_the_heads_alone_give_the_same(network, answers, monkeypatch):
    monkeypatch.setattr(network.backbone, "forward", lambda _: answers.features)
    assert worst(outputs(*network(picture()))) < TOLERANCE


def _parts_swapped(monkeypatch):
    monkeypatch.setattr(acr_network, "_PART_ROWS", {"l": slice(0, 16), "r": slice(16, 32)})


def _coordinates_swapped(monkeypatch):
    monkeypatch.setattr(acr_network, "with_coordinates", lambda values: with_coordinates(values)[:, [*range(32), 33, 32]])


def _corners_not_aligned(monkeypatch):
    def interpolate(values, mode, align_corners=None, **options):
        return F.interpolate(values, mode=mode, align_corners=None if align_corners is None else False, **options)

    monkeypatch.setattr(acr_network, "F", types.SimpleNamespace(interpolate=interpolate))


def _scale_as_it_is(monkeypatch):
    monkeypatch.setattr(acr_network, "scale_of", lambda values: values)


def _attention(monkeypatch, likeness):
    def attention(parts, side):
        smaller = F.interpolate(parts, size=(side, side), mode="nearest")
        return likeness(smaller.flatten(2)).view_as(smaller)[:, 1:]

    monkeypatch.setattr(acr_network, "part_attention", attention)


def _attention_beside_the_background(monkeypatch):
    _attention(monkeypatch, lambda values: values.softmax(1))  # over the 33 parts of a place


def _attention_from_the_background_on(monkeypatch):
    right = acr_network.part_attention
    monkeypatch.setattr(acr_network, "part_attention", lambda parts, side: right(parts.roll(1, 1), side))


def _attention_by_sigmoid(monkeypatch):
    _attention(monkeypatch, torch.sigmoid)


@pytest.mark.parametrize("mistake", [
    _parts_swapped, _coordinates_swapped, _corners_not_aligned, _scale_as_it_is, _attention_beside_the_background,
    _attention_from_the_background_on, _attention_by_sigmoid,
])
def test_a_mistake_in_the_heads_would_show(network, answers, monkeypatch, mistake):
    monkeypatch.setattr(network.backbone, "forward", lambda _: answers.features)
    mistake(monkeypatch)
    assert worst(outputs(*network(picture()))) > 10 * TOLERANCE


def _blue_first(_network, given):
    return given.flip(-1)


def _from_0_to_1(_network, given):
    return (given + 255.0) / 2.0  # then x/255*2-1 is x/255


def _smooth_upsampling(network, given):
    for module in network.modules():
        if isinstance(module, torch.nn.Upsample):
            module.mode = "bilinear"
    return given


def _another_epsilon(network, given):
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 1e-3
    return given


@pytest.mark.parametrize("mistake", [_blue_first, _from_0_to_1, _smooth_upsampling, _another_epsilon])
def test_a_mistake_in_the_backbone_would_show(mistake):
    wrong = new_network()
    assert map_error("out.backbone", wrong.backbone(mistake(wrong, picture()).permute(0, 3, 1, 2) / 255.0 * 2.0 - 1.0)) > 10 * TOLERANCE


def test_the_formula_is_not_shared_by_two_names():
    """A pair of weights that had been changed for each other would not show otherwise."""
    weights = formula_weights("acr")
    for name in ("contact_layers.{}.weight", "cam_shape_layers.{}.weight"):
        assert not torch.equal(weights[name.format(2)], weights[name.format(3)])
