# SPDX-License-Identifier: GPL-3.0-or-later
"""Every model file SMPLit can use: where it lies, what it enables, who gives it out and under which licence.

Names are fixed: the estimators ask for them (`models.find("hmr2a")`). Gated files are never shipped; for them `paths`
names first what `smplit models add` writes, then what users drop in by hand under the published name.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelFile:
    """One model: accepted relative paths, best first ("*" stands for any name), and what a user needs to know about it."""

    name: str
    paths: tuple[str, ...]
    enables: str
    licence: str
    shipped: bool
    source: str
    sha256: str | None = None  # of the shipped file; None where it is not fixed
    commercial: bool = True  # whether the licence allows commercial use
    expects: str = ""  # what to look for in the download: file names and sizes
    builds: tuple[tuple[str, str], ...] = ()  # known published files: (sha256, which build it is)
    steps: tuple[str, ...] = ()  # from nothing to the file, for somebody who has never heard of it


_OPEN_MOTION = "CC0; learned from CMU mocap (free for all uses) and reactidle (MIT)"
_MIXED_MOTION = "CC BY-NC 4.0: learned from recordings that exclude commercial use, among others"
_TRAINING = "shipped; model_files/TRAINING.md"
_ADD = "smplit models add {}, or Add File in Blender's preferences"


def _gated(
    name: str, paths: tuple[str, ...], enables: str, licence: str, source: str, expects: str, steps: tuple[str, ...],
    builds: tuple[tuple[str, str], ...] = (), commercial: bool = False,
) -> ModelFile:
    return ModelFile(name, paths, enables, licence, False, source, None, commercial, expects, builds, (*steps, _ADD.format(expects.split(" (")[0])))


SHIPPED = (
    ModelFile("body", ("body/SMPLX_NEUTRAL.npz", "body/OPEN_NEUTRAL.npz"), "the body every result is made of",
              "open body: CC0; SMPLX_NEUTRAL.npz: SMPL-X licence (non-commercial)", True,
              "shipped; the real SMPL-X after registering at smpl-x.is.tue.mpg.de"),
    ModelFile("movenet", ("landmarks/movenet_multipose.onnx",), "finding people", "Apache-2.0", True, "shipped",
              "e723e192bbb3b87058a277843f9bc2575d3549b3b2649c43dc2a66851a03413c"),
    ModelFile("blazepose", ("landmarks/blazepose_full.onnx",), "33 body landmarks in 2D and 3D", "Apache-2.0", True, "shipped",
              "e5331120456ad993a0047a5dea574fac9b93acbd6a8e9e6d8504bc44bb6922b5"),
    ModelFile("hand", ("landmarks/hand_full.onnx",), "21 landmarks of each hand", "Apache-2.0", True, "shipped",
              "3387d8ab393a24a4e7cc25cb2e0c735174cc9a2e96049f70bbb37568c4d5b0d3"),
    ModelFile("face_mesh", ("landmarks/face_mesh.onnx",), "468 face landmarks", "Apache-2.0", True, "shipped",
              "3593a0c359345aa4cb3ae0bc76e8bb9947dc3fae3c682b2f64d143ceef43dc5d"),
    ModelFile("pose_prior", ("pose_prior/gmm.safetensors",), "which body poses people take, for the fit", _OPEN_MOTION, True, _TRAINING,
              "9965324e6948da1f91026526fc6c216c68a9c52fbbaa1005de83aa513751781b"),
    ModelFile("lifter", ("wham/stage1.safetensors",), "body motion from landmarks", _OPEN_MOTION, True, _TRAINING,
              "d558419ea11dfacec75db7751f3b9a1f8d2c0437343fd08e41d5120d0b672567"),
    ModelFile("difftraj", ("difftraj/all.safetensors",), "a trajectory for any body motion", _MIXED_MOTION, True, _TRAINING,
              "dc185717df4bc7083bd2b9c876f522329dbcb1eefdde994d30d576cae5033d7a", commercial=False),
    ModelFile("difftraj_free", ("difftraj/free.safetensors",), "a trajectory for any body motion, commercial use allowed", _OPEN_MOTION, True,
              _TRAINING, "5e1fe1c58d96e957aa3ec55451e55f4b1284ca087025c38526c500317de89a7d"),
    ModelFile("loco", ("loco/loco.safetensors",), "styled walking along a path", _MIXED_MOTION, True, _TRAINING,
              "82b1bef23db54e6be0f67a046c4875bcfe86e3d05247b6dc954d8d800c30cde5", commercial=False),
    ModelFile("idle", ("loco/idle.safetensors",), "life in a walker who stands", "MIT; learned from reactidle", True,
              "shipped; model_files/loco/README.md", "39946f2929a9fbed05665cc479399dafcc12382c1b085094788b568ddfc212d2"),
)

_MPI_STEPS = "Sign up and accept the licence at "

GATED = (
    _gated("hmr2a", ("hmr2/hmr2a.safetensors", "hmr2/hmr2a.ckpt"), "image features for the published WHAM; a body per frame",
           "none stated; learned from data that partly exclude commercial use", "the authors' download, see github.com/yohanshin/WHAM",
           "hmr2a.ckpt (2.68 GB)", ("Read the section on demo data at github.com/yohanshin/WHAM and fetch hmr2a.ckpt.",),
           (("2dcf79638109781d1ae5f5c44fee5f55bc83291c210653feead9b7f04fa6f20e", "HMR2.0a as a public installer reports it"),)),
    _gated("hmr2b", ("hmr2/hmr2b.safetensors", "hmr2/epoch=35-step=1000000.ckpt", "hmr2/hmr2b.ckpt"),
           "the body where half of it is out of the picture, for --body hmr2",
           "none stated; learned from data that partly exclude commercial use", "the authors' download, see github.com/shubham-goel/4D-Humans",
           "epoch=35-step=1000000.ckpt (2.7 GB or more)",
           ("Fetch the demo data described at github.com/shubham-goel/4D-Humans; the file lies in logs/train/multiruns/hmr2/0/checkpoints.",)),
    _gated("wham_published", ("wham/wham_vit_bedlam_w_3dpw.safetensors", "wham/wham_vit_bedlam_w_3dpw.pth.tar",
                              "wham/wham_vit_w_3dpw.safetensors", "wham/wham_vit_w_3dpw.pth.tar"),
           "the published WHAM, for --body wham", "none stated; learned from data that exclude commercial use",
           "the authors' download, see github.com/yohanshin/WHAM; the BEDLAM file is the better one",
           "wham_vit_bedlam_w_3dpw.pth.tar (about 527 MB)",
           ("Read the section on demo data at github.com/yohanshin/WHAM and fetch wham_vit_bedlam_w_3dpw.pth.tar.",),
           (("91d250d2d298b00f200aa39df36253b55ca434188c2934d8e91e5e0777fb67fd", "WHAM as public notes report it"),)),
    _gated("acr", ("acr/wild.safetensors", "acr/wild.pkl"), "the best hands, for --hands acr",
           "none stated for the weights; ask the authors before commercial use",
           "the authors' download, see github.com/ZhengdiYu/Arbitrary-Hands-3D-Reconstruction", "wild.pkl (121 MB or more)",
           ("Read the section on models at github.com/ZhengdiYu/Arbitrary-Hands-3D-Reconstruction and fetch wild.pkl.",)),
    _gated("mano", ("hands/MANO.npz",), "the exact pose that ACR's fingers are relative to (the real SMPL-X has it too)", "MANO licence (non-commercial)",
           "after registering at mano.is.tue.mpg.de", "mano_v1_2.zip (with MANO_LEFT.pkl and MANO_RIGHT.pkl)",
           (_MPI_STEPS + "mano.is.tue.mpg.de.", "Fetch 'Models & Code' (mano_v1_2.zip); it need not be unpacked.")),
    _gated("smirk", ("smirk/SMIRK_em1.safetensors", "smirk/SMIRK_em1.pt"), "the best face, for --face smirk",
           "none stated for the weights; the code is MIT", "the authors' download, see github.com/georgeretsi/smirk", "SMIRK_em1.pt",
           ("Read the section on installation at github.com/georgeretsi/smirk and fetch SMIRK_em1.pt.",)),
    _gated("flame", ("face/FLAME.npz",), "nothing yet: SMIRK's expressions go to SMPL-X directly; kept for tools of your own", "FLAME licence (2020: non-commercial; see its page)",
           "after registering at flame.is.tue.mpg.de", "FLAME2020.zip (with generic_model.pkl)",
           (_MPI_STEPS + "flame.is.tue.mpg.de.", "Fetch 'FLAME 2020' (FLAME2020.zip); it need not be unpacked.")),
    _gated("smplx", ("body/SMPLX_NEUTRAL.npz",), "the real SMPL-X in the open body's place: other tools' shape numbers, FLAME's expressions",
           "SMPL-X licence (non-commercial)", "after registering at smpl-x.is.tue.mpg.de",
           "models_smplx_v1_1.zip (with SMPLX_NEUTRAL.npz)",
           (_MPI_STEPS + "smpl-x.is.tue.mpg.de.", "Fetch 'SMPL-X v1.1' (models_smplx_v1_1.zip); it need not be unpacked.")),
    _gated("smpl", ("body/SMPL_NEUTRAL.npz",), "the body that the published WHAM and HMR2 were trained with", "SMPL licence (non-commercial)",
           "after registering at smpl.is.tue.mpg.de; without it the open body stands in",
           "SMPL_python_v.1.1.0.zip (with basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl)",
           (_MPI_STEPS + "smpl.is.tue.mpg.de.", "Fetch 'version 1.1.0 for Python' (SMPL_python_v.1.1.0.zip); it need not be unpacked.")),
    _gated("gmm_prior", ("pose_prior/gmm_08.npz",), "SMPLify's pose prior instead of ours in the fit", "SMPLify licence (non-commercial)",
           "after registering at smplify.is.tue.mpg.de", "gmm_08.pkl (about 0.3 MB)",
           (_MPI_STEPS + "smplify.is.tue.mpg.de.", "Fetch the code; gmm_08.pkl lies among its models.")),
    _gated("vposer", ("pose_prior/vposer.safetensors",), "nothing yet: recognised and converted, no fit asks for it", "VPoser licence (non-commercial)",
           "after registering at smpl-x.is.tue.mpg.de", "V02_05.zip (VPoser v2.0, with a .ckpt in snapshots)",
           (_MPI_STEPS + "smpl-x.is.tue.mpg.de.", "Fetch 'VPoser v2.0'; it need not be unpacked.")),
    _gated("vitpose", ("landmarks/vitpose_wholebody.onnx", "landmarks/vitpose.onnx", "landmarks/vitpose*.onnx", "landmarks/ViTPose*.onnx"),
           "more exact body landmarks", "Apache-2.0", "github.com/ViTAE-Transformer/ViTPose, or an ONNX export of it", "an .onnx file",
           ("Export the model to ONNX with its authors' tools, or use an export you trust.",), commercial=True),
    _gated("rtmpose", ("landmarks/rtmpose.onnx", "landmarks/rtmpose*.onnx"), "quick and more exact body landmarks", "Apache-2.0",
           "the model list of MMPose, github.com/open-mmlab/mmpose, projects/rtmpose", "end2end.onnx (of RTMPose)",
           ("Choose RTMPose (17 points, ONNX) in the model list of projects/rtmpose at github.com/open-mmlab/mmpose.",), commercial=True),
    _gated("rtmw", ("landmarks/rtmw.onnx", "landmarks/rtmw*.onnx"), "133 landmarks: body, feet, hands and face at once", "Apache-2.0",
           "the model list of MMPose, github.com/open-mmlab/mmpose, projects/rtmpose", "end2end.onnx (of RTMW)",
           ("Choose RTMW (133 points, ONNX) in the model list of projects/rtmpose at github.com/open-mmlab/mmpose.",), commercial=True),
    _gated("yolo", ("landmarks/yolo.onnx", "landmarks/yolo*.onnx"), "finding people in crowds and far away",
           "YOLOX: Apache-2.0; Ultralytics YOLO: AGPL-3.0", "YOLOX: github.com/Megvii-BaseDetection/YOLOX", "an .onnx file",
           ("Fetch an ONNX file of YOLOX, or export one.",), commercial=True),
)

MODELS = {entry.name: entry for entry in (*SHIPPED, *GATED)}
