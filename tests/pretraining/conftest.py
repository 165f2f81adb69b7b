"""What the tests of pre-training share."""

import pytest

from bertbook.pretraining.prepare import Prepared
from tests.pretraining import toy


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Return the made-up corpus."""
    return toy.corpus(tmp_path_factory.mktemp("corpus"))
