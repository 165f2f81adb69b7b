"""Which PyTorch `make test` uses: the one that is there, or the pinned one."""

import re
from pathlib import Path

ACCEPTED = re.compile(r"2\.(11|12|13)\.\d+(\+[\w.]+)?")
PARTS = ("torch==", "triton==", "nvidia-", "cuda-")
"""How the pins begin that belong to one build of torch."""


def installed_torch(site_packages: Path) -> str:
    """Return the version of torch in this folder; empty when there is none."""
    for found in sorted(site_packages.glob("torch-*.dist-info")):
        return found.name.removeprefix("torch-").removesuffix(".dist-info")
    return ""


def constraints_text(constraints: str, present: str) -> str:
    r"""Return the constraints under which an accepted torch stays as it is.

    >>> constraints_text("six==1.0\ntorch==2.13.0\n", "2.11.0+cu128")
    'six==1.0\ntorch==2.11.0+cu128\n'
    >>> constraints_text("torch==2.13.0\n", "2.9.1")
    'torch==2.13.0\n'
    """
    if not ACCEPTED.fullmatch(present):
        return constraints
    kept = [
        line for line in constraints.splitlines() if not line.startswith(PARTS)
    ]
    return "\n".join([*kept, f"torch=={present}"]) + "\n"


def torch_notice(present: str, constraints: str) -> str:
    """Say before the installation what it brings, and how large it is."""
    if ACCEPTED.fullmatch(present):
        return (
            f"Installing the rest beside PyTorch {present}, which stays "
            f"(at most 450 MB to download, 1.5 GB on disk)"
        )
    pinned = re.search(r"^torch==(\S+)", constraints, re.MULTILINE)
    version = pinned.group(1) if pinned else "2.13"
    old = f" in place of {present}, too old or too new" if present else ""
    return (
        f"Installing the rest, with PyTorch {version}{old}: about 650 MB to "
        f"download and 2.5 GB on disk with a CPU build. On Linux the default "
        f"index serves the GPU build, some 3 GB more; to avoid that, put a "
        f"CPU build of torch 2.11 to 2.13 into .venv first (pytorch.org): "
        f"it is kept."
    )
