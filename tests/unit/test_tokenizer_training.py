"""Trained vocabularies: sizes, pieces that repeat, and clear errors."""

import tracemalloc
from collections.abc import Iterator

import pytest

from bertbook import corpora
from bertbook.tokenizer_training import train_tokenizer

ALL = ("bpe", "wordpiece", "unigram", "bytes")


class Written:
    """Texts that are written anew each time they are asked for."""

    characters = 4_000 * 1_000

    def __iter__(self) -> Iterator[str]:
        for number in range(4_000):
            yield f"{number:>1000}"


@pytest.fixture(scope="module")
def texts():
    return corpora.sotu_sentences()[::200]


@pytest.mark.parametrize("algorithm", ALL)
def test_a_vocabulary_has_the_size_asked_for(algorithm, texts):
    tokenizer = train_tokenizer(algorithm, texts, 300)
    assert tokenizer.get_vocab_size() == 300


@pytest.mark.parametrize("algorithm", ALL)
def test_training_twice_gives_the_same_pieces(algorithm, texts):
    first, second = (train_tokenizer(algorithm, texts, 400) for _ in "12")
    assert set(first.get_vocab()) == set(second.get_vocab())
    for text in texts[:50]:
        assert first.encode(text).tokens == second.encode(text).tokens


@pytest.mark.parametrize("algorithm", ALL)
def test_texts_may_come_as_an_iterator(algorithm, texts):
    listed = train_tokenizer(algorithm, texts, 400).get_vocab()
    streamed = train_tokenizer(algorithm, iter(texts), 400).get_vocab()
    assert set(listed) == set(streamed)
    if algorithm == "wordpiece":  # whose numbers do not vary either
        assert listed == streamed


@pytest.mark.parametrize(("kept", "share"), [(False, 0.2), (True, 1.3)])
def test_texts_are_not_held_twice(kept, share):
    texts = iter(Written()) if kept else Written()
    tracemalloc.start()
    train_tokenizer("wordpiece", texts, 100)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < share * Written.characters


@pytest.mark.parametrize("algorithm", ["bpe", "wordpiece", "unigram"])
def test_unseen_characters_are_unknown(algorithm, texts):
    tokenizer = train_tokenizer(algorithm, texts, 300)
    unknown = tokenizer.token_to_id("[UNK]")
    assert unknown in tokenizer.encode("\U00013000").ids
    assert unknown not in tokenizer.encode("The Senate").ids


@pytest.mark.parametrize("text", ["Naïve 😀", "\U00013000", "  two  blanks\n"])
def test_bytes_lose_nothing(text, texts):
    tokenizer = train_tokenizer("bytes", texts, 300)
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_wordpiece_marks_what_goes_on_inside_a_word(texts):
    tokenizer = train_tokenizer("wordpiece", texts, 300)
    first, *rest = tokenizer.encode("constitutionality").tokens
    assert not first.startswith("##")
    assert rest
    assert all(piece.startswith("##") for piece in rest)


@pytest.mark.parametrize(
    ("algorithm", "given", "size", "message"),
    [
        ("bpo", ["a b"], 300, "'bpo'.*'wordpiece'"),
        ("bpe", [], 300, "no word"),
        ("bpe", [" ", ""], 300, "no word"),
        ("bpe", ["abc"], 1, "vocab_size is 1"),
        ("bpe", ["abcdefgh"], 4, "4.*single characters.*9"),
        ("bytes", ["abc"], 100, "100.*256"),
    ],
)
def test_what_cannot_be_trained_is_named(algorithm, given, size, message):
    with pytest.raises(ValueError, match=message):
        train_tokenizer(algorithm, given, size)
