"""Check every shape the library's signatures state, in every test."""

import os

from jaxtyping import install_import_hook

os.environ["BERTBOOK_STRICT"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

install_import_hook("bertbook", "beartype.beartype")
