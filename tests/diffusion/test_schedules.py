# SPDX-License-Identifier: GPL-3.0-or-later
"""Noise schedules and respacing. Oracle: the original code's arrays (goldens/difftraj, goldens/camdm)."""

from pathlib import Path

import numpy as np
import pytest

from smplit.diffusion.schedules import Schedule, cosine_betas, even_timesteps, linear_betas, sectioned_timesteps, strided_timesteps
from smplit.errors import BadInput

GOLDEN = Path(__file__).resolve().parents[1] / "goldens" / "difftraj_diffusion.npz"
CAMDM = Path(__file__).resolve().parents[1] / "goldens" / "camdm_diffusion.npz"
TOLERANCE = 1e-12  # float64 against float64
BETAS = {"cosine": cosine_betas, "linear": linear_betas}


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as archive:
        return {key: archive[key] for key in archive.files}


@pytest.fixture(scope="module")
def camdm():
    with np.load(CAMDM) as archive:
        return {key: archive[key] for key in archive.files if key.startswith(("sched", "respace"))}


def assert_is(schedule, arrays, prefix):
    compared = 0
    for name in ("betas", "alphas_cumprod", "alphas_cumprod_prev", "posterior_variance", "posterior_log_variance_clipped",
                 "posterior_mean_coef1", "posterior_mean_coef2"):
        if f"{prefix}/{name}" in arrays:
            np.testing.assert_allclose(getattr(schedule, name), arrays[f"{prefix}/{name}"], rtol=1e-9, atol=TOLERANCE, err_msg=f"{prefix}/{name}")
            compared += 1
    if f"{prefix}/sqrt_alphas_cumprod" in arrays:
        np.testing.assert_allclose(np.sqrt(schedule.alphas_cumprod), arrays[f"{prefix}/sqrt_alphas_cumprod"], atol=TOLERANCE)
        np.testing.assert_allclose(np.sqrt(1 - schedule.alphas_cumprod), arrays[f"{prefix}/sqrt_one_minus_alphas_cumprod"], atol=TOLERANCE)
    if f"{prefix}/timestep_map" in arrays:
        assert np.array_equal(schedule.timesteps, arrays[f"{prefix}/timestep_map"])
    assert compared, prefix


@pytest.mark.parametrize("steps", [1000, 100, 8])
def test_a_cosine_schedule_is_the_originals(golden, steps):
    assert_is(Schedule.of(cosine_betas(steps)), golden, f"cosine{steps}")


def test_respacing_keeps_the_noise_and_the_names_of_the_trained_steps(golden):
    trained = Schedule.of(cosine_betas(1000))
    assert_is(trained.respaced(strided_timesteps(1000, 100)), golden, "respaced_ddim100")
    assert_is(trained.respaced(even_timesteps(1000, 100)), golden, "respaced_100")


@pytest.mark.parametrize(
    "kind,steps", [("cosine", 4), ("cosine", 8), ("cosine", 50), ("cosine", 100), ("cosine", 1000), ("linear", 50), ("linear", 100), ("linear", 1000)]
)
def test_schedules_are_those_of_camdm_too(camdm, kind, steps):
    assert_is(Schedule.of(BETAS[kind](steps)), camdm, f"sched/{kind}{steps}")


@pytest.mark.parametrize("total,count", [(1000, 100), (1000, 50), (1000, 20), (1000, 10), (1000, 5), (1000, 2), (8, 4), (8, 2)])
def test_even_respacing_is_that_of_camdm(camdm, total, count):
    assert_is(Schedule.of(cosine_betas(total)).respaced(even_timesteps(total, count)), camdm, f"respace/{total}_to_{count}")


@pytest.mark.parametrize("count", [50, 100])
def test_strided_respacing_is_that_of_camdm(camdm, count):
    assert_is(Schedule.of(cosine_betas(1000)).respaced(strided_timesteps(1000, count)), camdm, f"respace/1000_ddim{count}")


def test_sections_of_their_own_density_are_those_of_camdm(camdm):
    timesteps = sectioned_timesteps(300, (10, 15, 20))
    assert_is(Schedule.of(cosine_betas(300)).respaced(timesteps), camdm, "respace/300_101520")


def test_no_array_of_camdms_schedules_is_left_out(camdm):
    tested = {f"sched/cosine{n}" for n in (4, 8, 50, 100, 1000)} | {f"sched/linear{n}" for n in (50, 100, 1000)}
    tested |= {f"respace/1000_to_{n}" for n in (100, 50, 20, 10, 5, 2)} | {"respace/8_to_4", "respace/8_to_2", "respace/300_101520"}
    tested |= {f"respace/1000_ddim{n}" for n in (50, 100)}
    assert {key.rsplit("/", 1)[0] for key in camdm} == tested
    names = {key.rsplit("/", 1)[1] for key in camdm}
    for leaf, part in (("sqrt_recip_alphas_cumprod", 0), ("sqrt_recipm1_alphas_cumprod", 1)):
        names.remove(leaf)
        for kind, steps in (("cosine", 8), ("linear", 100)):
            signal = Schedule.of(BETAS[kind](steps)).alphas_cumprod
            np.testing.assert_allclose(np.sqrt(1 / signal - part), camdm[f"sched/{kind}{steps}/{leaf}"], rtol=1e-9)
    assert names == {
        "betas", "alphas_cumprod", "alphas_cumprod_prev", "posterior_variance", "posterior_log_variance_clipped", "posterior_mean_coef1",
        "posterior_mean_coef2", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod", "timestep_map",
    }


def test_one_step_starts_where_there_is_only_noise():
    schedule = Schedule.of(cosine_betas(1000)).respaced(even_timesteps(1000, 1))
    assert schedule.timesteps.tolist() == [999] and schedule.alphas_cumprod[0] < 1e-6
    assert np.isfinite(schedule.posterior_log_variance_clipped).all()


@pytest.mark.parametrize("count", [0, 1001])
def test_impossible_counts_of_steps_are_refused(count):
    with pytest.raises(BadInput, match=str(count)):
        even_timesteps(1000, count)
    with pytest.raises(BadInput, match=str(count)):
        strided_timesteps(1000, count)


def test_a_linear_schedule_of_few_steps_is_refused():
    with pytest.raises(ValueError, match="at least 20"):
        linear_betas(8)
