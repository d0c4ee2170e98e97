# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a locomotion network: what comes back, and what is refused."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from styled_store import CLIPS, random_network

from smplit.errors import BadInput
from smplit.loco.frames import CHANNELS
from smplit.loco.weights import load_weights, velocity
from smplit.loco.windows import PAST


def rewritten(source, target, change=None, **metadata):
    """A copy of a weights file with `change(entries)` done and other metadata."""
    with safe_open(source, framework="pt") as file:
        known = dict(file.metadata())
    entries = load_file(source)
    if change:
        change(entries)
    known.update(metadata)
    save_file(entries, target, {name: value for name, value in known.items() if value is not None})
    return target


def test_a_network_comes_back_as_it_was_but_for_half_precision(recorded, weights_file):
    network, found = random_network(recorded), load_weights(weights_file)
    assert found.network.sizes == network.sizes and found.styles == recorded.styles and found.card == {"data": "made by hand"}
    assert not found.network.training
    there = found.network.state_dict()
    for name, value in network.state_dict().items():
        assert there[name].dtype == torch.float32
        assert torch.allclose(there[name], value, rtol=1e-3, atol=1e-6), name


def test_movements_to_begin_from_are_recorded_ones_of_every_style(recorded, weights_file):
    seeds = load_weights(weights_file).seeds
    assert seeds.past.shape[1:] == (PAST, CHANNELS) and len(seeds.past) == len(seeds.style) == len(seeds.velocity)
    assert set(seeds.style.tolist()) == {0, 1}
    windows = recorded.frames.unfold(0, PAST, 1).transpose(1, 2)
    for past, style, moving in zip(seeds.past, seeds.style, seeds.velocity, strict=True):
        off = (windows - past).abs().amax((1, 2))
        row = int(off.argmin()) + PAST - 1
        assert off.min() < 0.01, "half precision"
        assert recorded.style[row] == style
        travelled = (recorded.place[row] - recorded.place[row - PAST + 1]).norm() * 30 / (PAST - 1)
        assert moving.norm() == pytest.approx(float(travelled), abs=0.02)
    speeds = seeds.velocity.norm(dim=-1)
    assert (speeds < 0.15).any() and (speeds > 0.8).any(), "standing and walking"
    assert (seeds.velocity[speeds > 0.5, 0] > 0.9 * speeds[speeds > 0.5]).all(), "these walkers go where they face"


def test_the_speeds_of_a_style_are_those_it_was_recorded_at(weights_file):
    speeds = load_weights(weights_file).speeds
    assert {style: set(gaits) for style, gaits in speeds.items()} == {"happy": {"walk", "run"}, "sad": {"walk"}}
    recorded_at = {(clip[2], clip[3]): clip[6] for clip in reversed(CLIPS)}
    for style, gait in (("happy", "walk"), ("happy", "run"), ("sad", "walk")):
        slow, usual, fast = speeds[style][gait]
        assert slow <= usual <= fast
        assert fast == pytest.approx(recorded_at[style, gait], rel=0.06)


def test_velocity_is_told_ahead_and_to_the_left(recorded):
    frames = 40
    recorded = type(recorded)(**vars(recorded))
    recorded.place = torch.stack([torch.zeros(frames), 0.05 * torch.arange(frames)], 1)  # along y
    recorded.facing = torch.full((frames,), torch.pi)  # facing -x: y is to the right
    assert torch.allclose(velocity(recorded, torch.tensor([20])), torch.tensor([[0.0, -1.5]]), atol=1e-5)


def test_no_file_and_no_safetensors_are_refused(tmp_path, weights_file):
    with pytest.raises(BadInput, match="is not a file") as error:
        load_weights(tmp_path / "none.safetensors")
    assert error.value.remedy
    (tmp_path / "text.safetensors").write_text("these are no weights")
    (tmp_path / "cut.safetensors").write_bytes(weights_file.read_bytes()[:-1000])
    (tmp_path / "empty.safetensors").write_bytes(b"")
    for name in ("text", "cut", "empty"):
        with pytest.raises(BadInput, match=name):
            load_weights(tmp_path / f"{name}.safetensors")


def test_a_file_of_another_kind_is_refused(tmp_path, weights_file):
    with pytest.raises(BadInput, match="no locomotion network of ours"):
        load_weights(rewritten(weights_file, tmp_path / "other.safetensors", format="smplit-difftraj-1"))
    with pytest.raises(BadInput, match="no locomotion network of ours"):
        load_weights(rewritten(weights_file, tmp_path / "none.safetensors", format=None))


def test_entries_that_are_missing_or_do_not_fit_are_listed(tmp_path, weights_file):
    def without(*names):
        def change(entries):
            for name in names:
                del entries[name]

        return change

    with pytest.raises(BadInput) as error:
        load_weights(rewritten(weights_file, tmp_path / "a.safetensors", without("network.enter.bias", "network.future_mean", "seeds.past")))
    assert all(name in error.value.message for name in ("network.enter.bias", "network.future_mean", "seeds.past"))
    with pytest.raises(BadInput, match=r"network\.enter\.weight"):
        load_weights(rewritten(weights_file, tmp_path / "b.safetensors", lambda e: e.update({"network.enter.weight": torch.zeros(3, 3)})))


@pytest.mark.parametrize("metadata", [
    {"sizes": None}, {"styles": None}, {"speeds": None}, {"card": None}, {"leg": None}, {"leg": "long"}, {"sizes": "{"},
    {"sizes": '{"styles": 2, "depth": 4}'}, {"styles": "7"}, {"styles": json.dumps(["happy"])},
])
def test_metadata_that_do_not_fit_are_refused(tmp_path, weights_file, metadata):
    with pytest.raises(BadInput, match=r"torn\.safetensors"):
        load_weights(rewritten(weights_file, tmp_path / "torn.safetensors", **metadata))


def test_the_shipped_sizes_stay_under_the_limit_of_a_file(recorded):
    from smplit.loco.network import LocoNetwork

    assert sum(value.numel() for value in LocoNetwork(20).state_dict().values()) * 2 < 12e6, "half precision; issue 4 allows 12 MB"
