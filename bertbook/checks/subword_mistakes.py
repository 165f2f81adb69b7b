"""Cut and merge as chapter 04's checks do, and name learners' mistakes."""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence

UNK = ["[UNK]"]
Pair = tuple[str, str]
Join = Callable[[Sequence[str], Pair], Sequence[str]]


def longest(word: str, known: set[str]) -> list[str]:
    """Cut by longest match, recursively: the checks' own reference."""
    if word in ("", "##"):
        return []
    mark = 2 if word.startswith("##") else 0
    for end in range(len(word), mark, -1):
        if word[:end] in known:
            rest = longest("##" + word[end:], known)
            return UNK if rest == UNK else [word[:end], *rest]
    return UNK


def shortest(word: str, known: set[str]) -> list[str]:
    """Cut by shortest match: the mistake to name."""
    pieces, start = [], 0
    while start < len(word):
        prefix = "##" if start else ""
        ends = range(start + 1, len(word) + 1)
        fits = [end for end in ends if prefix + word[start:end] in known]
        if not fits:
            return UNK
        pieces.append(prefix + word[start : fits[0]])
        start = fits[0]
    return pieces


def name_cut(
    word: str, given: list[str], right: list[str], known: set[str]
) -> str:
    """Say which rule a cut breaks."""
    if given != UNK and given == shortest(word, known):
        return (
            "that is the shortest match at each place. Try the longest first."
        )
    if given and "".join(given) == "".join(
        p[2 * (i > 0) :] for i, p in enumerate(right)
    ):
        return "a piece that goes on inside a word needs its ## in front."
    if "[UNK]" in given and given != UNK:
        return (
            "[UNK] stands for one piece. If any part of a word is unknown,"
            " the whole word is one [UNK]."
        )
    if right == UNK and _is_cut_of(word, given, known):
        return (
            "the word can be cut so, but not by this rule. It takes the"
            " longest piece and never takes that back: where nothing goes on,"
            " the whole word is [UNK]."
        )
    if right == UNK:
        return "a part of the word is not in the vocabulary, and is lost."
    if given == UNK:
        return (
            "its parts are all in the vocabulary. Look up the pieces after"
            " the first one with ## in front."
        )
    return _name_difference(given, right, known)


def _is_cut_of(word: str, pieces: list[str], known: set[str]) -> bool:
    """Tell whether known pieces spell the word."""
    spelled = "".join(p[2 * (i > 0) :] for i, p in enumerate(pieces))
    return spelled == word and known.issuperset(pieces)


def _name_difference(
    given: list[str], right: list[str], known: set[str]
) -> str:
    """Say where two cuts part."""
    unknown = [piece for piece in given if piece not in known]
    if unknown:
        return f"{unknown[0]!r} is not in the vocabulary."
    pairs = itertools.zip_longest(given, right, fillvalue="")
    one, other = next(pair for pair in pairs if pair[0] != pair[1])
    if one and len(one) < len(other):
        return f"at {one!r} a longer piece fits. Try the longest first."
    return f"the first difference is at {one!r}: follow the rule from there."


def merges_of(words: Sequence[Sequence[str]], count: int) -> list[Pair] | None:
    """Train on lists of pieces; None where two pairs tie, or none is left."""
    merges = []
    for _ in range(count):
        pairs = Counter(p for w in words for p in itertools.pairwise(w))
        top = pairs.most_common(2)
        if len(top) < 2 or top[0][1] == top[1][1]:
            return None
        merges.append(top[0][0])
        words = [joined(word, top[0][0]) for word in words]
    return merges


def joined(word: Sequence[str], pair: tuple[str, str]) -> list[str]:
    """Join the pair, from the left."""
    if len(word) < 2:
        return list(word)
    if (word[0], word[1]) == pair:
        return [word[0] + word[1], *joined(word[2:], pair)]
    return [word[0], *joined(word[1:], pair)]


