# SPDX-License-Identifier: GPL-3.0-or-later
"""Which published network a checkpoint is, told from the names and shapes of its tensors, and what of it is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smplit.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor, nn

_COUNTS = "num_batches_tracked"  # of the training; says nothing of the answer
_SHOWN = 4
HMR2_STEPS = {"hmr2a": 25_000, "hmr2b": 1_000_000}  # of the training, which Lightning writes down; the networks are alike
_WHAM_REGRESSORS = {"smpl.J_regressor_wham": (31, 6890), "smpl.J_regressor_feet": (4, 6890)}  # given out in no other form
# VPoser v2's parts and their shapes; the code of 32 numbers is read by the decoder.
_VPOSER = {
    "encoder_net.1.weight": (63,), "encoder_net.2.weight": (512, 63), "decoder_net.0.weight": (512, 32), "decoder_net.0.bias": (512,),
    "decoder_net.3.weight": (512, 512), "decoder_net.3.bias": (512,), "decoder_net.5.weight": (126, 512), "decoder_net.5.bias": (126,),
}
_VPOSER_PARTS = ("encoder_net.", "decoder_net.")


@dataclass(frozen=True)
class Kind:
    """One architecture: tensors that only it has, prefixes that its authors' files put before the names."""

    title: str
    signs: tuple[str, ...]
    prefixes: tuple[str, ...] = ()


KINDS = {
    "hmr2": Kind("HMR2", ("backbone.patch_embed.proj.weight", "smpl_head.decpose.weight")),
    "wham": Kind("WHAM", ("motion_encoder.embed_layer.weight", "mask_embedding")),
    "acr": Kind("ACR", ("backbone.conv1.weight", "contact_layers.1.0.weight"), ("module.",)),
    "smirk": Kind("SMIRK", ("pose_encoder.encoder.conv_stem.weight", "expression_encoder.encoder.conv_stem.weight"), ("smirk_encoder.",)),
    "vposer": Kind("VPoser", ("decoder_net.0.weight", "encoder_net.2.weight"), ("vp_model.",)),
}


@dataclass(frozen=True)
class Network:
    """A recognised checkpoint: the registry's name, what it is in words, its tensors under the names that the loaders read."""

    model: str
    title: str
    tensors: dict[str, Tensor]
    relative: str = ""  # where it goes, when not the registry's first path
    notes: tuple[str, ...] = ()


def recognise(tensors: Mapping[str, Tensor], about: Mapping, name: str) -> Network:
    """Which network the tensors are of. `about`: epoch and step, or a converted file's notes; `name` decides only between WHAM's two files.

    Raises:
        BadInput: none that SMPLit uses, or tensors are missing or of another shape (listed).
    """
    for key, kind in KINDS.items():
        bare = _bare(tensors, kind.prefixes)
        if all(sign in bare for sign in kind.signs):
            return _READERS[key](bare, about, name)
    some = ", ".join(sorted(map(str, tensors))[:_SHOWN])
    raise BadInput(
        f"The file is a checkpoint of a network that SMPLit does not use ({len(tensors)} tensors: {some[:200]}, ...).",
        "'smplit models list' tells the files that are used.", "other_model",
    )


