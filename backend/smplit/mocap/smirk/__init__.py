# SPDX-License-Identifier: GPL-3.0-or-later
"""SMIRK (Retsinas et al. 2024): expression, eyelids and jaw of the FLAME face from a picture, and what they say to a body.

`crop` cuts the face out, `network` looks at it (`load` fills it), `face` makes curves of N answers and lays them over the face
that the landmarks told, `arkit` translates for a body whose expressions are ARKit actions.
"""
