# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows as numbers: principal components, what a plan asks for, and the network that draws. Oracles: linear algebra and arithmetic."""

import numpy as np
import pytest
import torch

from smplit.loco.frames import CHANNELS
from smplit.loco.network import LocoNetwork
from smplit.loco.windows import AHEAD, APPLIED, CONTROL, FUTURE, PAST, Components, control, future_weight, mirrored_control, past_vector


@pytest.fixture(scope="module")
def samples():
    """500 vectors of 40 entries that have 6 degrees of freedom, of very different size."""
    random = torch.Generator().manual_seed(0)
    ways = torch.randn(6, 40, generator=random) * torch.tensor([5.0, 2.0, 1.0, 0.5, 0.1, 0.05])[:, None]
    return torch.randn(500, 6, generator=random) @ ways + torch.arange(40) / 10


@pytest.mark.parametrize("weighted", [False, True])
def test_inside_their_span_vectors_are_written_and_read_back(samples, weighted):
    weight = torch.linspace(1.0, 0.3, 40) if weighted else None
    found = Components.of(samples, 6, weight)
    assert torch.allclose(found.basis @ found.basis.T, torch.eye(6), atol=1e-5)
    numbers = found.write(samples)
    assert torch.allclose(found.read(numbers), samples, atol=1e-3)
    assert numbers.mean(0).abs().max() < 1e-3 and (numbers.std(0) - 1).abs().max() < 0.01
    assert (found.spread.diff() <= 0).all(), "the widest first"


def test_few_components_leave_the_smallest_error_that_so_few_can(samples):
    found = Components.of(samples, 3)
    error = (found.read(found.write(samples)) - samples).square().sum()
    singular = torch.linalg.svdvals(samples - samples.mean(0))  # Eckart and Young
    assert float(error) == pytest.approx(float(singular[3:].square().sum()), rel=1e-3)


def test_what_weighs_more_is_kept_better(samples):
    weight = torch.ones(40)
    weight[:5] = 20.0
    plain, weighed = (Components.of(samples + torch.randn(500, 40) * 0.3, 4, w) for w in (None, weight))
    error = lambda found: (found.read(found.write(samples)) - samples)[:, :5].square().mean()
    assert error(weighed) < error(plain)


def test_entries_that_never_change_do_no_harm():
    found = Components.of(torch.ones(50, 8), 3)
    assert torch.isfinite(found.write(torch.ones(4, 8))).all()
    assert torch.allclose(found.read(found.write(torch.ones(4, 8))), torch.ones(4, 8), atol=1e-5)


def test_a_windows_first_frames_weigh_most():
    weight = future_weight().reshape(FUTURE, CHANNELS)
    assert (weight[:-1, 0] > weight[1:, 0]).all() and (weight[:, -1] < weight[:, 0]).all()


def test_the_past_is_told_by_how_it_differs_from_now():
    past = torch.randn(3, PAST, CHANNELS)
    assert past_vector(past).shape == (3, (PAST - 1) * CHANNELS)
    assert torch.allclose(past_vector(past + 7.0), past_vector(past), atol=1e-5)


def plan_at(place, facing, turn=0.0, away=(0.0, 0.0)):
    cos, sin = np.cos(turn), np.sin(turn)
    place = np.stack([cos * place[:, 0] - sin * place[:, 1], sin * place[:, 0] + cos * place[:, 1]], 1) + away
    return torch.tensor(place, dtype=torch.float32), torch.tensor(facing + turn, dtype=torch.float32)


@pytest.fixture(scope="module")
def winding():
    time = np.arange(10 + AHEAD) / 30
    return np.stack([1.2 * time, 0.3 * np.sin(2 * time)], 1), 0.5 * time + 0.1


