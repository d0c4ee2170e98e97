# SPDX-License-Identifier: GPL-3.0-or-later
"""Both hands of a person from pictures: the published ACR (Yu et al. 2023, CVPR), written from its specification."""
