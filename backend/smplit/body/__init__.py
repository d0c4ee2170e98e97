# SPDX-License-Identifier: GPL-3.0-or-later
"""The SMPL-X body: shapes, joints, rotations."""
