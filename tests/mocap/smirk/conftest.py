# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to `formula_weights`, a folder up, and to the helpers beside."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
