# SPDX-License-Identifier: GPL-3.0-or-later
"""The model files that come with SMPLit. How they were made: model_files/README.md and model_files/TRAINING.md."""

from smplit.models.entry import ModelFile

_OPEN_MOTION = "CC0; learned from CMU mocap (free for all uses) and reactidle (MIT)"
_MIXED_MOTION = "CC BY-NC 4.0: learned from recordings that exclude commercial use, among others"
_TRAINING = "shipped; model_files/TRAINING.md"

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
              "2334a6a1d10800cf3c54a79419d1ba6739f82c28b056e61ee7a6d94c4b25c419"),
    ModelFile("face_points", ("landmarks/face_points.onnx",), "478 landmarks of faces that are large enough", "Apache-2.0", True, "shipped",
              "b9185104f57382b7351215c725b029c5da0bf69e5a4b1bfbc43a6fb0e7136e78"),
    ModelFile("face_actions", ("landmarks/face_actions.onnx",), "what brows, lids, jaw and lips do: 51 actions", "Apache-2.0", True, "shipped",
              "21b695b2d69ff9a73c792ca76993afb8940930159c5d50f69eeaf42d69a1a8f9"),
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
