# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as Blender data, and Blender data back as motion.

Start at `result.py` (what a job's chunks become). `skeleton.py` and `body_file.py` are plain numpy.
"""
