"""Right and wrong answers to the exercises of chapter 04."""

from collections import Counter
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F

from bertbook.checks.sense_mistakes import share_right
from bertbook.tokenization import SPECIAL, WordPiece

# 04.1


def cut_by_recursion(word, vocabulary, prefix=""):
    if not word:
        return []
    for end in range(len(word), 0, -1):
        if prefix + word[:end] in vocabulary:
            rest = cut_by_recursion(word[end:], vocabulary, "##")
            if rest == ["[UNK]"]:
                return rest
            return [prefix + word[:end], *rest]
    return ["[UNK]"]


def cut_by_while(word, vocabulary):
    pieces, rest = [], word
    while rest:
        piece = ("##" if pieces else "") + rest
        while piece not in vocabulary and len(piece.removeprefix("##")) > 1:
            piece = piece[:-1]
        if piece not in vocabulary:
            return ["[UNK]"]
        pieces.append(piece)
        rest = rest[len(piece) - (2 if len(pieces) > 1 else 0) :]
    return tuple(pieces)


def cutting(*, shortest=False, each=False, mark="##", shown="##", drop=False):
    """Cut with one rule changed."""

    def cut(word, vocabulary):
        pieces, start = [], 0
        while start < len(word):
            prefix = mark if start else ""
            ends = [*range(len(word), start, -1)]
            fits = [e for e in ends if prefix + word[start:e] in vocabulary]
            if not fits:
                if drop:
                    return pieces
                if not each:
                    return ["[UNK]"]
                pieces.append("[UNK]")
                start += 1
                continue
            end = fits[-1] if shortest else fits[0]
            pieces.append((shown if start else "") + word[start:end])
            start = end
        return pieces

    return cut


def backtracking(word, vocabulary, prefix=""):
    if not word:
        return []
    for end in range(len(word), 0, -1):
        if prefix + word[:end] in vocabulary:
            rest = backtracking(word[end:], vocabulary, "##")
            if rest != ["[UNK]"]:
                return [prefix + word[:end], *rest]
    return ["[UNK]"]


# 04.2


def merging(
    *,
    types=False,
    across=False,
    once=False,
    last=False,
    least=False,
    join=None,
):
    """Train with one rule changed."""

    def merges_of(text, num_merges):
        words = [[*word] for word in text.split()]
        if across:
            words = [[c for word in words for c in word]]
        merges = []
        first = None
        for _ in range(num_merges):
            counted = {tuple(w) for w in words} if types else words
            pairs = Counter(p for w in counted for p in pairwise(w))
            first = first or pairs
            ranked = [p for p, _ in (first if once else pairs).most_common()]
            best = ranked[-1] if least else ranked[0]
            if once:
                best = ranked[len(merges) % len(ranked)]
            merges.append(best)
            words = [(join or joined)(word, best) for word in words]
        return merges[:-1] if last else merges

    return merges_of


def join_in_text(word, pair):
    return " ".join(word).replace(" ".join(pair), "".join(pair)).split()


def join_backwards(word, pair):
    turned = joined(
        [p[::-1] for p in word[::-1]], (pair[1][::-1], pair[0][::-1])
    )
    return [piece[::-1] for piece in turned[::-1]]


def joined(word, pair):
    merged = []
    for piece in word:
        merged.append(piece)
        if tuple(merged[-2:]) == pair:
            merged[-2:] = [merged[-2] + merged[-1], ""]
    return [piece for piece in merged if piece]


def merges_by_counts(text, num_merges):
    words = {tuple(word): n for word, n in Counter(text.split()).items()}
    merges = []
    for _ in range(num_merges):
        pairs = Counter()
        for pieces, times in words.items():
            for pair in pairwise(pieces):
                pairs[pair] += times
        best = max(pairs, key=pairs.get)
        merges.append([*best])
        words = {tuple(joined([*w], best)): n for w, n in words.items()}
    return merges


