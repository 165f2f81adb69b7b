"""Train sub-word vocabularies through Hugging Face's tokenizers.

The training loops are the library's: fast, and well kept. Chapter 04 writes
the naive loop of BPE and holds it to this one.
"""

from collections.abc import Callable, Iterable, Iterator

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from bertbook.tokenization import UNK

_MODELS: dict[str, Callable[[], models.Model]] = {
    "bpe": lambda: models.BPE(unk_token=UNK),
    "wordpiece": lambda: models.WordPiece(unk_token=UNK),
    "unigram": models.Unigram,
}


def train_tokenizer(
    algorithm: str, texts: Iterable[str], vocab_size: int
) -> Tokenizer:
    """Train a vocabulary of at most the given size on texts.

    Args:
        algorithm: `"bpe"`, `"wordpiece"` and `"unigram"` read lowercased
            words, split as BERT splits them. `"bytes"` is BPE over bytes:
            case and blanks are kept, and no text is unknown.
        texts: what to train on. It is read more than once and not kept; an
            iterator, which can be read only once, is kept as a list.
        vocab_size: entries wanted. Few texts can give fewer.

    Returns:
        A tokenizer that adds no special tokens.

    Raises:
        ValueError: for an unknown algorithm, an empty corpus, or a size that
            has no room for the single characters.

    >>> tokenizer = train_tokenizer("bpe", ["low low lower"] * 9, 8)
    >>> tokenizer.encode("slow lower").tokens
    ['[UNK]', 'low', 'low', 'e', 'r']

    Source: Sennrich et al. (2016), algorithm 1; Wu et al. (2016), section
    4.1; Kudo and Richardson (2018); Radford et al. (2019), section 2.2
    """
    if isinstance(texts, Iterator):
        texts = list(texts)
    _check(algorithm, texts, vocab_size)
    if algorithm == "bytes":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(
            add_prefix_space=False
        )
        tokenizer.decoder = decoders.ByteLevel()
    else:
        tokenizer = _bert_like(_MODELS[algorithm]())
    inner = []
    if algorithm == "wordpiece":
        inner = _inner_letters(texts, tokenizer.normalizer)
    trainer = _trainer(algorithm, vocab_size, inner)
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() > vocab_size:
        raise ValueError(
            f"vocab_size is {vocab_size}, and the single characters alone"
            f" take {tokenizer.get_vocab_size()} entries: ask for more"
        )
    if inner:
        vocabulary = tokenizer.get_vocab()
        tokenizer = _bert_like(models.WordPiece(vocabulary, unk_token=UNK))
    return tokenizer


def _bert_like(model: models.Model) -> Tokenizer:
    """Put BERT's lowercasing and its splitting into words before a model."""
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def _inner_letters(
    texts: Iterable[str], normalizer: normalizers.Normalizer
) -> list[str]:
    """List the `##` twin of every character of the texts.

    Left to itself, the library numbers these in the order of a hash table,
    and breaks ties between pairs by number: each run would train others.
    """
    characters: set[str] = set()
    for text in texts:
        characters.update(text)
    characters = set(normalizer.normalize_str("".join(characters)))
    return sorted(f"##{c}" for c in characters if not c.isspace())


def _check(algorithm: str, texts: Iterable[str], vocab_size: int) -> None:
    """Refuse what the library would fail on without a clear word."""
    known = [*_MODELS, "bytes"]
    if algorithm not in known:
        raise ValueError(
            f"algorithm is {algorithm!r}: it must be one of {known}"
        )
    if not any(text.strip() for text in texts):
        raise ValueError(
            "the texts hold no word to train on: give at least one"
        )
    if vocab_size < 2:
        raise ValueError(f"vocab_size is {vocab_size}: give at least 2")


def _trainer(
    algorithm: str, vocab_size: int, inner: list[str]
) -> trainers.Trainer:
    """Return the library's trainer, without a progress bar."""
    common = {"vocab_size": vocab_size, "show_progress": False}
    if algorithm == "bytes":
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        return trainers.BpeTrainer(initial_alphabet=alphabet, **common)
    if algorithm == "bpe":
        return trainers.BpeTrainer(special_tokens=[UNK], **common)
    if algorithm == "wordpiece":
        return trainers.WordPieceTrainer(
            special_tokens=[UNK, *inner], **common
        )
    return trainers.UnigramTrainer(
        special_tokens=[UNK], unk_token=UNK, **common
    )
