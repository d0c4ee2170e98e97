# SPDX-License-Identifier: GPL-3.0-or-later
"""Noising, sampling steps and loss. Oracle: the original code on toy models (goldens/difftraj, goldens/camdm)."""

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from smplit.diffusion.gaussian import GaussianDiffusion, inpainting
from smplit.diffusion.schedules import Schedule, cosine_betas, even_timesteps, linear_betas

GOLDEN = Path(__file__).resolve().parents[1] / "goldens" / "difftraj_diffusion.npz"
CAMDM = Path(__file__).resolve().parents[1] / "goldens" / "camdm_diffusion.npz"
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as archive:
        return {key: torch.from_numpy(archive[key]) for key in archive.files if key.startswith("step/")}


@pytest.fixture(scope="module")
def camdm():
    with np.load(CAMDM) as archive:
        return {key: torch.from_numpy(archive[key]) for key in archive.files if key.startswith(("step", "loop", "inpaint"))}


def toy(x, timesteps):
    return 0.5 * x + 0.1 * torch.sin(timesteps.float()).reshape(-1, 1, 1, 1)


def camdm_toy(x, timesteps):
    t = timesteps.float().reshape(-1, 1, 1, 1)
    return 0.6 * x * torch.cos(0.01 * t) + 0.1 * torch.sin(t)


def close(found, expected, tolerance=TOLERANCE):
    return (found - expected).abs().max() < tolerance


def test_noising_sampling_and_loss_are_the_originals(golden):
    diffusion = GaussianDiffusion(Schedule.of(cosine_betas(1000)))
    step, noise = golden["step/t"], golden["step/noise"]
    noised = golden["step/q_sample"]
    assert close(diffusion.q_sample(golden["step/x0"], step, noise), noised)
    assert close(diffusion.p_sample(toy, noised, step, golden["step/p_noise"]), golden["step/p_sample"])
    # The original's own rounding: its float32 is 1.2e-5 off what float64 gives, ours 3e-7.
    assert close(diffusion.ddim_sample(toy, noised, step), golden["step/ddim_eta0"], 2e-5)
    assert close(diffusion.losses(toy, golden["step/x0"], step, noise, golden["step/mask"]), golden["step/loss"])


def test_the_last_ancestral_step_adds_no_noise():
    diffusion = GaussianDiffusion(Schedule.of(cosine_betas(8)))
    x, step = torch.randn(2, 3, 1, 4), torch.tensor([0, 0])
    assert torch.equal(diffusion.p_sample(toy, x, step, torch.full_like(x, 100.0)), diffusion.p_sample(toy, x, step, torch.zeros_like(x)))


SCHEDULES = {  # of the goldens' single steps
    "cos8": Schedule.of(cosine_betas(8)), "cos4": Schedule.of(cosine_betas(4)), "cos1000": Schedule.of(cosine_betas(1000)),
    "cos1000_r50": Schedule.of(cosine_betas(1000)).respaced(even_timesteps(1000, 50)), "cos1000_large": Schedule.of(cosine_betas(1000)),
    "lin1000": Schedule.of(linear_betas(1000)),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_single_steps_are_those_of_camdm(camdm, name):
    diffusion = GaussianDiffusion(SCHEDULES[name], large_variance=name == "cos1000_large")
    step, noise, x0, xt = camdm[f"step/{name}/t"], camdm["step/noise"], camdm["step/x0"], camdm["step/xt"]
    golden = lambda part: camdm[f"step/{name}/{part}"]
    clipping = lambda x, timesteps: camdm_toy(x, timesteps).clamp(-1, 1)
    found = {
        "q_sample": diffusion.q_sample(x0, step, noise), "post_mean": diffusion.posterior_mean(x0, xt, step),
        "post_var": torch.from_numpy(diffusion.schedule.posterior_variance)[step].float(),
        "post_logvar_clipped": torch.from_numpy(diffusion.schedule.posterior_log_variance_clipped)[step].float(),
        "p_sample": diffusion.p_sample(camdm_toy, xt, step, noise), "p_sample_x0": diffusion.predict_x0(camdm_toy, xt, step),
        "p_sample_clip": diffusion.p_sample(clipping, xt, step, noise), "ddim_reverse": diffusion.ddim_reverse_sample(camdm_toy, xt, step),
        "eps_from_x0": diffusion.noise_from_x0(xt, step, x0), "x0_from_eps": diffusion.x0_from_noise(xt, step, noise),
    } | {f"ddim_eta{eta}": diffusion.ddim_sample(camdm_toy, xt, step, eta, noise) for eta in (0.0, 0.5, 1.0)}
    assert {key.rsplit("/", 1)[1] for key in camdm if key.startswith(f"step/{name}/")} == {*found, "t"}
    for part, value in found.items():
        scale = max(1.0, float(golden(part).abs().max()))  # noise under a clean x0 is huge: float32 has seven digits
        # The original takes 1 - alpha in float32, where alpha is nearly 1: four digits are left of it. Ours keeps all.
        assert close(value / scale, golden(part) / scale, 5e-5 if part == "ddim_reverse" else TOLERANCE), part


def test_known_entries_are_put_in_before_the_step_as_camdm_does(camdm):
    diffusion, step = GaussianDiffusion(SCHEDULES["cos8"]), torch.full((3,), 5)
    model = inpainting(camdm_toy, camdm["step/x0"], camdm["inpaint/mask"])
    assert close(diffusion.predict_x0(model, camdm["step/xt"], step), camdm["inpaint/pred_x0"])
    assert close(diffusion.p_sample(model, camdm["step/xt"], step, camdm["step/noise"]), camdm["inpaint/p_sample_t5_cos8"])


def noise_of(tag, part):
    random = np.random.default_rng(zlib.crc32(f"{tag}/{part}".encode()))
    return torch.from_numpy(random.standard_normal((3, 5, 6, 7)).astype(np.float32))


@pytest.mark.parametrize("tag,steps,count,key", [("loopA", 8, 8, "p_cos8"), ("loopB", 4, 4, "p_cos4"), ("loopC", 1000, 50, "p_cos1000_r50")])
def test_ancestral_loops_are_those_of_camdm(camdm, tag, steps, count, key):
    schedule, drawn = Schedule.of(cosine_betas(steps)).respaced(even_timesteps(steps, count)), iter(range(count))
    found = GaussianDiffusion(schedule).p_sample_loop(camdm_toy, noise_of(tag, "xT"), lambda x: noise_of(tag, f"n{next(drawn)}"))
    assert close(found, camdm[f"loop/{key}"])


@pytest.mark.parametrize("tag,steps,count,key", [
    ("loopC", 1000, 50, "ddim_cos1000_r50"), ("loopD", 1000, 20, "ddim_cos1000_r20"), ("loopE", 100, 100, "ddim_cos100_native"),
])
def test_deterministic_loops_are_those_of_camdm(camdm, tag, steps, count, key):
    schedule = Schedule.of(cosine_betas(steps)).respaced(even_timesteps(steps, count))
    assert close(GaussianDiffusion(schedule).ddim_sample_loop(camdm_toy, noise_of(tag, "xT")), camdm[f"loop/{key}"])


def test_progress_counts_the_steps():
    done = []
    GaussianDiffusion(Schedule.of(cosine_betas(5))).ddim_sample_loop(toy, torch.zeros(1, 2, 1, 3), done.append)
    assert done == [1, 2, 3, 4, 5]