def merges_with_blanks(text, num_merges):
    words, merges = [[*text]], []
    for _ in range(num_merges):
        pairs = Counter(p for w in words for p in pairwise(w))
        merges.append(pairs.most_common(1)[0][0])
        words = [joined(word, merges[-1]) for word in words]
    return merges


# 04.3


def look_up_with_eye(token_ids, table):
    one_hot = torch.eye(len(table))[token_ids]
    return one_hot, one_hot @ table


def look_up_by_comparing(token_ids, table):
    one_hot = (token_ids[:, None] == torch.arange(len(table))).float()
    return one_hot, torch.einsum("nv,vd->nd", one_hot, table)


def look_up_in_numpy(token_ids, table):
    one_hot = np.zeros((len(token_ids), len(table)))
    one_hot[np.arange(len(token_ids)), token_ids.numpy()] = 1
    return one_hot, one_hot @ table.numpy().astype(float)


def shifted(step):
    def answer(token_ids, table):
        one_hot = F.one_hot(token_ids, len(table)).float().roll(step, 1)
        return one_hot, one_hot @ table

    return answer


def transposed(token_ids, table):
    one_hot = F.one_hot(token_ids, len(table)).float()
    return one_hot.T, one_hot @ table


def bag(token_ids, table):
    one_hot = F.one_hot(token_ids, len(table)).float().sum(0, keepdim=True)
    one_hot = one_hot.expand(len(token_ids), -1)
    return one_hot, one_hot @ table


def first_rows(token_ids, table):
    one_hot, _ = look_up_with_eye(token_ids, table)
    return one_hot, table[: len(token_ids)]


# 04.4


def longest(word, entries):
    return [*cut_by_recursion(word, set(entries))]


def explain_by_recursion(word, entries):
    return longest(word, entries), longest(word, set(entries) - {word})


def explain_by_renaming(word, entries):
    renamed = [e if e != word else "[gone]" for e in entries]
    one, other = WordPiece(entries), WordPiece(renamed)
    return [one.split_word(word), other.tokenize(word)]


def by_suffix(word, entries):
    for suffix in ("ing", "ed"):
        if word.endswith(suffix):
            return [word.removesuffix(suffix), f"##{suffix}"]
    return longest(word, entries)


def splits_the_suffix(word, entries):
    return by_suffix(word, entries), by_suffix(word, entries)


def ignores_the_entry(word, entries):
    return longest(word, entries), longest(word, entries)


def own_split(word, entries):
    cut = longest(word, entries)
    other = longest(word, set(entries) - {word})
    return cut, (
        by_suffix(word, entries) if word == "playing" else other[::-1]
    )


# 04.5


def accuracy_by_loops(snake, code):
    rows = torch.cat([snake, code]).double()
    rows = rows - rows.mean(0)
    right = 0
    for i, row in enumerate(rows):
        best, found = -2.0, -1
        for j, other in enumerate(rows):
            cosine = F.cosine_similarity(row, other, dim=0).item()
            if j != i and cosine > best:
                best, found = cosine, j
        right += (found < len(snake)) == (i < len(snake))
    return right / len(rows)


def accuracy_in_numpy(snake, code):
    rows = np.concatenate([snake.numpy(), code.numpy()]).astype(float)
    rows -= rows.mean(axis=0)
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    cosines = rows @ rows.T - 3 * np.eye(len(rows))
    side = np.array([0] * len(snake) + [1] * len(code))
    return (side[cosines.argmax(1)] == side).mean()


def below_one(snake, code):
    cosine = F.cosine_similarity(snake[0], code[0], dim=0)
    return float(cosine < 1)


def share(**options):
    return lambda snake, code: share_right(snake, code, **options)


RIGHT = {
    "cut_word": [
        cut_by_recursion,
        cut_by_while,
        lambda word, known: WordPiece(
            [*SPECIAL, *sorted(known - {*SPECIAL})]
        ).split_word(word),
    ],
    "first_merges": [merging(), merges_by_counts],
    "look_up": [look_up_with_eye, look_up_by_comparing, look_up_in_numpy],
    "explain": [explain_by_recursion, explain_by_renaming],
    "sense_accuracy": [accuracy_by_loops, accuracy_in_numpy, share()],
}

