"""The checks of chapter 04: longest match, merges, lookup, two senses."""

import functools
import itertools
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from bertbook import corpora
from bertbook.checks.reading import describe, read_numbers, read_parts
from bertbook.checks.report import Wrong, exercise, score_of
from bertbook.checks.sense_mistakes import CLOSE, name_accuracy, share_right
from bertbook.tokenization import SPECIAL, normalize, split_words
from bertbook.transformer import Transformer, TransformerConfig

UNK = ["[UNK]"]


def _pieces(given: Any, name: str) -> list[str]:
    """Read a list of strings."""
    good = isinstance(given, list | tuple) and all(
        isinstance(piece, str) for piece in given
    )
    if not good:
        raise Wrong(
            f"{name} should be a list of strings: we got {describe(given)}."
        )
    return list(given)


@functools.cache
def _tokenizer() -> Any:
    return corpora.minilm()[0]


@functools.cache
def _entries() -> tuple[str, ...]:
    ids = _tokenizer().get_vocab()
    return tuple(sorted(ids, key=ids.__getitem__))


def _longest(word: str, known: set[str]) -> list[str]:
    """Cut by longest match, recursively: the checks' own reference."""
    if word in ("", "##"):
        return []
    mark = 2 if word.startswith("##") else 0
    for end in range(len(word), mark, -1):
        if word[:end] in known:
            rest = _longest("##" + word[end:], known)
            return UNK if rest == UNK else [word[:end], *rest]
    return UNK


# 04.1


@functools.cache
def _words() -> tuple[str, ...]:
    """Draw 500 distinct words of the speeches, long ones among them."""
    texts = random.Random(4).sample(corpora.sotu_sentences(), 600)
    words = {w for text in texts for w in split_words(normalize(text))}
    longest = sorted(words, key=lambda w: (-len(w), w))[:496]
    odd = ["pretraining", "good\u2603\U0001f600", "\U00013000", "a"]
    return (*longest, *odd)


@exercise("04.1", "The longest match")
def cut_word(answer: Any) -> None:
    """Compare with Hugging Face's tokenizer, and on made-up vocabularies."""
    tiny = {*UNK, "un", "una", "##a", "##ff", "##aff", "##able", "##ab", "u"}
    tiny |= {"##n", "##b", "b", "able"}
    made = ["unaffable", "unable", "unab", "bun", "unz", "zun", "uzn", "u"]
    for word in made:
        _hold_cut(answer, word, tiny, _longest(word, tiny))
    known = set(_entries())
    for word in _words():
        _hold_cut(answer, word, known, _tokenizer().tokenize(word))


def _hold_cut(
    answer: Any, word: str, known: set[str], right: list[str]
) -> None:
    given = _pieces(answer(word, set(known)), "The pieces")
    if given != right:
        reason = _name_cut(given, right, known)
        raise Wrong(f"For {word!r} you return {given}: {reason}")


def _name_cut(given: list[str], right: list[str], known: set[str]) -> str:
    """Say which rule a cut breaks."""
    if given and "".join(given) == "".join(
        p[2 * (i > 0) :] for i, p in enumerate(right)
    ):
        return "a piece that goes on inside a word needs its ## in front."
    if "[UNK]" in given and given != UNK:
        return (
            "[UNK] stands for one piece. If any part of a word is unknown,"
            " the whole word is one [UNK]."
        )
    if right == UNK:
        return "a part of the word is not in the vocabulary, and is lost."
    if given == UNK:
        return (
            "its parts are all in the vocabulary. Look up the pieces after"
            " the first one with ## in front."
        )
    unknown = [piece for piece in given if piece not in known]
    if unknown:
        return f"{unknown[0]!r} is not in the vocabulary."
    pairs = itertools.zip_longest(given, right, fillvalue="")
    one, other = next(pair for pair in pairs if pair[0] != pair[1])
    if one and len(one) < len(other):
        return (
            f"at {one!r} a longer piece fits. Try the longest first, not the"
            " shortest."
        )
    return f"the first difference is at {one!r}: follow the rule from there."


# 04.2


def _merges(
    words: Sequence[Sequence[str]], count: int
) -> list[tuple[str, str]] | None:
    """Train on lists of pieces; None where two pairs tie, or none is left."""
    merges = []
    for _ in range(count):
        pairs = Counter(p for w in words for p in itertools.pairwise(w))
        top = pairs.most_common(2)
        if len(top) < 2 or top[0][1] == top[1][1]:
            return None
        merges.append(top[0][0])
        words = [_joined(word, top[0][0]) for word in words]
    return merges


