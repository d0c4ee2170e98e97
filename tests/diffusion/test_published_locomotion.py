# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of LOCO and CAMDM, and LOCO's roll-out, give what the published code gives with the same weights and noise.

Oracle: outputs of the original code in float64 (../shared/goldens/{loco,camdm}), cut to every tenth frame in
tests/goldens (`cut_goldens.py`), whole where ../shared is there. float32 of the originals themselves is up to 4.3e-6 off.
"""

import functools
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from published_weights import filled, published_input

from smplit.diffusion.camdm import CamdmDenoiser
from smplit.diffusion.gaussian import GaussianDiffusion
from smplit.diffusion.mdm import guided
from smplit.diffusion.schedules import Schedule, cosine_betas
from smplit.errors import BadInput
from smplit.loco.published.control import OriginalControlDenoiser
from smplit.loco.published.network import OriginalLocoDenoiser
from smplit.loco.published.rollout import roll_out

GOLDENS = Path(__file__).resolve().parents[1] / "goldens"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "goldens"
TOLERANCE, STRIDE, ROLLOUT_TOLERANCE = 1e-5, 10, 1e-4
LOCO = {  # network, past and future frames
    "loco_p10_f30": (OriginalLocoDenoiser, 10, 30),
    "loco_p15_f20_nostyle": (lambda: OriginalLocoDenoiser(0), 15, 20),
    "cmdm_base_p15_f20": (lambda: OriginalLocoDenoiser(0), 15, 20),
    "cmdm_finetune_p15_f20": (OriginalControlDenoiser, 15, 20),
}
CAMDM = {  # network, rows of motion, past and future frames
    "camdm_default": (CamdmDenoiser, 26, 10, 45),
    "camdm_smpl22_p10_f30": (lambda: CamdmDenoiser(23), 23, 10, 30),
    "camdm_smpl22_p10_f30_d512": (lambda: CamdmDenoiser(23, width=512, layers=8), 23, 10, 30),
}
PARAMETERS = {"camdm_default": 3439260, "camdm_smpl22_p10_f30": 3425418, "camdm_smpl22_p10_f30_d512": 17617034,
              "loco_p10_f30": 17714891, "loco_p15_f20_nostyle": 17663179, "cmdm_base_p15_f20": 17663179, "cmdm_finetune_p15_f20": 37375179}


@functools.cache
def small(archive):
    with np.load(GOLDENS / archive) as golden:
        return {key: golden[key] for key in golden.files}


def archive_of(model):
    return "camdm_networks.npz" if model in CAMDM else "loco_networks.npz"


def made(model):
    return (CAMDM if model in CAMDM else LOCO)[model][0]()


def loco_inputs(model):
    _, past, future = LOCO[model]
    batch = lambda part, *shape, scale=1.0: published_input(f"{model}/{part}", 2, *shape, scale=scale)
    return batch("x", 203, 1, future), batch("past_motion", 203, 1, past), batch("ctrl_traj", 4, 1, future, scale=0.5)


def camdm_inputs(model):
    _, rows, past, future = CAMDM[model]
    batch = lambda part, *shape, scale=0.5: published_input(f"{model}/{part}", 2, *shape, scale=scale)
    known = small("camdm_networks.npz")
    return {
        "x": batch("x", rows, 6, future, scale=1.0), "timesteps": torch.from_numpy(known[f"{model}/timesteps"]),
        "past_motion": batch("past_motion", rows, 6, past), "traj_trans": batch("traj_trans", 2, future),
        "traj_pose": batch("traj_pose", 6, future), "style": torch.from_numpy(known[f"{model}/style_idx"]).long(),
    }


@functools.cache
@torch.no_grad()
def outputs(model):
    """Everything the goldens hold of a model's outputs, {key: (B,J,F,T)}."""
    network = filled(made(model))
    if model in CAMDM:
        given = camdm_inputs(model)
        return {
            f"{model}/out": network(**given).numpy(), f"{model}/out_past_dropped": network(**given, keep_past=torch.tensor([False, False])).numpy()
        }
    x, past, control = loco_inputs(model)
    style = torch.from_numpy(small("loco_networks.npz")[f"{model}/style_onehot"])[..., 0] if network.styles else None
    return {f"{model}/out_t{t}": network(x, torch.tensor([t, t]), past, control, style).numpy() for t in (0, 3, 7)}


