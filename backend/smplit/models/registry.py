# SPDX-License-Identifier: GPL-3.0-or-later
"""Every model file SMPLit can use, by its fixed name: the estimators ask for them with `models.find("hmr2a")`."""

from __future__ import annotations

from smplit.models.entry import ModelFile
from smplit.models.published import PUBLISHED
from smplit.models.shipped import SHIPPED

MODELS: dict[str, ModelFile] = {entry.name: entry for entry in (*SHIPPED, *PUBLISHED)}
