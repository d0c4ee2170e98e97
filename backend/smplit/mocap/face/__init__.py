# SPDX-License-Identifier: GPL-3.0-or-later
"""Expression, jaw, gaze and head orientation from face landmarks."""
