"""Make the site's Sphinx extension importable."""

import sys

from tools.site import ROOT

sys.path.append(str(ROOT / "book" / "extensions"))