def _joined(word: Sequence[str], pair: tuple[str, str]) -> list[str]:
    """Join the pair, from the left."""
    if len(word) < 2:
        return list(word)
    if (word[0], word[1]) == pair:
        return [word[0] + word[1], *_joined(word[2:], pair)]
    return [word[0], *_joined(word[1:], pair)]


@functools.cache
def _texts() -> tuple[tuple[str, int], ...]:
    """Draw texts whose first merges have no ties, and tell mistakes apart."""
    draw, texts = (
        random.Random(5),
        [("sun run sun run sun runs run sun runs bun run sun", 4)],
    )
    while len(texts) < 12:
        letters = "abcde"[: draw.randint(3, 5)]
        types = [
            "".join(draw.choices(letters, k=draw.randint(2, 6)))
            for _ in range(7)
        ]
        text = " ".join(
            draw.choices(types, range(1, 8), k=draw.randint(20, 45))
        )
        count = draw.randint(2, 4)
        if _merges([[*w] for w in text.split()], count):
            texts.append((text, count))
    return tuple(texts)


@exercise("04.2", "The first merges")
def first_merges(answer: Any) -> None:
    """Compare the merges on texts where no two pairs tie."""
    for text, count in _texts():
        right = _merges([[*word] for word in text.split()], count)
        assert right is not None
        given = answer(text, count)
        if not isinstance(given, list | tuple):
            raise Wrong(f"Return a list of pairs: we got {describe(given)}.")
        pairs = [tuple(_pieces(pair, "A merge")) for pair in given]
        if pairs != right:
            where = f"For {text[:60]!r}, {count} merges"
            raise Wrong(f"{where}: {_name_merges(pairs, right, text)}")


def _name_merges(
    given: list[Any], right: list[tuple[str, str]], text: str
) -> str:
    """Try the mistakes that are known, one after another."""
    if len(given) != len(right):
        return f"you return {len(given)} pairs."
    if any(" " in "".join(pair) for pair in given):
        return "a merge holds a blank: pairs never reach across words."
    place = next(i for i, p in enumerate(given) if p != right[i])
    words = [[*word] for word in text.split()]
    for pair in right[:place]:
        words = [_joined(word, pair) for word in words]

    def leads(lists: Sequence[Sequence[str]]) -> bool:
        found = Counter(p for w in lists for p in itertools.pairwise(w))
        return found[given[place]] == max(found.values())

    types = [list(word) for word in {tuple(word) for word in words}]
    across = [list(itertools.chain.from_iterable(words))]
    here = f"at merge {place + 1} you take {given[place]}. "
    if leads(across):
        return here + (
            "It leads if pairs reach from one word into the next. They do"
            " not: count across words nowhere."
        )
    if leads(types):
        return here + (
            "It leads if every word counts once. Count tokens, not types: a"
            " word that stands in the text five times counts five times."
        )
    counts = Counter(p for w in words for p in itertools.pairwise(w))
    return here + (
        f"It stands {counts[given[place]]} times among the pieces, and"
        f" another pair {max(counts.values())} times. Count again after each"
        " merge."
    )


# 04.3


@exercise("04.3", "A product that looks up")
def look_up(answer: Any) -> None:
    """Compare both tensors with indexing, for tables of odd sizes."""
    generator = torch.Generator().manual_seed(6)
    for length, rows, width in ((1, 9, 3), (4, 7, 5), (13, 37, 7), (5, 5, 5)):
        table = torch.randn(rows, width, generator=generator)
        token_ids = torch.randint(0, rows, (length,), generator=generator)
        if length == 1:
            token_ids = torch.tensor([5])
        _hold_lookup(answer, token_ids, table)