WRONG = {
    "cut_word": {
        "shortest match": (cutting(shortest=True), "longest first"),
        "per-piece [UNK]": (cutting(each=True), "whole word is one"),
        "missing ##": (cutting(shown=""), "needs its ##"),
        "looks up without ##": (
            cutting(mark=""),
            "not in the voc|## in front",
        ),
        "drops the unknown": (cutting(drop=True), "is lost"),
        "whole words only": (
            lambda word, known: [word] if word in known else ["[UNK]"],
            "with ## in front",
        ),
        "a string": (lambda word, known: word, "list of strings"),
        "takes a choice back": (backtracking, "never takes that back"),
    },
    "first_merges": {
        "types for tokens": (merging(types=True), "tokens, not types"),
        "across words": (merging(across=True), "next"),
        "blanks are letters": (merges_with_blanks, "blank|next"),
        "counts once": (merging(once=True), "again after each"),
        "one too few": (merging(last=True), "you return"),
        "least frequent": (merging(least=True), "another pair"),
        "ends of pieces": (merging(join=join_in_text), "whole pieces only"),
        "from the right": (merging(join=join_backwards), "from the left"),
        "joined strings": (
            lambda text, n: ["".join(p) for p in merging()(text, n)],
            "list of strings",
        ),
    },
    "look_up": {
        "fifth position": (shifted(-1), "too early.*index 4"),
        "one too late": (shifted(1), "too late"),
        "transposed": (transposed, "one row for each token"),
        "bag of words": (bag, "single 1"),
        "first rows": (first_rows, "multiply"),
        "only the rows": (lambda ids, table: table[ids], "Return 2 things"),
    },
    "explain": {
        "play ##ing": (splits_the_suffix, "takes it whole"),
        "keeps the entry": (ignores_the_entry, "without the word's own"),
        "own split": (own_split, "your own split|longest match still"),
        "swapped": (
            lambda w, e: explain_by_recursion(w, e)[::-1],
            "swapped",
        ),
        "one list": (longest, "Return 2 things|list of strings"),
    },
    "sense_accuracy": {
        "cosine below 1": (below_one, "random weights"),
        "its own neighbor": (share(itself=True), "its own neighbor"),
        "not centered": (share(centered="none"), "was not subtracted"),
        "each centered": (share(centered="each"), "its own mean"),
        "dot product": (share(measure="dot"), "dot products"),
        "distance": (share(measure="distance"), "by distance"),
        "farthest": (share(measure="farthest"), "smallest"),
        "other sense": (
            lambda s, c: 1 - share_right(s, c),
            "other sense",
        ),
        "a count": (
            lambda s, c: share_right(s, c) * (len(s) + len(c)),
            "between 0 and 1|the number of|another share",
        ),
        "half the divisor": (
            lambda s, c: share_right(s, c) * (len(s) + len(c)) / len(s),
            "number of all|between 0 and 1|another share|random weights",
        ),
    },
}

EQUIVALENT = {
    "first_merges": {
        "0 → -1": "most_common(1) returns one pair: its first is its last",
        "1 → 2": "the first of the two most common is taken all the same",
        "list(pieces) → pieces": "the old lists are not needed any more",
    },
    "sense_accuracy": {
        "-2 → -1": "no cosine of these vectors is as low as -1",
        "-2 → -3": "no cosine is below -1 anyway",
        "vectors - vectors.mean(0) → vectors.mean(0) - vectors": (
            "two signs cancel in a cosine"
        ),
        "1 → 0 (2)": "the matrix of cosines is symmetric",
        "same.float().mean().item() → same.float().mean()": (
            "the check reads tensors as well as numbers"
        ),
    },
}
