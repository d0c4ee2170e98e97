# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backend is used, and its set-up: the card in the preferences and in the sidebar."""

from __future__ import annotations

import threading
from pathlib import Path

import bpy

from .bridge import install
from .bridge.process import Launch
from .shared import VERSION, errors

_CHECKED: dict[str, tuple[str | None, str]] = {}  # interpreter -> what check_python said
_ADVICE = "Set up the backend, or choose a Python that has SMPLit, in Preferences > Add-ons > SMPLit."


def _check_chosen_python(preferences, _context) -> None:
    path = bpy.path.abspath(preferences.python) if preferences.python else ""
    if path:
        _CHECKED.pop(path, None)
        threading.Thread(target=lambda: _CHECKED.__setitem__(path, install.check_python(Path(path))), name="smplit-check", daemon=True).start()


class SmplitPreferences(bpy.types.AddonPreferences):
    bl_idname = __package__

    source: bpy.props.EnumProperty(
        name="Backend",
        description="The program beside Blender that looks at the videos",
        items=(
            ("OWN", "Set Up Here", "An environment of its own below Blender's user folder, made by the Set Up button"),
            ("PYTHON", "Use This Python", "A Python on this computer that has SMPLit installed"),
            ("RUNNING", "Already Running", "A backend that you started yourself with 'smplit serve'"),
        ),
    )
    python: bpy.props.StringProperty(
        name="Python", subtype="FILE_PATH", update=_check_chosen_python,
        description="The python executable of an environment that has SMPLit installed",
    )
    connection_file: bpy.props.StringProperty(
        name="Connection File", subtype="FILE_PATH",
        description="The file that 'smplit serve --connection-file FILE' wrote",
    )
    device: bpy.props.EnumProperty(
        name="Compute On",
        description="Where captures are computed; takes effect when the backend starts",
        items=(
            ("auto", "Automatic", "The graphics card when it can be used, else the processor"),
            ("cpu", "Processor", "Works everywhere"),
            ("cuda", "NVIDIA", "An NVIDIA graphics card"),
            ("mps", "Apple", "The graphics part of an Apple processor"),
        ),
    )
    packages: bpy.props.StringProperty(
        name="Packages From", subtype="DIR_PATH",
        description="A folder with the downloaded packages, for computers without network. Empty: download them",
    )
    shown_model: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})  # whose steps are unfolded in the table

    def draw(self, _context) -> None:
        from .models_table import draw_models
        from .panels import draw_preferences

        draw_preferences(self.layout, self)
        draw_models(self.layout, self)


def get() -> SmplitPreferences | None:
    """The add-on's preferences; None when it was registered without being enabled (source checkouts)."""
    entry = bpy.context.preferences.addons.get(__package__)
    return entry.preferences if entry else None


def user_folder() -> Path:
    """Where the add-on may write: below Blender's user folder."""
    if __package__.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(__package__, create=True))
    return Path(bpy.utils.user_resource("DATAFILES", path="smplit", create=True))


def bundled(pattern: str) -> Path | None:
    """A file of the zip's `backend` folder, or None (a source checkout has none)."""
    return next(iter(sorted((Path(__file__).parent / "backend").glob(pattern))), None)


def installed_version() -> str | None:
    """The version of the backend that Set Up installed."""
    return install.installed_version(user_folder())


def recipe() -> install.Recipe:
    """What Set Up would do.

    Raises:
        BadInput: the zip carries no backend, or the network may not be used.
    """
    import sys

    wheel, lock = bundled("smplit-*.whl"), bundled("requirements.lock")
    if wheel is None or lock is None:
        raise errors.BadInput("This build of the extension carries no backend.", "Choose 'Use This Python' instead.", "no_bundle")
    packages = bpy.path.abspath(get().packages) if get() and get().packages else ""
    if not packages and not bpy.app.online_access:
        raise errors.BadInput(
            "Blender is set to stay offline.",
            "Turn on Preferences > System > Network > Allow Online Access, or choose a folder under 'Packages From'.", "offline",
        )
    if packages and not Path(packages).is_dir():
        raise errors.BadInput(f"'{packages}' is not a folder.", "Choose the folder that holds the packages, or leave it empty.", "no_such_folder")
    return install.Recipe(Path(sys.executable), user_folder(), wheel, lock, VERSION, Path(packages) if packages else None)


def setup_problem() -> errors.SmplitError | None:
    """Why Set Up cannot be pressed now."""
    try:
        recipe()
    except errors.SmplitError as error:
        return error
    return None


def missing_backend() -> str:
    """Why no backend can be started, or an empty string. Cheap: panels and polls call it."""
    chosen = get()
    if chosen is None:
        return "Enable the SMPLit add-on in the preferences."
    if chosen.source == "PYTHON":
        path = bpy.path.abspath(chosen.python) if chosen.python else ""
        return (_CHECKED.get(path, (None, ""))[1] if path else "") or ("" if path else "Choose the Python that has SMPLit, in the preferences.")
    if chosen.source == "RUNNING":
        return "" if chosen.connection_file else "Choose the connection file of the running backend, in the preferences."
    version = installed_version()
    if version and version != VERSION:
        return f"The backend is SMPLit {version}, the add-on {VERSION}: press Set Up to update it."
    return "" if version else _ADVICE


class NeedsBackend:
    """Operators that are grey, and say why, while no backend can be started."""

    @classmethod
    def poll(cls, _context) -> bool:
        if problem := missing_backend():
            cls.poll_message_set(problem)
        return not problem


def python_state() -> tuple[str | None, str]:
    """What is known of the chosen Python: (version or None, problem; '' while it is being looked at)."""
    chosen = get()
    return _CHECKED.get(bpy.path.abspath(chosen.python) if chosen and chosen.python else "", (None, ""))


def python() -> Path:
    """The Python that has SMPLit, for commands.

    Raises:
        BadInput: there is none, or it is not known here.
    """
    if problem := missing_backend():
        raise errors.BadInput("There is no backend yet." if problem == _ADVICE else problem, _ADVICE if problem == _ADVICE else "", "no_backend")
    chosen = get()
    if chosen.source == "RUNNING":
        problem = "This needs the backend's Python, which a backend started by hand does not name."
        raise errors.BadInput(problem, "Choose 'Use This Python' in the preferences.", "no_python")
    path = install.environment_python(user_folder() / "environment") if chosen.source == "OWN" else Path(bpy.path.abspath(chosen.python))
    if not path.is_file():
        raise errors.BadInput(f"'{path}' is not a file.", "Choose the python executable of an environment that has SMPLit.", "no_such_file")
    return path


def target() -> Launch | Path:
    """The backend to start, or the connection file of the one that runs.

    Raises:
        BadInput: none is set up, or the chosen file is not there.
    """
    chosen = get()
    if chosen is not None and chosen.source == "RUNNING" and not missing_backend():
        return Path(bpy.path.abspath(chosen.connection_file))
    return Launch(python(), user_folder(), chosen.device if chosen is not None else "auto")


def register() -> None:
    bpy.utils.register_class(SmplitPreferences)


def unregister() -> None:
    bpy.utils.unregister_class(SmplitPreferences)
    _CHECKED.clear()
