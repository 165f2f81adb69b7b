"""Let an answer run as if on another device or another version.

A typed-in device or version agrees with the real one by luck. Under a
pretended one it gives itself away.
"""

import contextlib
import importlib.metadata
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import torch

from bertbook import runtime


@contextlib.contextmanager
def pretend_device(answer: Any, kind: str) -> Iterator[None]:
    """Make PyTorch and the book say that they run on another device.

    Args:
        answer: the learner's function; its imported `device` changes too.
        kind: `"cuda"` or `"cpu"`.
    """
    there = kind == "cuda"
    pretended = torch.device(kind)
    names = getattr(answer, "__globals__", {})
    imported = [key for key in names if names[key] is runtime.device]
    returned = {
        "torch.cuda.is_available": there,
        "torch.cuda.device_count": int(there),
        "torch.cuda.get_device_name": "pretended",
        "torch.backends.mps.is_available": False,
        "torch.accelerator.is_available": there,
        "torch.accelerator.current_accelerator": pretended if there else None,
    }
    with contextlib.ExitStack() as stack:
        for target, value in returned.items():
            stack.enter_context(mock.patch(target, return_value=value))
        stack.enter_context(mock.patch.object(runtime, "device", pretended))
        changed = dict.fromkeys(imported, pretended)
        stack.enter_context(mock.patch.dict(names, changed))
        yield


@contextlib.contextmanager
def pretend_version(library: ModuleType, version: str) -> Iterator[None]:
    """Make a library, and the record of its package, say another version.

    >>> with pretend_version(torch, "97.5.3"):
    ...     importlib.metadata.version("torch"), torch.__version__
    ('97.5.3', '97.5.3')
    """
    real = importlib.metadata.distribution

    def distribution(name: str) -> Any:
        if name.lower() == library.__name__:
            return SimpleNamespace(version=version)
        return real(name)

    with contextlib.ExitStack() as stack:
        for place in (library, getattr(library, "version", None)):
            if hasattr(place, "__version__"):
                stack.enter_context(
                    mock.patch.object(place, "__version__", version)
                )
        stack.enter_context(
            mock.patch("importlib.metadata.distribution", distribution)
        )
        yield
