"""Every data source at both scales: real text and a real encoder.

At small scale all data come from pip packages, which are read as files and
never imported. Nothing here opens a socket then. At full scale the Hugging
Face Hub serves the data, or a local folder of the same layout.

This is the only part that knows the packages. To add one: an entry in
`SOURCES`, a line in requirements-data.txt, and a loader whose docstring
states source, licence, size and citation.
"""

from bertbook.corpora.encoders import (
    Attention,
    encoder,
    hub_folder,
    minilm,
)
from bertbook.corpora.sources import (
    SOURCES,
    DataError,
    HubUnreachable,
    MissingData,
    Source,
    require,
)
from bertbook.corpora.texts import (
    Address,
    sotu,
    sotu_sentences,
    split_sentences,
)
from bertbook.corpora.verses import (
    Pair,
    Splits,
    Verse,
    split_by_chapter,
    translation_splits,
    verse_pairs,
)

__all__ = [
    "SOURCES",
    "Address",
    "Attention",
    "DataError",
    "HubUnreachable",
    "MissingData",
    "Pair",
    "Source",
    "Splits",
    "Verse",
    "encoder",
    "hub_folder",
    "minilm",
    "require",
    "sotu",
    "sotu_sentences",
    "split_by_chapter",
    "split_sentences",
    "translation_splits",
    "verse_pairs",
]