def _joined_from_the_right(word: Sequence[str], pair: Pair) -> Sequence[str]:
    """Join the pair from the wrong end: a mistake to name."""
    if len(word) < 2:
        return list(word)
    if (word[-2], word[-1]) == pair:
        return [*_joined_from_the_right(word[:-2], pair), "".join(pair)]
    return [*_joined_from_the_right(word[:-1], pair), word[-1]]


def _joined_in_text(word: Sequence[str], pair: Pair) -> Sequence[str]:
    """Join by replacing text, ends of pieces too: a mistake to name."""
    return " ".join(word).replace(" ".join(pair), "".join(pair)).split()


_ACROSS = (
    "It leads if pairs reach from one word into the next: count inside words"
    " only."
)
_IN_TEXT = (
    "It leads if a merge also takes the end of a longer piece. Join whole"
    " pieces only."
)
_FROM_THE_RIGHT = "It leads if words are read backwards: join from the left."
_TYPES = (
    "It leads if every word counts once. Count tokens, not types: a word that"
    " stands in the text five times counts five times."
)


def name_merges(given: list[Pair], right: list[Pair], text: str) -> str:
    """Try the mistakes that are known, one after another."""
    if len(given) != len(right):
        return f"you return {len(given)} pairs."
    if any(" " in "".join(pair) for pair in given):
        return "a merge holds a blank: pairs never reach across words."
    place = next(i for i, p in enumerate(given) if p != right[i])
    here = f"at merge {place + 1} you take {given[place]}. "
    words = [[*word] for word in text.split()]
    types = [[*word] for word in set(text.split())]
    across = [list(itertools.chain.from_iterable(words))]
    readings: tuple[tuple[Sequence[Sequence[str]], Join, str], ...] = (
        (across, joined, _ACROSS),
        (words, _joined_in_text, _IN_TEXT),
        (words, _joined_from_the_right, _FROM_THE_RIGHT),
        (types, joined, _TYPES),
    )
    for pieces, join, reason in readings:
        if _always_leads(given, pieces, join):
            return here + reason
    return here + _name_count(given[place], right[:place], words)


def _name_count(
    given: Pair, merges: Sequence[Pair], words: Sequence[Sequence[str]]
) -> str:
    """Say how often a pair stands, and the best one, after the merges."""
    for pair in merges:
        words = [joined(word, pair) for word in words]
    counts = _count(words)
    last = (
        "Count again after each merge."
        if merges
        else "Count all neighbors, in every word of the text."
    )
    return (
        f"It stands {counts[given]} times among the pieces, and"
        f" another pair {max(counts.values())} times. {last}"
    )


def _count(words: Sequence[Sequence[str]]) -> Counter[Pair]:
    return Counter(p for word in words for p in itertools.pairwise(word))


def _always_leads(
    given: list[Pair],
    words: Sequence[Sequence[str]],
    join: Join = joined,
) -> bool:
    """Tell whether each pair leads in these words, at its turn."""
    for pair in given:
        counts = _count(words)
        if not counts or counts[pair] < max(counts.values()):
            return False
        words = [join(word, pair) for word in words]
    return True


def name_explanation(
    word: str,
    given: list[list[str]],
    right: tuple[list[str], ...],
    whole: bool,
) -> str:
    """Say which of the two cuts is wrong."""
    if given == [right[1], right[0]]:
        return "the two lists are swapped."
    if given[0] != right[0]:
        if whole:
            return (
                "the word is an entry of its own, and the longest match takes"
                " it whole. No suffix is split off."
            )
        return "the first list is not the cut by longest match."
    if given[1] == right[0]:
        return "the second list must do without the word's own entry."
    if any(
        word[:i] in given[1] and f"##{word[i:]}" in given[1]
        for i in range(len(word))
    ):
        return "the second list is your own split. Let the rule cut it."
    return (
        "the second list is wrong. Only the word's own entry is missing, and"
        " the longest match still decides."
    )
