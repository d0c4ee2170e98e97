# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole-clip fit of the SMPL-X body to landmarks: the openly licensed lifter."""
