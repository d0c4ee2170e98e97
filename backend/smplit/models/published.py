# SPDX-License-Identifier: GPL-3.0-or-later
"""The published models that a user can add: never shipped, for their licences do not allow it or their authors give them out themselves.

`paths` names first what `smplit models add` writes, then what users drop in by hand under the published name. Sizes and
checksums are there only where somebody has measured them; a file of another checksum is an "unknown build", not a wrong one.
"""

from smplit.models.entry import ModelFile

_NOT_SAID = "none stated; learned from data that exclude commercial use"
_WHAM_PAGE = "github.com/yohanshin/WHAM"
_HMR2_PAGE = "github.com/shubham-goel/4D-Humans"
_ACR_PAGE = "github.com/ZhengdiYu/Arbitrary-Hands-3D-Reconstruction"
_SMIRK_PAGE = "github.com/georgeretsi/smirk"
_VITPOSE_PAGE = "github.com/ViTAE-Transformer/ViTPose"
_MMPOSE_PAGE = "github.com/open-mmlab/mmpose, projects/rtmpose"
_YOLOX_PAGE = "github.com/Megvii-BaseDetection/YOLOX"


def _published(
    name: str, title: str, paths: tuple[str, ...], enables: str, licence: str, page: str, expects: str, steps: tuple[str, ...],
    commercial: bool = False, builds: tuple[tuple[str, str], ...] = (),
) -> ModelFile:
    """`page` gives it out, `expects` is the file's name with what is known of it in parentheses."""
    last = f"smplit models add {expects.split(' (')[0]}, or Add File in Blender's preferences"
    return ModelFile(
        name, paths, enables, licence, shipped=False, source=page, commercial=commercial, title=title, expects=expects, builds=builds,
        steps=(*steps, last),
    )


def _registered(name: str, title: str, path: str, enables: str, site: str, download: str, expects: str) -> ModelFile:
    """A model of the Max Planck Institute's: free of charge after signing up, for research alone."""
    steps = (f"Sign up at {site} and accept the licence.", f"Fetch '{download}'; a zip need not be unpacked.")
    return _published(name, title, (path,), enables, f"{title} licence (non-commercial)", f"after registering at {site}", expects, steps)


