# SPDX-License-Identifier: GPL-3.0-or-later
"""From the camera's view to the world: up, floor, contacts, the path travelled, planted feet."""