def test_straight_ahead_is_straight_ahead():
    frames = 10 + AHEAD
    place = torch.stack([0.04 * torch.arange(frames), torch.zeros(frames)], 1)
    asked = control(place, torch.zeros(frames), 9).unflatten(0, (-1, 4))
    assert asked.shape == (CONTROL // 4, 4)
    offsets = (asked[:, 0] / 0.04).round()
    assert torch.allclose(asked[:, 0], offsets * 0.04, atol=1e-6) and offsets.min() == -9 and offsets.max() == AHEAD
    assert torch.equal(offsets.sort().values, offsets) and asked[:, 1].abs().max() == 0
    assert (asked[:, 2] == 1).all() and (asked[:, 3] == 0).all()


def test_what_is_asked_for_does_not_depend_on_where_and_how_the_plan_lies(winding):
    here = control(*plan_at(*winding), 9)
    there = control(*plan_at(*winding, turn=2.5, away=(12.0, -30.0)), 9)
    assert (here - there).abs().max() < 1e-5


def test_to_the_left_and_turning_left_are_positive(winding):
    frames = 10 + AHEAD
    place = torch.stack([torch.zeros(frames), 0.02 * torch.arange(frames)], 1)
    asked = control(place, 0.01 * (torch.arange(frames) - 9), 9).unflatten(0, (-1, 4))
    assert (asked[3:, 1] > 0).all() and (asked[:3, 1] < 0).all() and (asked[3:, 3] > 0).all()
    assert asked[-1, 3] == pytest.approx(np.sin(0.01 * AHEAD), abs=1e-5)


def test_a_mirrored_plan_asks_for_the_mirrored_thing(winding):
    place, facing = winding
    other = control(*plan_at(place * [1, -1], -facing), 9)
    assert (mirrored_control(control(*plan_at(*winding), 9)) - other).abs().max() < 1e-6


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = LocoNetwork(3, width=24, layers=2, components=10, past_components=6)
    for parameter in made.parameters():  # also those that begin as zeros
        torch.nn.init.normal_(parameter, std=0.2)
    return made


def drawn(network, style, steps=4, strength=1.0, seed=0):
    random = torch.Generator().manual_seed(seed)
    past, asked = torch.randn(1, PAST, CHANNELS, generator=random), torch.randn(1, CONTROL, generator=random)
    with torch.no_grad():
        embedded = network.embed_style(torch.tensor([style]))
        return network.draw(network.see(past, asked), embedded, torch.randn(1, 10, generator=random), steps, strength)


def test_without_strength_all_styles_are_one_and_with_it_they_differ(network):
    happy, sad = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]
    assert torch.allclose(drawn(network, happy, strength=0.0), drawn(network, sad, strength=0.0))
    assert not torch.allclose(drawn(network, happy), drawn(network, sad))
    assert torch.allclose(drawn(network, happy, 1, strength=1.0), drawn(network, happy, 1, strength=1.0 + 1e-7), atol=1e-4)
    any_style, as_it_is, twice = (drawn(network, happy, 1, strength) for strength in (0.0, 1.0, 2.0))
    assert torch.allclose(twice - as_it_is, as_it_is - any_style, atol=1e-4)


def test_an_untold_style_is_the_strength_zero_one(network):
    told = torch.tensor([[1.0, 0.0, 0.0]] * 2)
    embedded = network.embed_style(told, torch.tensor([True, False]))
    assert torch.equal(embedded[1], network.no_style) and not torch.equal(embedded[0], network.no_style)


def test_a_network_that_knows_the_answer_reaches_it_in_any_number_of_steps():
    answer = torch.randn(1, 10)

    class Knowing(LocoNetwork):
        def forward(self, noised, moment, seen, style):
            assert float(moment) > 0
            return answer.expand_as(noised)

    knowing = Knowing(3, width=8, layers=1, components=10, past_components=6)
    for steps in (1, 2, 5):
        assert torch.allclose(drawn(knowing, [1.0, 0.0, 0.0], steps), answer, atol=1e-6)


def test_a_window_goes_on_from_the_last_frame(network):
    found = network.window(torch.zeros(2, 10), torch.full((2, CHANNELS), 3.0))
    assert found.shape == (2, FUTURE, CHANNELS) and torch.allclose(found, torch.full_like(found, 3.0))
    assert APPLIED <= FUTURE and PAST <= APPLIED, "what is kept must hold the next window's past"