PUBLISHED = (  # those that give most first; those that nothing asks for yet last
    _published(
        "acr", "ACR", ("acr/wild.safetensors", "acr/wild.pkl"), "the best hands",
        "none stated for the weights; the authors ask to be asked before commercial use", _ACR_PAGE, "wild.pkl (121 MB or more)",
        (f"Read about models at {_ACR_PAGE} and fetch wild.pkl.",),
    ),
    _published(
        "smirk", "SMIRK", ("smirk/SMIRK_em1.safetensors", "smirk/SMIRK_em1.pt"), "the best face",
        "none stated for the weights; the code is MIT", _SMIRK_PAGE, "SMIRK_em1.pt (15 MB or more)",
        (f"Read about installation at {_SMIRK_PAGE} and fetch SMIRK_em1.pt.",),
    ),
    _published(
        "wham_published", "WHAM",
        ("wham/wham_vit_bedlam_w_3dpw.safetensors", "wham/wham_vit_bedlam_w_3dpw.pth.tar", "wham/wham_vit_w_3dpw.safetensors",
         "wham/wham_vit_w_3dpw.pth.tar"),
        "the published WHAM's bodies, with HMR2.0a's image features", _NOT_SAID, _WHAM_PAGE,
        "wham_vit_bedlam_w_3dpw.pth.tar (about 527 MB; or wham_vit_w_3dpw.pth.tar)",
        (f"Read about demo data at {_WHAM_PAGE} and fetch wham_vit_bedlam_w_3dpw.pth.tar, the better of the two.",),
        builds=(("91d250d2d298b00f200aa39df36253b55ca434188c2934d8e91e5e0777fb67fd", "WHAM as public notes report it"),),
    ),
    _published(
        "hmr2a", "HMR2.0a", ("hmr2/hmr2a.safetensors", "hmr2/hmr2a.ckpt"), "image features for WHAM, and bodies that are half out of the picture",
        _NOT_SAID, _WHAM_PAGE, "hmr2a.ckpt (2.68 GB)", (f"Read about demo data at {_WHAM_PAGE} and fetch hmr2a.ckpt.",),
        builds=(("2dcf79638109781d1ae5f5c44fee5f55bc83291c210653feead9b7f04fa6f20e", "HMR2.0a as a public installer reports it"),),
    ),
    _published(
        "hmr2b", "HMR2.0b", ("hmr2/hmr2b.safetensors", "hmr2/epoch=35-step=1000000.ckpt", "hmr2/hmr2b.ckpt"),
        "bodies that are half out of the picture", _NOT_SAID, _HMR2_PAGE,
        "epoch=35-step=1000000.ckpt (2.7 GB or more)",
        (f"Read about demo data at {_HMR2_PAGE} and fetch it; the file lies in logs/train/multiruns/hmr2/0/checkpoints.",),
    ),
    _registered(
        "smplx", "SMPL-X", "body/SMPLX_NEUTRAL.npz", "the real SMPL-X in the open body's place, with FLAME's expressions",
        "smpl-x.is.tue.mpg.de", "SMPL-X v1.1", "models_smplx_v1_1.zip (with SMPLX_NEUTRAL.npz)",
    ),
    _registered(
        "mano", "MANO", "hands/MANO.npz", "the exact pose that ACR's fingers are relative to (the real SMPL-X has it too)",
        "mano.is.tue.mpg.de", "Models & Code", "mano_v1_2.zip (with MANO_LEFT.pkl and MANO_RIGHT.pkl)",
    ),
    _registered(
        "smpl", "SMPL", "body/SMPL_NEUTRAL.npz", "the body that WHAM and HMR2 were trained with; else the open body stands in",
        "smpl.is.tue.mpg.de", "version 1.1.0 for Python", "SMPL_python_v.1.1.0.zip (with basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl)",
    ),
    _registered(
        "gmm_prior", "SMPLify's mixture of poses", "pose_prior/gmm_08.npz", "SMPLify's pose prior instead of ours in the fit",
        "smplify.is.tue.mpg.de", "the code, among whose models gmm_08.pkl lies", "gmm_08.pkl (about 0.3 MB)",
    ),
    _published(
        "rtmw", "RTMW", ("landmarks/rtmw.onnx", "landmarks/rtmw*.onnx"), "133 landmarks: body, feet, hands and face at once", "Apache-2.0",
        _MMPOSE_PAGE, "end2end.onnx (133 points; RTMW or DWPose)", (f"Choose a whole-body model as ONNX at {_MMPOSE_PAGE}, and unpack it.",),
        commercial=True,
    ),
    _published(
        "vitpose", "ViTPose", ("landmarks/vitpose_wholebody.onnx", "landmarks/vitpose.onnx", "landmarks/vitpose*.onnx", "landmarks/ViTPose*.onnx"),
        "more exact body landmarks", "Apache-2.0", _VITPOSE_PAGE, "FILE.onnx (17, 26 or 133 points)",
        (f"Export a model of {_VITPOSE_PAGE} to ONNX, or use an export that you trust.",), commercial=True,
    ),
    _published(
        "rtmpose", "RTMPose", ("landmarks/rtmpose.onnx", "landmarks/rtmpose*.onnx"), "quick and more exact body landmarks", "Apache-2.0",
        _MMPOSE_PAGE, "end2end.onnx (17 or 26 points)", (f"Choose a body model as ONNX in the list at {_MMPOSE_PAGE}, and unpack it.",),
        commercial=True,
    ),
    _published(
        "yolo", "YOLO", ("landmarks/yolo.onnx", "landmarks/yolo*.onnx"), "finding people in crowds and far away",
        "YOLOX: Apache-2.0; Ultralytics' YOLO: AGPL-3.0", _YOLOX_PAGE, "FILE.onnx (YOLOX, RTMDet, or Ultralytics' YOLO)",
        (f"Fetch or export an ONNX file of {_YOLOX_PAGE}.",), commercial=True,
    ),
    _registered(
        "flame", "FLAME", "face/FLAME.npz", "SMIRK's expressions on the open body by their true shapes; the real SMPL-X needs it not",
        "flame.is.tue.mpg.de", "FLAME 2020", "FLAME2020.zip (with generic_model.pkl)",
    ),
    _registered(
        "vposer", "VPoser", "pose_prior/vposer.safetensors", "VPoser as the pose prior instead of ours in the fit",
        "smpl-x.is.tue.mpg.de", "VPoser v2.0", "V02_05.zip (with a .ckpt in snapshots)",
    ),
)
