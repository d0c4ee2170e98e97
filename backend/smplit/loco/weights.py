# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a locomotion network: weights, styles, what each style can do, and movements to begin from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from smplit.difftraj.features import turn_level
from smplit.errors import BadInput
from smplit.export.whole_file import whole_file
from smplit.loco.corpus import Corpus
from smplit.loco.frames import CHANNELS
from smplit.loco.network import LocoNetwork
from smplit.loco.windows import PAST

FORMAT = "smplit-loco-1"
_SEEDS_OF_A_GAIT = 3
_STANDS = 0.15  # m/s


@dataclass
class Seeds:
    """Movements to begin from.

    Attributes:
        past: (M,PAST,CHANNELS); style: (M,); velocity: (M,2) m/s of the plan, ahead and left.
    """

    past: Tensor
    style: Tensor
    velocity: Tensor


@dataclass
class LocoWeights:
    """A trained network and what belongs to it; `speeds` is style -> gait -> slowest, usual and fastest m/s recorded, `leg` the m of
    thigh plus shin of the body that it moves."""

    network: LocoNetwork
    styles: tuple[str, ...]
    speeds: dict[str, dict[str, list[float]]]
    seeds: Seeds
    leg: float
    card: dict[str, str]


def velocity(corpus: Corpus, rows: Tensor) -> Tensor:
    """(M,2) m/s at 30 frames a second: how the plan moved over the third of a second before `rows`, ahead and left."""
    moved = (corpus.place[rows] - corpus.place[rows - PAST + 1]) * (30.0 / (PAST - 1))
    return turn_level(moved, -corpus.facing[rows])


def save_weights(network: LocoNetwork, path: Path, card: dict[str, str], corpus: Corpus) -> None:
    """Half precision safetensors; seeds and speeds are taken from the corpus the network was trained on."""
    seeds, speeds = _seeds_and_speeds(corpus)
    entries = {f"network.{name}": value for name, value in network.state_dict().items()}
    entries |= {"seeds.past": seeds.past, "seeds.velocity": seeds.velocity, "seeds.style": seeds.style.float()}
    entries = {name: value.detach().cpu().half().contiguous() for name, value in entries.items()}
    metadata = {
        "format": FORMAT, "sizes": json.dumps(network.sizes), "styles": json.dumps(corpus.styles), "speeds": json.dumps(speeds),
        "leg": repr(corpus.leg), "card": json.dumps(card, sort_keys=True),
    }
    with whole_file(path) as temporary:
        save_file(entries, temporary, metadata)


def load_weights(path: str | Path, device: str = "cpu") -> LocoWeights:
    """Reads a file of `save_weights`.

    Raises:
        BadInput: no such file, damaged, not ours, or entries that do not fit (they are listed).
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"'{path}' is not a file.", "Name weights made by 'smplit train loco'.", "no_such_file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        entries = {name: value.float() for name, value in load_file(path, device=device).items()}
    except (SafetensorError, OSError) as error:
        raise BadInput(f"'{path}' cannot be read as safetensors ({error}).", "Copy the file again.", "damaged_weights") from error
    if metadata.get("format") != FORMAT:
        raise BadInput(f"'{path}' holds no locomotion network of ours.", "Name weights made by 'smplit train loco'.", "wrong_weights")
    network, styles, speeds, leg, card = _told(path, metadata)
    ours = {f"network.{name}": value for name, value in network.state_dict().items()}
    wrong = sorted(set(ours) - set(entries)) or sorted(n for n in ours if ours[n].shape != entries[n].shape)
    wrong += [name for name in ("seeds.past", "seeds.style", "seeds.velocity") if name not in entries]
    if wrong:
        raise BadInput(f"'{path}': entries that do not fit: {', '.join(wrong)}.", "Train again with this version.", "wrong_weights")
    network.load_state_dict({name.removeprefix("network."): entries[name] for name in ours})
    seeds = Seeds(entries["seeds.past"], entries["seeds.style"].long(), entries["seeds.velocity"])
    return LocoWeights(network.to(device).eval(), styles, speeds, seeds, leg, card)


def _told(path: Path, metadata: dict[str, str]) -> tuple[LocoNetwork, tuple[str, ...], dict, float, dict]:
    """An empty network of the sizes that a file's metadata name; styles, speeds, leg and card."""
    try:
        network = LocoNetwork(**json.loads(metadata["sizes"]))
        styles, speeds, card = (json.loads(metadata[name]) for name in ("styles", "speeds", "card"))
        if len(styles) != network.sizes["styles"]:
            raise ValueError(f"{len(styles)} names for {network.sizes['styles']} styles")
        return network, tuple(styles), speeds, float(metadata["leg"]), card
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BadInput(f"'{path}': its metadata do not fit ({error}).", "Copy the file again.", "damaged_weights") from error


def _seeds_and_speeds(corpus: Corpus) -> tuple[Seeds, dict[str, dict[str, list[float]]]]:
    generator = torch.Generator().manual_seed(0)
    rows = corpus.starts[~corpus.bent[corpus.starts]].cpu()
    moving = velocity(corpus, rows.to(corpus.place.device)).cpu()
    speed = moving.norm(dim=-1)
    style, gait = corpus.style.cpu()[rows], corpus.gait.cpu()[rows]
    picked: list[Tensor] = []
    speeds: dict[str, dict[str, list[float]]] = {}
    for number, name in enumerate(corpus.styles):
        stands = torch.nonzero((style == number) & (speed < _STANDS))[:, 0]
        picked.append(stands[torch.randperm(len(stands), generator=generator)[:_SEEDS_OF_A_GAIT]])
        for kind, gait_name in enumerate(corpus.gaits):
            goes = torch.nonzero((style == number) & (gait == kind) & (speed >= _STANDS))[:, 0]
            if not len(goes):
                continue
            fast = speed[goes]
            speeds.setdefault(name, {})[gait_name] = [round(float(torch.quantile(fast[:100_000], share)), 2) for share in (0.1, 0.5, 0.95)]
            steady = goes[fast > 0.8 * fast.median()]
            picked.append(steady[torch.randperm(len(steady), generator=generator)[:_SEEDS_OF_A_GAIT]])
    chosen = torch.cat(picked)
    span = rows[chosen][:, None] + torch.arange(1 - PAST, 1)
    past = corpus.frames.cpu()[span]
    assert past.shape[1:] == (PAST, CHANNELS)
    return Seeds(past, style[chosen], moving[chosen]), speeds
