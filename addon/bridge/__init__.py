# SPDX-License-Identifier: GPL-3.0-or-later
"""How the add-on reaches the backend. Only `pump` and `results` touch bpy; the rest is plain Python."""
