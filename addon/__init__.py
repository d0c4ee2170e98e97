# SPDX-License-Identifier: GPL-3.0-or-later
"""SMPLit in Blender. This file registers and unregisters; nothing else.

Start reading in `panels.py` (what a user sees), then `operators/` (what a press does), then
`bridge/` (how the backend is reached) and `scene/` (how results become Blender data).
"""

# The parts are imported on registration, not here: the bridge's pure modules can then be tested
# without Blender.


def register() -> None:
    from . import live, locomotion_panel, operators, panels, preferences, properties
    from .bridge import pump

    for part in (preferences, properties, operators, panels, locomotion_panel, live, pump):
        part.register()


def unregister() -> None:
    from . import live, locomotion_panel, operators, panels, preferences, properties
    from .bridge import pump

    for part in (pump, live, locomotion_panel, panels, operators, properties, preferences):
        part.unregister()
