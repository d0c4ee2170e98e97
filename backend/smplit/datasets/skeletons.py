# SPDX-License-Identifier: GPL-3.0-or-later
"""Known skeletons of recorded motion: which source joint's rotation drives which SMPL-X body joint."""

from __future__ import annotations

from smplit.motion import BODY_JOINTS


def _map(sources: str) -> dict[str, str]:
    """Source joints in the order of `BODY_JOINTS`; `-` where the skeleton has none."""
    return {joint: source for joint, source in zip(BODY_JOINTS, sources.split(), strict=True) if source != "-"}


# Read and measured from the files of each set (MANIFEST of the motion pack; 100STYLE's from its release).
SKELETONS: dict[str, dict[str, str]] = {
    "cmu_asf": _map(
        "root lfemur rfemur lowerback ltibia rtibia upperback lfoot rfoot thorax ltoes rtoes "
        "lowerneck lclavicle rclavicle head lhumerus rhumerus lradius rradius lhand rhand"
    ),
    "cmu_cgspeed": _map(
        "Hips LeftUpLeg RightUpLeg LowerBack LeftLeg RightLeg Spine LeftFoot RightFoot Spine1 LeftToeBase RightToeBase "
        "Neck LeftShoulder RightShoulder Head LeftArm RightArm LeftForeArm RightForeArm LeftFingerBase RightFingerBase"
    ),
    "cmu_daz": _map(
        "hip lThigh rThigh abdomen lShin rShin abdomen lFoot rFoot chest lFoot rFoot "
        "neck lCollar rCollar head lShldr rShldr lForeArm rForeArm lHand rHand"
    ),
    "cmu_iclone": _map(
        "CC_Base_Hip CC_Base_L_Thigh CC_Base_R_Thigh CC_Base_Waist CC_Base_L_Calf CC_Base_R_Calf "
        "CC_Base_Spine01 CC_Base_L_Foot CC_Base_R_Foot CC_Base_Spine02 CC_Base_L_ToeBase CC_Base_R_ToeBase "
        "CC_Base_NeckTwist01 CC_Base_L_Clavicle CC_Base_R_Clavicle CC_Base_Head "
        "CC_Base_L_Upperarm CC_Base_R_Upperarm CC_Base_L_Forearm CC_Base_R_Forearm CC_Base_L_Hand CC_Base_R_Hand"
    ),
    "bandai": _map(
        "Hips UpperLeg_L UpperLeg_R Spine LowerLeg_L LowerLeg_R Spine Foot_L Foot_R Chest Toes_L Toes_R "
        "Neck Shoulder_L Shoulder_R Head UpperArm_L UpperArm_R LowerArm_L LowerArm_R Hand_L Hand_R"
    ),
    "100style": _map(
        "Hips LeftHip RightHip Chest LeftKnee RightKnee Chest3 LeftAnkle RightAnkle Chest4 LeftToe RightToe "
        "Neck LeftCollar RightCollar Head LeftShoulder RightShoulder LeftElbow RightElbow LeftWrist RightWrist"
    ),
    "amp_humanoid": _map(
        "root left_hip right_hip - left_knee right_knee - left_ankle right_ankle chest - - "
        "neck - - - left_shoulder right_shoulder left_elbow right_elbow - -"
    ),
    "reactidle": _map(
        "pelvis thigh_L thigh_R spine shin_L shin_R - foot_L foot_R spine1 - - "
        "neck shoulder_L shoulder_R face upper_arm_L upper_arm_R forearm_L forearm_R - -"
    ),
    "cmu_m21": _map(
        "Hips LeftUpLeg RightUpLeg Spine LeftLeg RightLeg - LeftFoot RightFoot Spine1 LeftToeBase RightToeBase "
        "Neck1 LeftShoulder RightShoulder Head LeftArm RightArm LeftForeArm RightForeArm LeftHand RightHand"
    ),
    "style100_ai4": _map(
        "Hips LeftUpLeg RightUpLeg Spine LeftLeg RightLeg Spine2 LeftFoot RightFoot Spine3 LeftToeBase RightToeBase "
        "Neck LeftShoulder RightShoulder Head LeftArm RightArm LeftForeArm RightForeArm LeftHand RightHand"
    ),
    "cmu_keijiro": _map(
        "Hips LeftUpLeg RightUpLeg Spine LeftLeg RightLeg Spine1 LeftFoot RightFoot Spine2 LeftToeBase RightToeBase "
        "Neck LeftShoulder RightShoulder Head LeftArm RightArm LeftForeArm RightForeArm LeftHand RightHand"
    ),
    # Namings of common programs, from their own documentation and exports; other prefixes, blanks, dots and
    # upper case are no difference (see `smplit.datasets.joint_names`).
    "mixamo": _map(
        "Hips LeftUpLeg RightUpLeg Spine LeftLeg RightLeg Spine1 LeftFoot RightFoot Spine2 LeftToeBase RightToeBase "
        "Neck LeftShoulder RightShoulder Head LeftArm RightArm LeftForeArm RightForeArm LeftHand RightHand"
    ),
    "lafan": _map(
        "Hips LeftUpLeg RightUpLeg Spine LeftLeg RightLeg Spine1 LeftFoot RightFoot Spine2 LeftToe RightToe "
        "Neck LeftShoulder RightShoulder Head LeftArm RightArm LeftForeArm RightForeArm LeftHand RightHand"
    ),
    "motionbuilder_cmu": _map(
        "Hips LeftHip RightHip lowerback LeftKnee RightKnee Chest LeftAnkle RightAnkle Chest2 LeftToe RightToe "
        "Neck LeftCollar RightCollar Head LeftShoulder RightShoulder LeftElbow RightElbow LeftWrist RightWrist"
    ),
    "smpl": _map(" ".join(BODY_JOINTS)),
    "smpl_short": _map(
        "Pelvis L_Hip R_Hip Spine1 L_Knee R_Knee Spine2 L_Ankle R_Ankle Spine3 L_Foot R_Foot "
        "Neck L_Collar R_Collar Head L_Shoulder R_Shoulder L_Elbow R_Elbow L_Wrist R_Wrist"
    ),
    "unity": _map(
        "Hips LeftUpperLeg RightUpperLeg Spine LeftLowerLeg RightLowerLeg Chest LeftFoot RightFoot UpperChest LeftToes RightToes "
        "Neck LeftShoulder RightShoulder Head LeftUpperArm RightUpperArm LeftLowerArm RightLowerArm LeftHand RightHand"
    ),
    "unreal": _map(
        "pelvis thigh_l thigh_r spine_01 calf_l calf_r spine_02 foot_l foot_r spine_03 ball_l ball_r "
        "neck_01 clavicle_l clavicle_r head upperarm_l upperarm_r lowerarm_l lowerarm_r hand_l hand_r"
    ),
    "rigify": _map(
        "spine thigh_L thigh_R spine_001 shin_L shin_R spine_002 foot_L foot_R spine_003 toe_L toe_R "
        "spine_004 shoulder_L shoulder_R spine_006 upper_arm_L upper_arm_R forearm_L forearm_R hand_L hand_R"
    ),
    "biped": _map(
        "Pelvis L_Thigh R_Thigh Spine L_Calf R_Calf Spine1 L_Foot R_Foot Spine2 L_Toe0 R_Toe0 "
        "Neck L_Clavicle R_Clavicle Head L_UpperArm R_UpperArm L_Forearm R_Forearm L_Hand R_Hand"
    ),
}

# Without these joints a motion cannot be told; those that are missing beside them follow their parents.
CORE = (
    "pelvis", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
)

# How far below the horizontal the bone from ankle to toes points when the person stands, degrees, for
# skeletons without a T-pose of their own: the one that was built for them has the feet drawn up. Median
# of 76 recordings' still feet, 39.6 in nearly all of them; with the built pose's 21.7 people stood on tiptoe.
STANDING_FEET: dict[str, float] = {"bandai": 39.6}
