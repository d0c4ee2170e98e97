# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to `face_world`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
