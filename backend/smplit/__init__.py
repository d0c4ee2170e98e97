# SPDX-License-Identifier: GPL-3.0-or-later
"""SMPLit: video, drawn paths and body poses become SMPL-X animation, on the user's own machine.

Start reading in `cli.py`, then the pipeline it calls. Nothing heavy is imported here, because the
Blender add-on imports `smplit.protocol`, `smplit.motion` and `smplit.axes` inside Blender's Python.
"""

import os
import sys

if "bpy" not in sys.modules:
    # Before numpy is loaded: its matrices are small here, and on busy cores threads wait for each other (a travelling camera's path
    # took six times as long).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
