# SPDX-License-Identifier: GPL-3.0-or-later
"""Noising, sampling steps and loss. Oracle: the original code on toy models (goldens/difftraj, goldens/camdm)."""

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from smplit.diffusion.gaussian import GaussianDiffusion
from smplit.diffusion.schedules import Schedule, cosine_betas, even_timesteps

GOLDEN = Path(__file__).resolve().parents[1] / "goldens" / "difftraj_diffusion.npz"
CAMDM = Path(__file__).resolve().parents[3] / "shared" / "goldens" / "camdm" / "diffusion.npz"
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as archive:
        return {key: torch.from_numpy(archive[key]) for key in archive.files if key.startswith("step/")}


@pytest.fixture(scope="module")
def camdm():
    if not CAMDM.is_file():
        pytest.skip("needs goldens/camdm in ../shared beside the repository")
    with np.load(CAMDM) as archive:
        return {key: torch.from_numpy(archive[key]) for key in archive.files if key.startswith(("step", "loop"))}


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


@pytest.mark.parametrize("name,steps,count", [("cos8", 8, 8), ("cos4", 4, 4), ("cos1000", 1000, 1000), ("cos1000_r50", 1000, 50)])
def test_single_steps_are_those_of_camdm(camdm, name, steps, count):
    schedule = Schedule.of(cosine_betas(steps))
    if count < steps:
        schedule = schedule.respaced(even_timesteps(steps, count))
    diffusion, step, noise = GaussianDiffusion(schedule), camdm[f"step/{name}/t"], camdm["step/noise"]
    assert close(diffusion.q_sample(camdm["step/x0"], step, noise), camdm[f"step/{name}/q_sample"])
    assert close(diffusion.p_sample(camdm_toy, camdm["step/xt"], step, noise), camdm[f"step/{name}/p_sample"])
    assert close(diffusion.ddim_sample(camdm_toy, camdm["step/xt"], step), camdm[f"step/{name}/ddim_eta0.0"])


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
