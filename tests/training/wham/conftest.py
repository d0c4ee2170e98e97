# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to `wham_goldens`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "mocap" / "wham"))
