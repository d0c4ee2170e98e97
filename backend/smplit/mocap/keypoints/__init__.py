# SPDX-License-Identifier: GPL-3.0-or-later
"""2D and 3D landmarks of bodies, hands and faces on ONNX Runtime."""
