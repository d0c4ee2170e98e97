# SPDX-License-Identifier: GPL-3.0-or-later
"""WHAM as published (Shin et al. 2024, CVPR): 2D keypoints of a video become body motion in the camera and in the world.

Start reading at `estimate.py`; `network.py` is the network, `lift.py` runs it over a clip of any length.
"""
