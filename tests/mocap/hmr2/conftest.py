# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to `hmr2_goldens`, and to what WHAM's tests have: `splitmix_weights`, `wham_goldens`, a walker made by hand."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "wham"), str(HERE.parent / "lifter")]
