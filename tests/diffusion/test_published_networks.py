# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of MDM, DiffTraj and LOCO give what the published code gives, with the same weights and inputs.

Oracle: outputs of the original code in float64 (../shared/goldens/{difftraj,mdm}), cut to every tenth frame
in tests/goldens (`cut_goldens.py`), whole where ../shared is there. float32 of the original itself is 3e-6 off.
"""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from published_weights import filled, published_input

from smplit.difftraj.original_network import OriginalAutoregressiveDenoiser, OriginalDenoiser
from smplit.diffusion.mdm import MDM, guided
from smplit.loco.published.network import OriginalLocoDenoiser

GOLDENS = Path(__file__).resolve().parents[1] / "goldens"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "goldens"
TOLERANCE, STRIDE = 1e-5, 10

NETWORKS = {
    "difftraj_addemb": lambda: OriginalDenoiser(11, add_emb=True),
    "difftraj_old": lambda: OriginalDenoiser(13),
    "difftraj_ar": OriginalAutoregressiveDenoiser,
    "difftraj_seq200_addemb": lambda: OriginalDenoiser(11, add_emb=True),
    "difftraj_seq200_concat": lambda: OriginalDenoiser(11, add_emb=False),
    "loco_p10_f30_onehot": OriginalLocoDenoiser,
    "mdm_text_humanml": lambda: MDM(263, text_width=512),
    "mdm_action_rot6d": lambda: MDM(25, 6, actions=12),
    "mdm_nocond_rot6d": lambda: MDM(25, 6),
}


@functools.cache
def small(archive):
    with np.load(GOLDENS / archive) as golden:
        return {key: golden[key] for key in golden.files}


@functools.cache
@torch.no_grad()
def outputs(model):
    """Everything the goldens hold of a model, {key: (B,J,F,T)}."""
    network = filled(NETWORKS[model]())
    batch = lambda part, *shape, scale=1.0: published_input(f"{model}/{part}", 2, *shape, scale=scale)
    if model in ("difftraj_addemb", "difftraj_old", "difftraj_ar"):
        if model == "difftraj_ar":
            x, conditions = batch("x", 203, 1, 20), (batch("p_motion", 203, 1, 15), batch("f_pose", 194, 1, 20))
        else:
            condition = "local_pose" if model == "difftraj_old" else "condition"
            x, conditions = batch("x", network.outputs, 1, 200), (batch(condition, 68, 1, 200),)
        return {f"{model}/out_t{t}": network(x, torch.tensor([t, t]), *conditions).numpy() for t in (0, 10, 999)}
    golden = small("mdm_networks.npz")
    timesteps = torch.from_numpy(golden[f"{model}/timesteps"])
    if model.startswith("difftraj_seq200"):
        return {f"{model}/out": network(batch("x", 11, 1, 200), timesteps, batch("condition", 68, 1, 200)).numpy()}
    if model.startswith("loco"):
        style = torch.from_numpy(golden[f"{model}/style_onehot"])[..., 0]
        control = batch("ctrl_traj", 4, 1, 30, scale=0.5)
        return {f"{model}/out": network(batch("x", 203, 1, 30), timesteps, batch("past_motion", 203, 1, 10), control, style).numpy()}
    if model == "mdm_nocond_rot6d":
        return {f"{model}/out": network(batch("x", 25, 6, 60), timesteps).numpy()}
    lengths = torch.from_numpy(golden[f"{model}/lengths"])
    if model == "mdm_action_rot6d":
        x, condition = batch("x", 25, 6, 60), {"action": torch.from_numpy(golden[f"{model}/action"])[:, 0]}
        variants = {"": None}
    else:
        x, condition = batch("x", 263, 1, 196), {"text": published_input(f"{model}/text_embed", 1, 2, 512)[0]}
        variants = {"": None, "maskframes/": lengths}
    found = {}
    for variant, kept in variants.items():
        known = network(x, timesteps, **condition, lengths=kept)
        unknown = network(x, timesteps, **condition, lengths=kept, unconditional=True)
        for leaf, value in (("out", known), ("out_uncond", unknown), ("out_cfg2.5", guided(known, unknown, 2.5))):
            found[f"{model}/{variant}{leaf}"] = value.numpy()
    return found


def archive_of(model):
    return "difftraj_networks.npz" if model in ("difftraj_addemb", "difftraj_old", "difftraj_ar") else "mdm_networks.npz"


def _tolerance(key):
    """Guidance by 2.5 adds two answers' roundings times 2.5 and 1.5, and processors round differently."""
    return TOLERANCE * (4.0 if key.endswith("cfg2.5") else 1.0)


@pytest.mark.parametrize("model", NETWORKS)
def test_a_network_gives_the_published_outputs(model):
    golden = small(archive_of(model))
    expected = {key for key in golden if key.startswith(f"{model}/") and key.rsplit("/", 1)[1].startswith("out")}
    assert set(outputs(model)) == expected
    for key, value in outputs(model).items():
        assert np.abs(value[..., ::STRIDE] - golden[key]).max() < _tolerance(key), key


@pytest.mark.parametrize("model", NETWORKS)
def test_every_frame_agrees_with_the_whole_goldens(model):
    if not SHARED.is_dir():
        pytest.skip("needs the whole goldens in ../shared beside the repository")
    whole = "difftraj/net.npz" if archive_of(model).startswith("difftraj") else "mdm/mdm_trans_enc.npz"
    if model.startswith(("difftraj_seq200", "loco")):
        whole = "mdm/smplit3_denoisers.npz"
    with np.load(SHARED / whole) as golden:
        for key, value in outputs(model).items():
            assert np.abs(value - golden[key]).max() < _tolerance(key), key
        for part in ("x", "condition", "local_pose", "p_motion", "f_pose", "past_motion"):
            if f"{model}/{part}" in golden.files:
                stored = golden[f"{model}/{part}"]
                assert np.array_equal(published_input(f"{model}/{part}", *stored.shape).numpy(), stored)


@pytest.mark.parametrize("model", NETWORKS)
def test_names_and_shapes_are_those_of_the_published_checkpoints(model):
    network, golden = NETWORKS[model](), small(archive_of(model))
    published = {str(name): json.loads(str(shape)) for name, shape in zip(golden[f"{model}/names"], golden[f"{model}/shapes"], strict=True)}
    if archive_of(model).startswith("difftraj"):
        own = network.state_dict()
    else:  # these lists name a shared table once, as named_buffers does
        own = dict(network.named_parameters()) | dict(network.named_buffers())
    assert {name: list(value.shape) for name, value in own.items()} == published


def test_moving_or_casting_a_network_returns_it():
    network = MDM(25, 6, layers=1, width=8)
    assert network.to("cpu") is network and network.eval() is network and network.double() is network and network.train() is network
