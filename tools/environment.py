"""Makes `.venv`, installs what a target needs, and runs the target in it."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Literal

from tools import machine
from tools.install import pip_install
from tools.stop import Stop
from tools.torch_choice import constraints_text, installed_torch, torch_notice

ROOT = Path(__file__).resolve().parent.parent
Level = Literal["site", "all"]

REQUIREMENTS = {
    "site": ("requirements-site.txt",),
    "all": ("requirements-site.txt", "requirements.txt"),
}
DATA = "requirements-data.txt"
CONSTRAINTS = "constraints.txt"
SPACE = {"site": 600, "all": 3_000}
"""Megabytes that must be free before an installation begins."""


def folder(root: Path = ROOT) -> Path:
    """Return where the environment stands."""
    return root / ".venv"


def interpreter(root: Path = ROOT) -> Path:
    """Return the environment's Python, whether it is there or not."""
    if os.name == "nt":
        return folder(root) / "Scripts" / "python.exe"
    return folder(root) / "bin" / "python"


def is_inside(root: Path = ROOT) -> bool:
    """Tell whether this process runs in the environment."""
    return Path(sys.prefix).resolve() == folder(root).resolve()


def enter(level: Level) -> None:
    """Make the environment ready and go on inside it.

    Outside, the same command is run again by the environment's Python, and
    this process ends with its status. Inside, the call returns.
    """
    ensure(level)
    if is_inside():
        return
    command = [str(interpreter()), "-m", "tools", *sys.argv[1:]]
    raise SystemExit(subprocess.run(command, cwd=ROOT, check=False).returncode)


def ensure(level: Level, root: Path = ROOT) -> bool:
    """Install what the level needs, unless its stamp says that it stands.

    Returns: whether anything was installed.
    """
    if not works(interpreter(root)):
        create(root)
    make_importable(root)
    stamp = folder(root) / f"bertbook-{level}.stamp"
    wanted = digest(level, root)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return False
    machine.require_space(root, SPACE[level])
    install(level, root)
    stamp.write_text(wanted, encoding="utf-8")
    if level == "all":
        site = folder(root) / "bertbook-site.stamp"
        site.write_text(digest("site", root), encoding="utf-8")
    return True


def works(python: Path) -> bool:
    """Tell whether this interpreter starts and has pip."""
    if not python.exists():
        return False
    try:
        command = [str(python), "-c", "import pip"]
        return not subprocess.run(
            command, capture_output=True, check=False
        ).returncode
    except OSError:
        return False


def create(root: Path) -> None:
    """Make `.venv` anew with this Python."""
    if is_inside(root):
        raise Stop(
            "This .venv has no pip: leave it (`deactivate`), remove the "
            "folder .venv, and run the command again."
        )
    machine.require_venv()
    machine.require_space(root, SPACE["site"])
    print(f"Making {folder(root)} with Python {sys.version.split()[0]}")
    command = [sys.executable, "-m", "venv", "--clear", str(folder(root))]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        words = (made.stdout + made.stderr).strip()
        raise Stop(f"Python could not make .venv: {machine.diagnose(words)}")


def site_packages(root: Path = ROOT) -> Path:
    """Return the folder the environment's packages stand in."""
    for pattern in ("lib/python3*/site-packages", "Lib/site-packages"):
        for found in folder(root).glob(pattern):
            return found
    raise Stop("This .venv is damaged: remove it and run the command again.")


def make_importable(root: Path) -> None:
    """Let every Python of the environment find `bertbook` in the checkout."""
    pointer = site_packages(root) / "bertbook-checkout.pth"
    line = f"{root}\n"
    if not pointer.is_file() or pointer.read_text(encoding="utf-8") != line:
        pointer.write_text(line, encoding="utf-8")


def digest(level: Level, root: Path = ROOT) -> str:
    """Return what a stamp holds: the hash of all that an install reads."""
    summary = hashlib.sha256()
    names = [*REQUIREMENTS[level], CONSTRAINTS]
    if level == "all":
        names.append(DATA)
    for name in names:
        summary.update(name.encode() + b"\0" + (root / name).read_bytes())
    settings = folder(root) / "pyvenv.cfg"
    version = re.search(
        r"^version(?:_info)? *= *(\S+)",
        settings.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    summary.update((version.group(1) if version else "").encode())
    return summary.hexdigest()


def install(level: Level, root: Path) -> None:
    """Call pip for the level's requirements, then for the data packages."""
    text = (root / CONSTRAINTS).read_text(encoding="utf-8")
    if level == "all":
        present = installed_torch(site_packages(root))
        text = constraints_text(text, present)
        print(torch_notice(present, text), flush=True)
    else:
        print("Installing the site's tools (one minute, under 300 MB)")
    constraints = folder(root) / "bertbook-constraints.txt"
    constraints.write_text(text, encoding="utf-8")
    log = folder(root) / "bertbook-pip.log"
    wanted = ["-r", str(root / REQUIREMENTS[level][-1])]
    wanted += ["-c", str(constraints)]
    doing = "site tools" if level == "site" else "everything else"
    pip_install(interpreter(root), wanted, log, doing)
    if level == "all":
        data = ["--no-deps", "--require-hashes", "--only-binary=:all:"]
        data += ["-r", str(root / DATA)]
        pip_install(interpreter(root), data, log, "data packages")
