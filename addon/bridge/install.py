# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets the backend up: an environment of its own, made with Blender's Python, below the user folder.

No bpy, no administrator rights. It runs in a thread, every step is a child process that can be
ended; a set-up that was interrupted goes on where it was, because pip keeps what is installed.
The marker file is written last: without it the environment does not count.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from .process import clean_environment, hidden_window, log_tail

PYTORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
_MARKER = "smplit-version.txt"
_RAW_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_COLLECTING = re.compile(r"(?:Collecting|Requirement already satisfied:) (\S+)")
_FILE = re.compile(r"(?:Downloading|Using cached|Processing) (\S+)(?: \(([^)]+)\))?")
# Failures that a user can do something about: what pip writes -> remedy.
_REMEDIES = (
    (r"No space left|Errno 28", "Free about 3 GB on the disk and press Retry."),
    (r"NewConnectionError|Temporary failure in name resolution|Name or service not known|getaddrinfo|ConnectTimeout|ReadTimeout",
     "Check the network connection and press Retry; what was downloaded is kept."),
    (r"CERTIFICATE_VERIFY_FAILED|SSLError", "Set the environment variable PIP_CERT to your company's certificate and start Blender again."),
    (r"Could not find a version|No matching distribution", "Choose an existing Python with SMPLit installed instead, see the log for the package."),
    (r"ensurepip|No module named venv", "Blender's Python cannot make environments here (on Debian: install python3-venv), "
                                        "or choose an existing Python with SMPLit installed."),
    (r"Permission denied|Errno 13", "Make the folder writable for your user and press Retry."),
)


@dataclass(frozen=True)
class Recipe:
    """What to install: `wheel` is the backend's own, `lock` its exact dependencies, `version` what that makes.

    `packages`, when given, is a folder of downloaded wheels that is used instead of the network.
    """

    python: Path
    folder: Path
    wheel: Path
    lock: Path
    version: str
    packages: Path | None = None

    @property
    def environment(self) -> Path:
        return self.folder / "environment"

    @property
    def log(self) -> Path:
        return self.folder / "setup.log"


def environment_python(environment: Path) -> Path:
    """The interpreter of an environment."""
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def installed_version(folder: Path) -> str | None:
    """The backend version of a finished set-up in `folder`, else None."""
    marker = folder / "environment" / _MARKER
    if not environment_python(marker.parent).exists():
        return None
    try:
        return marker.read_text("utf-8").strip()
    except OSError:
        return None


def pins_of(lock: Path) -> list[str]:
    """The requirements of a lock, `name==version`, without comments."""
    try:
        lines = lock.read_text("utf-8").splitlines()
    except OSError:
        return []
    return [pin for line in lines if (pin := line.split("#")[0].strip())]


def torch_attempts(pin: str, packages: Path | None, cpu_only: bool) -> list[list[str | Path]]:
    """Arguments of `pip install` that bring torch, in the order to be tried.

    The registry's build for Linux drags in gigabytes of CUDA: where there is no NVIDIA card, the CPU
    build is taken, from the configured sources if they hold it, else from PyTorch's own index.
    `--no-deps`, because the lock names all that it needs.
    """
    if packages is not None:
        return [["--no-deps", "--no-index", "--find-links", packages, pin]]
    if cpu_only:
        return [["--no-deps", f"{pin}+cpu"], ["--no-deps", "--index-url", PYTORCH_CPU_INDEX, pin]]
    return [[pin]]


def wants_cpu_build() -> bool:
    """Whether the registry's torch would be the wrong one: Linux without an NVIDIA card."""
    return sys.platform == "linux" and shutil.which("nvidia-smi") is None


class SetupFailed(Exception):
    """A step failed; the message is one line."""


