# SPDX-License-Identifier: GPL-3.0-or-later
"""Finger poses of SMPL-X from hand landmarks."""