def _hold_lookup(answer: Any, token_ids: Tensor, table: Tensor) -> None:
    """Compare one lookup, the one-hot matrix first."""
    where = f"For ids {token_ids.tolist()} and {len(table)} rows"
    names = ("one_hot", "vectors")
    given = read_parts(answer(token_ids.clone(), table.clone()), names)
    one_hot = read_numbers(given[0], "one_hot")
    vectors = read_numbers(given[1], "vectors")
    right = (token_ids[:, None] == torch.arange(len(table))).double()
    if one_hot.shape != right.shape:
        raise Wrong(
            f"{where}, one_hot has the shape {tuple(one_hot.shape)}: it needs"
            " one row for each token and a column for each row of the table."
        )
    if torch.equal(one_hot, right.roll(-1, 1)):
        raise Wrong(
            f"{where}, each 1 stands one place too early. Ids count from 0,"
            " so id 5 is index 5, and the fifth position is index 4."
        )
    if torch.equal(one_hot, right.roll(1, 1)):
        raise Wrong(
            f"{where}, each 1 stands one place too late: ids and indices both"
            " count from 0."
        )
    if not torch.equal(one_hot, right):
        raise Wrong(
            f"{where}, the sums of the rows of one_hot are"
            f" {one_hot.sum(1).tolist()[:5]}: each row has a single 1, in the"
            " column of its id, and 0 elsewhere."
        )
    wanted = table[token_ids].double()
    if vectors.shape != wanted.shape or not torch.allclose(
        vectors, wanted, atol=CLOSE
    ):
        raise Wrong(
            f"{where}, one_hot is right. The vectors have the shape"
            f" {tuple(vectors.shape)} and are not the table's rows: multiply"
            " one_hot by the table, from the left."
        )


# 04.4


@exercise("04.4", "Why playing stays whole")
def explain(answer: Any) -> None:
    """Compare both cuts, with BERT's entries and with fewer of them."""
    entries = _entries()
    draw = random.Random(7)
    fewer = tuple(
        entry
        for entry in entries
        if entry in SPECIAL
        or len(entry.removeprefix("##")) == 1
        or draw.random() < 0.5
    )
    words = ["playing", "pretraining", "model", "eating", "played", "looking"]
    words += ["let", "start", "constitution", "government", "a"]
    for given_entries in (entries, fewer):
        known = set(given_entries)
        for word in words:
            right = _longest(word, known), _longest(word, known - {word})
            parts = read_parts(
                answer(word, [*given_entries]), ("pieces", "without the entry")
            )
            pieces = [
                _pieces(part, name)
                for part, name in zip(
                    parts, ("pieces", "the second list"), strict=True
                )
            ]
            if pieces != [*right]:
                raise Wrong(
                    f"For {word!r} and {len(known):,} entries you return"
                    f" {pieces[0]} and {pieces[1]}:"
                    f" {_name_explanation(word, pieces, right, word in known)}"
                )


def _name_explanation(
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


# 04.5

SNAKE = (
    "They found python eggs in the forest.",
    "Our python ate the rabbit.",
    "The python skin was very long.",
    "She feeds her python mice at night.",
)
CODE = (
    "They found python bugs in the software.",
    "Our python parsed the file.",
    "The python code was very long.",
    "She debugs her python scripts at night.",
)


@functools.cache
def _encoded() -> tuple[tuple[str, Tensor, Tensor], ...]:
    """Encode both senses with MiniLM and with an untrained encoder."""
    tokenizer, model = corpora.minilm()
    texts = [*SNAKE, *CODE]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    token_ids, real = batch["input_ids"], batch["attention_mask"].bool()
    hits = token_ids == tokenizer.convert_tokens_to_ids("python")
    sizes = TransformerConfig(
        vocab_size=len(tokenizer),
        d_model=64,
        num_heads=4,
        d_ff=64,
        num_layers=2,
    )
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        blank = Transformer(sizes).eval().encode(token_ids, real)[hits]
        found = model(**batch.to(model.device)).last_hidden_state.cpu()[hits]
    return (
        ("an untrained encoder", blank[:4], blank[4:]),
        ("MiniLM", found[:4], found[4:]),
    )


@exercise("04.5", "Contextuality, properly")
def sense_accuracy(answer: Any) -> None:
    """Compare the share for two encoders and for random vectors."""
    generator = torch.Generator().manual_seed(8)
    cases = list(_encoded())
    for snakes, codes, width in ((5, 5, 7), (3, 6, 13), (7, 2, 4), (9, 8, 3)):
        draw = torch.randn(snakes + codes, width, generator=generator)
        draw = draw * (draw[:, :1].exp() + 0.2)
        draw = draw + 2 * torch.randn(width, generator=generator)
        draw[:snakes, 0] += 1
        cases.append(
            (
                f"{snakes} and {codes} random vectors",
                draw[:snakes],
                draw[snakes:],
            )
        )
    for name, snake, code in cases:
        given = read_numbers(answer(snake.clone(), code.clone()), "the share")
        if given.numel() != 1:
            raise Wrong("Return one number, the share of right neighbors.")
        right = share_right(snake, code)
        if abs(given.item() - right) > CLOSE:
            raise Wrong(
                f"For {name} you return {given.item():.3g}:"
                f" {name_accuracy(given.item(), name, snake, code)}"
            )


score = score_of(__name__)