@pytest.mark.parametrize("model", [*LOCO, *CAMDM])
def test_a_network_gives_the_published_outputs(model):
    golden = small(archive_of(model))
    expected = {key for key in golden if key.startswith(f"{model}/out")}
    assert set(outputs(model)) == expected
    for key, value in outputs(model).items():
        assert np.abs(value[..., ::STRIDE] - golden[key]).max() < TOLERANCE, key


@pytest.mark.parametrize("model", [*LOCO, *CAMDM])
def test_every_frame_agrees_with_the_whole_goldens(model):
    if not SHARED.is_dir():
        pytest.skip("needs the whole goldens in ../shared beside the repository")
    with np.load(SHARED / ("camdm/camdm_denoiser.npz" if model in CAMDM else "loco/net.npz")) as golden:
        for key, value in outputs(model).items():
            assert np.abs(value - golden[key]).max() < TOLERANCE, key
        given = camdm_inputs(model) if model in CAMDM else dict(zip(("x", "past_motion", "ctrl_traj"), loco_inputs(model), strict=True))
        for part, value in given.items():
            if part not in ("style", "timesteps"):
                assert np.array_equal(value.numpy(), golden[f"{model}/{part}"]), part


@pytest.mark.parametrize("model", [*LOCO, *CAMDM])
def test_names_and_shapes_are_those_of_the_published_checkpoints(model):
    network, golden = made(model), small(archive_of(model))
    published = {str(name): json.loads(str(shape)) for name, shape in zip(golden[f"{model}/names"], golden[f"{model}/shapes"], strict=True)}
    # CAMDM's lists name a shared table once, as named_buffers does
    own = dict(network.named_parameters()) | dict(network.named_buffers()) if model in CAMDM else network.state_dict()
    assert {name: list(value.shape) for name, value in own.items()} == published
    assert sum(value.numel() for value in network.parameters()) == PARAMETERS[model]


@pytest.mark.parametrize("model", CAMDM)
@torch.no_grad()
def test_tokens_and_every_layer_are_camdms(model):
    network, golden, given = filled(made(model)), small("camdm_networks.npz"), camdm_inputs(model)
    assert np.abs(network.embed_timestep(given["timesteps"])[:, 0].numpy() - golden[f"{model}/time_emb"][0]).max() < TOLERANCE
    tokens = network.tokens(**given, keep_past=None)
    assert np.abs(tokens[0, :, :8].numpy() - golden[f"{model}/tokens_b0_first8"]).max() < TOLERANCE
    for layer, expected in zip(network.seqEncoder.layers, golden[f"{model}/layer_out_b0_first8"], strict=True):
        tokens = layer(tokens)
        assert np.abs(tokens[0, :, :8].numpy() - expected).max() < TOLERANCE


class SwappedTokens(OriginalLocoDenoiser):
    """A mistake: the style before the past, where the published network has it after."""

    def decode(self, before, frames, padded=None):
        return super().decode([before[1], before[0], *before[2:]], frames, padded)


@torch.no_grad()
def test_a_wrong_order_of_tokens_would_be_noticed():
    golden, (x, past, control) = small("loco_networks.npz"), loco_inputs("loco_p10_f30")
    style = torch.from_numpy(golden["loco_p10_f30/style_onehot"])[..., 0]
    wrong = filled(SwappedTokens())(x, torch.tensor([3, 3]), past, control, style).numpy()
    assert np.abs(wrong[..., ::STRIDE] - golden["loco_p10_f30/out_t3"]).max() > 100 * TOLERANCE


