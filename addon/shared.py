# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that the add-on shares with the backend: `motion`, `axes`, `protocol`, `errors`.

In the extension's zip they lie in the sub-package `smplit` (copied there by tools/build_extension.py,
unchanged: they import each other relatively, so they work below any package name). In a source
checkout the same sub-package is loaded from `backend/smplit`. Either way they live under this
add-on's own name, `sys.path` stays as it was, and another `smplit` in Blender's Python cannot get in
the way.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

_NAME = f"{__package__}.smplit"


def _load_from_checkout() -> None:
    folder = Path(__file__).resolve().parents[1] / "backend" / "smplit"
    spec = importlib.util.spec_from_file_location(_NAME, folder / "__init__.py", submodule_search_locations=[str(folder)])
    package = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = package
    spec.loader.exec_module(package)


if _NAME not in sys.modules and importlib.util.find_spec(_NAME) is None:
    _load_from_checkout()

axes = importlib.import_module(f"{_NAME}.axes")
errors = importlib.import_module(f"{_NAME}.errors")
motion = importlib.import_module(f"{_NAME}.motion")
protocol = importlib.import_module(f"{_NAME}.protocol")
VERSION: str = sys.modules[_NAME].__version__
