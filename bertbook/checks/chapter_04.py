"""The checks of chapter 04: longest match, merges, lookup, two senses."""

import functools
import random
from typing import Any

import torch
from torch import Tensor

from bertbook import corpora
from bertbook.checks.reading import describe, read_numbers, read_parts
from bertbook.checks.report import Wrong, exercise, score_of
from bertbook.checks.sense_mistakes import CLOSE, name_accuracy, share_right
from bertbook.checks.subword_mistakes import (
    UNK,
    longest,
    merges_of,
    name_cut,
    name_explanation,
    name_merges,
)
from bertbook.tokenization import SPECIAL, normalize, split_words
from bertbook.transformer import Transformer, TransformerConfig


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


# 04.1


@functools.cache
def _words() -> tuple[str, ...]:
    """Draw 500 distinct words of the speeches, long ones among them."""
    texts = random.Random(4).sample(corpora.sotu_sentences(), 600)
    words = {w for text in texts for w in split_words(normalize(text))}
    long_first = sorted(words, key=lambda w: (-len(w), w))[:496]
    odd = ["pretraining", "good\u2603\U0001f600", "\U00013000", "a"]
    return (*long_first, *odd)


@exercise("04.1", "The longest match")
def cut_word(answer: Any) -> None:
    """Compare with Hugging Face's tokenizer, and on made-up vocabularies."""
    tiny = {*UNK, "un", "una", "##a", "##ff", "##aff", "##able", "##ab", "u"}
    tiny |= {"##n", "##b", "b", "able"}
    made = ["unab", "unaffable", "unable", "bun", "unz", "zun", "uzn", "u"]
    for word in made:
        _hold_cut(answer, word, tiny, longest(word, tiny))
    known = set(_entries())
    for word in _words():
        _hold_cut(answer, word, known, _tokenizer().tokenize(word))


def _hold_cut(
    answer: Any, word: str, known: set[str], right: list[str]
) -> None:
    given = _pieces(answer(word, set(known)), "The pieces")
    if given != right:
        reason = name_cut(word, given, right, known)
        raise Wrong(f"For {word!r} you return {given}: {reason}")


# 04.2


@functools.cache
def _texts() -> tuple[tuple[str, int], ...]:
    """Draw texts whose first merges have no ties, and tell mistakes apart."""
    draw = random.Random(5)
    texts = [("sun run sun run sun runs run sun runs bun run sun", 4)]
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
        if merges_of([[*w] for w in text.split()], count):
            texts.append((text, count))
    ends = "bux " * 7 + "bun " * 3 + "un " * 6 + "go go"
    return (*texts, (ends, 4), ("aaab " * 5 + "ab ab cd", 3))


def _pair(given: Any) -> tuple[str, str]:
    """Read one merge."""
    pieces = _pieces(given, "A merge")
    if len(pieces) != 2:
        raise Wrong(f"A merge joins two pieces: we got {pieces}.")
    return pieces[0], pieces[1]


@exercise("04.2", "The first merges")
def first_merges(answer: Any) -> None:
    """Compare the merges on texts where no two pairs tie."""
    for text, count in _texts():
        right = merges_of([[*word] for word in text.split()], count)
        assert right is not None
        given = answer(text, count)
        if not isinstance(given, list | tuple):
            raise Wrong(f"Return a list of pairs: we got {describe(given)}.")
        pairs = [_pair(pair) for pair in given]
        if pairs != right:
            where = f"For {text[:60]!r}, {count} merges"
            raise Wrong(f"{where}: {name_merges(pairs, right, text)}")


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
    if not torch.equal(one_hot, right):
        raise Wrong(f"{where}, {_name_one_hot(one_hot, right)}")
    wanted = table[token_ids].double()
    if vectors.shape != wanted.shape or not torch.allclose(
        vectors, wanted, atol=CLOSE
    ):
        raise Wrong(
            f"{where}, one_hot is right. The vectors have the shape"
            f" {tuple(vectors.shape)} and are not the table's rows: multiply"
            " one_hot by the table, from the left."
        )


def _name_one_hot(one_hot: Tensor, right: Tensor) -> str:
    """Say how a one-hot matrix differs from the right one."""
    if torch.equal(one_hot, right.roll(-1, 1)):
        return (
            "each 1 stands one place too early. Ids count from 0, so id 5 is"
            " index 5, and the fifth position is index 4."
        )
    if torch.equal(one_hot, right.roll(1, 1)):
        return (
            "each 1 stands one place too late: ids and indices both count"
            " from 0."
        )
    return (
        f"the sums of the rows of one_hot are {one_hot.sum(1).tolist()[:5]}:"
        " each row has a single 1, in the column of its id, and 0 elsewhere."
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
            _hold_explanation(answer, word, given_entries, known)


def _hold_explanation(
    answer: Any, word: str, entries: tuple[str, ...], known: set[str]
) -> None:
    """Compare the two cuts of one word."""
    right = longest(word, known), longest(word, known - {word})
    names = ("pieces", "without the entry")
    parts = read_parts(answer(word, [*entries]), names)
    one, other = (
        _pieces(part, name) for part, name in zip(parts, names, strict=True)
    )
    if (one, other) != right:
        reason = name_explanation(word, [one, other], right, word in known)
        raise Wrong(
            f"For {word!r} and {len(known):,} entries you return {one} and"
            f" {other}: {reason}"
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


def _random_senses() -> list[tuple[str, Tensor, Tensor]]:
    """Draw senses of unequal sizes, off the center, of unequal lengths."""
    generator = torch.Generator().manual_seed(8)
    cases = []
    for snakes, codes, width in ((5, 5, 7), (3, 6, 13), (7, 2, 4), (9, 8, 3)):
        draw = torch.randn(snakes + codes, width, generator=generator)
        draw = draw * (draw[:, :1].exp() + 0.2)
        draw = draw + 2 * torch.randn(width, generator=generator)
        draw[:snakes, 0] += 1
        name = f"{snakes} and {codes} random vectors"
        cases.append((name, draw[:snakes], draw[snakes:]))
    return cases


@exercise("04.5", "Contextuality, properly")
def sense_accuracy(answer: Any) -> None:
    """Compare the share for random vectors and for two encoders."""
    cases = [*_random_senses(), *_encoded()]
    shares = []
    for _, snake, code in cases:
        given = read_numbers(answer(snake.clone(), code.clone()), "the share")
        if given.numel() != 1:
            raise Wrong("Return one number, the share of right neighbors.")
        shares.append(given.item())
    if set(shares) == {1.0}:
        raise Wrong(
            "For an untrained encoder you return 1: a test that random weights"
            " pass proves nothing. Their cosines are below 1 too, about 0.9."
            " If you do compare neighbors, take care that no vector is its"
            " own neighbor."
        )
    pairs = [(snake, code) for _, snake, code in cases]
    for share, (name, snake, code) in zip(shares, cases, strict=True):
        if abs(share - share_right(snake, code)) > CLOSE:
            raise Wrong(
                f"For {name} you return {share:.3g}:"
                f" {name_accuracy(shares, pairs)}"
            )


score = score_of(__name__)