@torch.no_grad()
def test_a_control_branch_begins_as_the_base_alone_and_as_a_copy_of_it():
    torch.manual_seed(0)
    network = OriginalControlDenoiser(3, width=16, layers=2).eval()
    network.copy_base()
    x, past, control, style = torch.randn(2, 203, 1, 6), torch.randn(2, 203, 1, 4), torch.randn(2, 4, 1, 6), torch.eye(3)[:2]
    alone = OriginalLocoDenoiser(0, width=16, layers=2).eval()
    alone.load_state_dict({name: network.state_dict()[name] for name in alone.state_dict()})
    given = (x, torch.tensor([1, 2]), past, control)
    assert torch.allclose(network(*given, style), alone(*given), atol=1e-6)
    copied, base = network.c_seqTransEncoder.state_dict(), network.seqTransEncoder.state_dict()
    assert all(torch.equal(value, base[name]) for name, value in copied.items())
    torch.nn.init.eye_(network.zero_convs[0].weight)
    assert not torch.allclose(network(*given, style), alone(*given), atol=1e-3)
    assert torch.allclose(network(*given), alone(*given), atol=1e-6)  # without a style the base answers alone


@pytest.mark.slow
def test_the_roll_out_is_the_originals():
    golden = small("loco_rollout.npz")
    network = filled(OriginalLocoDenoiser())
    with torch.no_grad():
        network.output_process.poseFinal.weight *= float(golden["poseFinal_weight_scale"])
    drawn = itertools.count(1000)  # the golden's `noise_rule`
    draw = lambda shape: torch.from_numpy(np.random.default_rng(next(drawn)).standard_normal(shape).astype(np.float32))
    style = torch.from_numpy(golden["style_onehot"])[..., 0]
    pieces = roll_out(
        network, torch.from_numpy(golden["past_motion"]), torch.from_numpy(golden["ctrl4"]).T, 30, 30, draw, style, int(golden["infer_step"])
    )
    found = torch.cat(list(pieces), -1).numpy()
    assert found.shape == golden["out"].shape
    assert np.abs(found - golden["out"]).max() < ROLLOUT_TOLERANCE


@pytest.mark.parametrize("keep", [0, 5, 31])
def test_no_more_frames_are_kept_than_there_are(keep):
    with pytest.raises(BadInput, match=f"^{keep} frames"):
        next(roll_out(OriginalLocoDenoiser(0, 16, 1), torch.zeros(1, 203, 1, 4), torch.zeros(4, 40), 10, 30, torch.zeros, infer_step=keep))


def test_a_roll_out_ends_where_the_way_does():
    network = OriginalLocoDenoiser(0, 16, 1).eval()
    pieces = list(roll_out(network, torch.zeros(1, 203, 1, 4), torch.zeros(4, 12), 100, 8, torch.zeros, infer_step=2))
    assert len(pieces) == 1 + 3  # the past again, then windows from frames 0, 2 and 4


@pytest.mark.slow
@pytest.mark.parametrize("steps", [8, 4])
def test_whole_chains_with_guidance_are_camdms(steps):
    """Guidance by what the network would do without the past; the weights 0.5 and 2 of the goldens, and 1, none."""
    model, golden = "camdm_smpl22_p10_f30", small("camdm_diffusion.npz")
    network, given = filled(made(model)), camdm_inputs(model)
    condition = {name: given[name] for name in ("past_motion", "traj_trans", "traj_pose", "style")}
    nothing = torch.tensor([False, False])
    diffusion = GaussianDiffusion(Schedule.of(cosine_betas(steps)))
    for weight in (1.0, 0.5, 2.0):
        def model_at(x, t, weight=weight):
            return guided(network(x, t, **condition), network(x, t, **condition, keep_past=nothing), weight)

        noise = lambda part: published_input(f"camdmloop/{part}", 2, 23, 6, 30)
        drawn = itertools.count()
        found = diffusion.p_sample_loop(model_at, noise("xT"), lambda x: noise(f"n{next(drawn)}"))  # noqa: B023
        assert np.abs(found.numpy() - golden[f"camdm_chain/T{steps}_w{weight}"]).max() < TOLERANCE
