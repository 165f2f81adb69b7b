"""Every data source at both scales: real text and a real encoder.

At small scale all data come from pip packages, which are read as files and
never imported. Nothing here opens a socket then. At full scale the Hugging
Face Hub serves the data, or a local folder of the same layout.

This is the only part that knows the packages. To add one: an entry in
`SOURCES`, a line in requirements-data.txt, and a loader whose docstring
states source, licence, size and citation.
"""

from bertbook.corpora.documents import (
    HELD_OUT_EVERY,
    Corpus,
    book_corpus,
    hold_out,
    wikipedia_stream,
)
from bertbook.corpora.encoders import (
    Attention,
    encoder,
    hub_folder,
    minilm,
)
from bertbook.corpora.library import (
    Document,
    shakespeare,
    wikipedia_sample,
)
from bertbook.corpora.reviews import (
    Review,
    ReviewSplits,
    review_sentences,
    sentiment_splits,
    split_by_text,
)
from bertbook.corpora.sources import (
    SOURCES,
    DataError,
    HubUnreachable,
    MissingData,
    Source,
    require,
    sha256_of,
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
    "HELD_OUT_EVERY",
    "SOURCES",
    "Address",
    "Attention",
    "Corpus",
    "DataError",
    "Document",
    "HubUnreachable",
    "MissingData",
    "Pair",
    "Review",
    "ReviewSplits",
    "Source",
    "Splits",
    "Verse",
    "book_corpus",
    "encoder",
    "hold_out",
    "hub_folder",
    "minilm",
    "require",
    "review_sentences",
    "sentiment_splits",
    "sha256_of",
    "shakespeare",
    "sotu",
    "sotu_sentences",
    "split_by_chapter",
    "split_by_text",
    "split_sentences",
    "translation_splits",
    "verse_pairs",
    "wikipedia_sample",
    "wikipedia_stream",
]
