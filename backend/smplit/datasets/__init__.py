# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded motion in other people's formats, brought onto the SMPL-X body."""
