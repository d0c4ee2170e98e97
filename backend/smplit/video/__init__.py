# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames by presentation time, shot cuts, camera motion."""