class Installer:
    """One run of the set-up. `state` is running, done, failed or cancelled; read it from any thread."""

    def __init__(self, recipe: Recipe):
        self.recipe = recipe
        self.state = "running"
        self.fraction = 0.0
        self.text = "Preparing"
        self.problem = self.remedy = ""
        self.began = time.monotonic()
        self._child: subprocess.Popen | None = None
        self._cancel = threading.Event()
        self._lock = threading.Lock()
        self._pins = pins_of(recipe.lock)
        self._seen: set[str] = set()
        self._file = "package"
        self._thread = threading.Thread(target=self._run, name="smplit-setup", daemon=True)
        self._thread.start()

    def join(self, timeout: float | None = None) -> None:
        """Waits for the end (background scripts only)."""
        self._thread.join(timeout)

    def cancel(self) -> None:
        """Ends the step that runs; returns when the thread is gone."""
        self._cancel.set()
        with self._lock:
            if self._child is not None:
                self._child.terminate()
        self._thread.join(10.0)

    def details(self) -> str:
        """State and the log's end, for the clipboard."""
        log = self.recipe.log
        return "\n".join([f"SMPLit set-up: {self.state}, {self.text}", self.problem, self.remedy, f"Log: {log}", log_tail(log)])

    def _run(self) -> None:
        try:
            self.recipe.folder.mkdir(parents=True, exist_ok=True)
            with self.recipe.log.open("w", encoding="utf-8") as log:
                self._install(log)
            self.state, self.fraction, self.text = "done", 1.0, "Ready"
        except (SetupFailed, OSError) as error:
            self.state = "cancelled" if self._cancel.is_set() else "failed"
            self.problem = "Set-up was stopped." if self._cancel.is_set() else f"Set-up failed: {error}"
            self.remedy = "Press Set Up to go on." if self._cancel.is_set() else self._find_remedy(str(error))

    def _install(self, log) -> None:
        environment, recipe = self.recipe.environment, self.recipe
        python = environment_python(environment)
        (environment / _MARKER).unlink(missing_ok=True)
        if not self._works(python):
            self._step(0.0, 0.04, "Making the environment", [recipe.python, "-m", "venv", "--clear", environment], log)
        source = ["--no-index", "--find-links", recipe.packages] if recipe.packages else []
        pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
        # The pip that comes with Python 3.11 cannot tell how far a download is; a newer one is nice to have.
        self._step(0.04, 0.06, "Preparing the installer", [*pip, "install", *source, "pip>=24.2"], log, needed=False)
        install = [*pip, "install", "--progress-bar", "raw" if self._pip_tells_progress(python) else "off"]
        self._install_torch(install, log)
        rest = environment / "locked.txt"
        rest.write_text("\n".join(pin for pin in self._pins if not pin.startswith("torch==")), "utf-8")
        self._step(0.5, 0.95, "Getting packages", [*install, *source, "--no-deps", "--prefer-binary", "-r", rest], log)
        self._step(0.95, 0.98, "Installing SMPLit", [*pip, "install", "--no-deps", "--force-reinstall", recipe.wheel], log)
        check = "import smplit, torch, cv2, av, onnxruntime, zmq, smplx; print(smplit.__version__)"
        self._step(0.98, 1.0, "Checking", [python, "-I", "-c", check], log)
        (environment / _MARKER).write_text(recipe.version, "utf-8")

    def _install_torch(self, install: list, log) -> None:
        pin = next((pin for pin in self._pins if pin.startswith("torch==")), None)
        if pin is None:
            return
        attempts = torch_attempts(pin, self.recipe.packages, wants_cpu_build())
        for arguments in attempts:
            last = arguments is attempts[-1]
            if self._step(0.06, 0.5, "Getting PyTorch", [*install, *arguments], log, needed=last):
                return

    def _step(self, start: float, end: float, text: str, command: list, log, needed: bool = True) -> bool:
        """Runs a command; False when it failed but was not needed.

        Raises:
            SetupFailed: it failed, or the set-up was stopped.
        """
        self.text, self.fraction = text, start
        log.write(f"--- {time.strftime('%H:%M:%S')} {text}: {' '.join(map(str, command))}\n")
        log.flush()
        with self._lock:
            if self._cancel.is_set():
                raise SetupFailed("stopped")
            self._child = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                env=clean_environment(), cwd=self.recipe.folder, text=True, encoding="utf-8", errors="replace", **hidden_window(),
            )
        last = ""
        for line in self._child.stdout:
            if not self._follow(line, text, start, end):
                log.write(line)
                log.flush()
                last = line.strip() or last
        code = self._child.wait()
        with self._lock:
            self._child = None
        if self._cancel.is_set():
            raise SetupFailed("stopped")
        if code and needed:
            raise SetupFailed(f"{text.lower()}: {last[:200] or f'exit code {code}'}")
        self.fraction = end
        return not code

    def _follow(self, line: str, text: str, start: float, end: float) -> bool:
        """Moves the progress on by a line of pip; True when the line is not worth logging."""
        share = (end - start) / max(1, len(self._pins))
        if match := _RAW_PROGRESS.search(line):
            done, total = int(match[1]), max(1, int(match[2]))
            base = start + share * max(0, len(self._seen) - 1)
            self.fraction = max(self.fraction, min(base + share * done / total, end))
            if total > 1_000_000:
                self.text = f"{text.partition(':')[0]}: {self._file} {done / 1e6:.0f} of {total / 1e6:.0f} MB"
            return True
        if match := _COLLECTING.search(line):
            self._seen.add(match[1])
            self.fraction = max(self.fraction, min(start + share * len(self._seen), end))
        elif match := _FILE.search(line):
            self._file = Path(match[1]).name.split("-")[0]
            self.text = f"{text}: {self._file} {match[2] or ''}".rstrip()
        elif line.startswith("Installing collected packages"):
            self.text, self.fraction = "Unpacking (a minute or two)", max(self.fraction, end - 0.1 * (end - start))
        return False

    @staticmethod
    def _works(python: Path) -> bool:
        if not python.exists():
            return False
        check = subprocess.run(
            [str(python), "-I", "-c", "import pip"], capture_output=True, env=clean_environment(), timeout=60, check=False, **hidden_window(),
        )
        return check.returncode == 0

    @staticmethod
    def _pip_tells_progress(python: Path) -> bool:
        check = subprocess.run(
            [str(python), "-I", "-c", "import pip; print(tuple(map(int, pip.__version__.split('.')[:2])) >= (24, 1))"],
            capture_output=True, text=True, env=clean_environment(), timeout=60, check=False, **hidden_window(),
        )
        return check.stdout.strip() == "True"

    def _find_remedy(self, error: str) -> str:
        text = error + log_tail(self.recipe.log, 60)
        remedy = next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, text)), "Press Retry, or copy the details for a report.")
        return f"{remedy} Log: {self.recipe.log}"


def check_python(python: Path) -> tuple[str | None, str]:
    """Asks an interpreter for its SMPLit.

    Returns:
        (version, "") or (None, why it cannot be used). May take seconds: call it in a thread.
    """
    if not python.is_file() and shutil.which(str(python)) is None:
        return None, f"'{python}' is not a file. Choose the python executable of an environment with SMPLit installed."
    try:
        run = subprocess.run(
            [str(python), "-P", "-c", "import smplit; print(smplit.__version__)"], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, env=clean_environment(), timeout=30, check=False, **hidden_window(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"'{python}' cannot be run ({error})."
    if run.returncode:
        return None, f"'{python}' has no SMPLit. Install it there: {python} -m pip install smplit-...whl (the wheel lies in the extension's folder)."
    return run.stdout.strip(), ""
