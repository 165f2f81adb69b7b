"""What a check pretends is gone once it has looked."""

import importlib.metadata

import pytest
import torch
import transformers

from bertbook import runtime
from bertbook.checks.pretend import pretend_device, pretend_version
from bertbook.runtime import device


def here() -> str:
    return device.type


@pytest.mark.parametrize("kind", ["cuda", "cpu"])
def test_another_device_is_pretended_and_given_back(kind: str) -> None:
    before = (torch.cuda.is_available(), runtime.device, here())
    with pretend_device(here, kind):
        assert torch.cuda.is_available() == (kind == "cuda")
        assert runtime.device.type == here() == kind
    assert before == (torch.cuda.is_available(), runtime.device, here())


@pytest.mark.parametrize("library", [torch, transformers])
def test_another_version_is_pretended_and_given_back(library) -> None:
    before = library.__version__
    with pretend_version(library, "97.5.3"):
        assert library.__version__ == "97.5.3"
        assert importlib.metadata.version(library.__name__) == "97.5.3"
        assert importlib.metadata.version("numpy") != "97.5.3"
    assert library.__version__ == before
    assert importlib.metadata.version(library.__name__) != "97.5.3"
