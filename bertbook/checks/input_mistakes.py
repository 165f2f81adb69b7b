"""What the usual mistakes of chapter 09 make, with what to say."""

from typing import Any, NamedTuple

from bertbook.checks.report import Wrong

VOCABULARY = {
    token: row
    for row, token in {
        100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 1012: ".", 1037: "a",
        1045: "i", 2002: "he", 2003: "is", 2026: "my", 2075: "##ing",
        2103: "city", 2293: "love", 2377: "play", 3000: "paris",
        3376: "beautiful", 3899: "dog", 7777: "likes", 10140: "cute",
    }.items()
}  # fmt: skip
UNITS = {"GB": 10**9, "GiB": 2**30}


class Sizes(NamedTuple):
    """The sizes of a BERT that its number of parameters depends on."""

    vocab: int
    layers: int
    h: int
    d_ff: int
    pooler: bool

    def layer(self) -> int:
        """Count one layer: attention, feed-forward network, two norms."""
        h, d_ff = self.h, self.d_ff
        return 4 * (h * h + h) + (h * d_ff + d_ff) + (d_ff * h + h) + 4 * h

    def counted(self) -> int:
        """Count in the plainest way."""
        h = self.h
        tables = (self.vocab + 512 + 2) * h + 2 * h
        return tables + self.layers * self.layer() + self.pooler * (h * h + h)


def count_slips(sizes: Sizes) -> dict[str, int]:
    """Return what the usual mistakes count, with what to say."""
    vocab, layers, h, d_ff, pooler = sizes
    right, layer = sizes.counted(), sizes.layer()
    rule = (
        "biases and norms are missing in the layers: 12 H² per layer is a"
        " rule of thumb, for d_ff = 4 H. Each matrix has a bias, each norm a"
        " scale and a shift."
    )
    slips = {
        rule: -(9 * h + d_ff) * layers,
        "the biases of the layers are missing, 5 H + d_ff in each.": (
            -(5 * h + d_ff) * layers
        ),
        "that is the count for d_ff = 4 H: the feed-forward network is d_ff"
        " wide inside.": (2 * h + 1) * (4 * h - d_ff) * layers,
        "the feed-forward network has two matrices, H × d_ff and d_ff × H:"
        " one is missing.": -h * d_ff * layers,
        "the two biases of the feed-forward network have different lengths,"
        " d_ff and H.": (h - d_ff) * layers,
        "the norms of the layers are missing, two in each.": -4 * h * layers,
        "one norm is missing in each layer.": -2 * h * layers,
        "2 H are missing, as many as two segments have, and as many as the"
        " norm after the embeddings: which of them did you leave out?": -2 * h,
        "the positions are missing, 512 rows.": -512 * h,
        "the word table is missing.": -vocab * h,
        "one layer is missing.": -layer,
        "one layer is counted too many.": layer,
    }
    slips |= _pooler_slips(h, given=pooler)
    return {message: right + change for message, change in slips.items()}


def _pooler_slips(h: int, *, given: bool) -> dict[str, int]:
    """Return by how much a count is wrong that mistakes the pooler."""
    if not given:
        return {"pooler=False, and the pooler is counted.": h * (h + 1)}
    return {
        "pooler=True, and the pooler is missing: H² + H.": -h * (h + 1),
        "the pooler's bias is missing.": -h,
    }


def hold_ids(where: str, given: list[Any], expected: list[int]) -> None:
    """Say what is wrong with the token ids."""
    if given == expected:
        return
    if any(isinstance(each, str) for each in given):
        raise Wrong(f"{where}, look the tokens up: the row holds ids.")
    cls, sep, stop = (VOCABULARY[t] for t in ("[CLS]", "[SEP]", "."))
    if given.count(stop) != expected.count(stop):
        raise Wrong(
            f"{where}, you write {given.count(stop)} full stops (id {stop})"
            f" and should write {expected.count(stop)}: [SEP] and the full"
            " stop are two tokens. Keep every full stop, and put [SEP] behind"
            " it."
        )
    if given[:1] != [cls]:
        raise Wrong(f"{where}, the row should start with [CLS], id {cls}.")
    if given.count(sep) != expected.count(sep):
        raise Wrong(
            f"{where}, you write {given.count(sep)} [SEP] (id {sep}) and"
            f" should write {expected.count(sep)}: one ends each text there"
            " is."
        )
    if len(given) != len(expected):
        raise Wrong(
            f"{where}, the row has {len(given)} ids and should have"
            f" {len(expected)}."
        )
    raise Wrong(f"{where}, the ids are {expected}, and you write {given}.")


def hold_segments(where: str, given: list[Any], expected: list[int]) -> None:
    """Say what is wrong with the segment ids."""
    if given == expected:
        return
    if len(given) != len(expected):
        raise Wrong(
            f"{where}, there are {len(given)} segment ids for"
            f" {len(expected)} tokens: special tokens have one too."
        )
    if 1 not in expected:
        raise Wrong(f"{where}, there is one text: all its segment ids are 0.")
    place = expected.index(1) - 1
    if given == [*expected[:place], 1, *expected[place + 1 :]]:
        raise Wrong(
            f"{where}, the first [SEP], at position {place}, has segment 1: it"
            " ends text A and belongs to it."
        )
    first = next(
        i
        for i, (a, b) in enumerate(zip(given, expected, strict=True))
        if a != b
    )
    raise Wrong(
        f"{where}, the segment at position {first} is {given[first]} and"
        f" should be {expected[first]}: 0 up to the first [SEP] with it, 1"
        " from there to the end."
    )


def hold_positions(where: str, given: list[Any], expected: list[int]) -> None:
    """Say what is wrong with the position ids."""
    if given == expected:
        return
    count = len(expected)
    if given == [place + 1 for place in expected]:
        raise Wrong(
            f"{where}, the positions are {given[0]} to {given[-1]}: the first"
            " row of the position table is 0."
        )
    if len(given) != count:
        raise Wrong(
            f"{where}, there are {len(given)} positions for {count} tokens:"
            " special tokens have a position too, the first one 0."
        )
    if 0 in given[1:]:
        raise Wrong(
            f"{where}, the positions start again: they run once through both"
            " texts."
        )
    raise Wrong(f"{where}, the positions are 0 to {count - 1}, one by one.")


def size_slips(right: float, unit: str, each: int) -> dict[str, float]:
    """Return what the usual mistakes make of a size, with what to say."""
    other = "GiB" if unit == "GB" else "GB"
    return {
        f", but that is the number of {other}: a GB is 10⁹ bytes, a GiB 2³⁰."
        " Name the one you mean.": right * UNITS[unit] / UNITS[other],
        ": those are bits, 8 of them make a byte.": right * 8,
        f": a parameter takes {each} bytes here, not twice that.": right * 2,
        f": a parameter takes {each} bytes here, not half of that.": right / 2,
        ": a parameter takes more than one byte.": right / each,
        ": that is the number of bytes.": right * UNITS[unit],
        ": do not round.": round(right, 3),
    }