def _bare(tensors: Mapping[str, Tensor], prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    bare = {}
    for name, value in tensors.items():
        for prefix in prefixes:
            name = name.removeprefix(prefix)
        bare[name] = value
    return bare


def needed(network: type[nn.Module]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a network's tensors; none of its memory is taken."""
    import torch

    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in network().state_dict().items()}


def _take(title: str, tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """The needed tensors; counts of the training may be missing."""
    missing = [name for name in shapes if name not in tensors and not name.endswith(_COUNTS)]
    wrong = [
        f"{name} {tuple(tensors[name].shape)} instead of {shape}" for name, shape in shapes.items()
        if name in tensors and tuple(tensors[name].shape) != shape
    ]
    if missing or wrong:
        listed = "; ".join(f"{what}: {', '.join(names[:_SHOWN])}" + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
                           for what, names in (("missing", missing), ("of another shape", wrong)) if names)
        raise BadInput(f"The file looks like {title}, but its tensors do not fit. {listed}.", f"Use {title}'s file as its authors published it.",
                       "weights_do_not_fit")
    return {name: tensors[name] for name in shapes if name in tensors}


def _hmr2(tensors: Mapping[str, Tensor], about: Mapping, _: str) -> Network:
    from smplit.mocap.hmr2.network import Hmr2Network

    kept = _take("HMR2", tensors, needed(Hmr2Network))
    model = about.get("model") if about.get("model") in HMR2_STEPS else None
    step = about.get("global_step", -1)
    # Lightning's older versions counted one step more.
    model = model or next((key for key, steps in HMR2_STEPS.items() if abs(step - steps) <= 1), None)
    if model is None:
        told = f"step {step}, which is neither" if step >= 0 else "no step of the training"
        raise BadInput(
            f"The file is an HMR2, but not which one: it names {told} (2.0a: 25000, 2.0b: 1000000). The two give different numbers.",
            "Use hmr2a.ckpt or epoch=35-step=1000000.ckpt as published, with all that is in it.", "unknown_hmr2",
        )
    return Network(model, f"HMR2.0{model[-1]}", kept)


def _wham(tensors: Mapping[str, Tensor], _: Mapping, name: str) -> Network:
    from smplit.mocap.wham.load import LIFTING, stage_of
    from smplit.mocap.wham.network import Wham

    kept = _take("WHAM", tensors, needed(Wham))
    if stage_of(kept) == LIFTING:
        raise BadInput("The file is a WHAM of stage 1, which has never seen pictures.",
                       "Use wham_vit_bedlam_w_3dpw.pth.tar or wham_vit_w_3dpw.pth.tar.", "wrong_stage")
    regressors = {key: tensors[key] for key, shape in _WHAM_REGRESSORS.items() if key in tensors and tuple(tensors[key].shape) == shape}
    notes = () if len(regressors) == 2 else ("It lacks the two regressors of a file as published, so the open body stands in for SMPL.",)
    variant = "bedlam_w_3dpw" if "bedlam" in name.lower() else "w_3dpw"
    return Network("wham_published", f"WHAM ({variant}, by its name)", kept | regressors, f"wham/wham_vit_{variant}.safetensors", notes)


def _acr(tensors: Mapping[str, Tensor], _about: Mapping, _name: str) -> Network:
    from smplit.mocap.acr.network import Acr

    return Network("acr", "ACR", _take("ACR", tensors, needed(Acr)))


def _smirk(tensors: Mapping[str, Tensor], _about: Mapping, _name: str) -> Network:
    from smplit.mocap.smirk.network import Smirk

    return Network("smirk", "SMIRK", _take("SMIRK", tensors, needed(Smirk)))


def _vposer(tensors: Mapping[str, Tensor], _about: Mapping, _name: str) -> Network:
    _take("VPoser v2", tensors, _VPOSER)
    return Network("vposer", "VPoser v2", {name: value for name, value in tensors.items() if name.startswith(_VPOSER_PARTS)})


_READERS = {"hmr2": _hmr2, "wham": _wham, "acr": _acr, "smirk": _smirk, "vposer": _vposer}


def plain(tensors: Mapping[str, Tensor], title: str) -> Iterator[tuple[str, Tensor]]:
    """The tensors one by one, contiguous, real numbers as float32.

    Raises:
        BadInput: one holds numbers that are not finite, or none at all.
    """
    import torch

    for name, value in tensors.items():
        if value.is_floating_point():
            value = value.float()
            if not torch.isfinite(value).all():
                raise BadInput(f"The file's '{name}' holds numbers that are not finite: this {title} would answer nothing.",
                               "Download it again.", "not_finite")
        elif value.dtype not in (torch.int64, torch.int32, torch.bool):
            raise BadInput(f"The file's '{name}' is of type {value.dtype}.", f"Use {title}'s file as published.", "weights_do_not_fit")
        yield name, value.detach().contiguous()
