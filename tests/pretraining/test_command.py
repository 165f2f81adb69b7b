"""The command line, as a person uses it: one run, and what it refuses."""

import json
import os
import resource
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from bertbook.bert import BertForMaskedLM
from bertbook.checkpoints import load_pretrained
from bertbook.pretraining.__main__ import main
from bertbook.pretraining.config import PretrainingConfig
from bertbook.pretraining.prepare import (
    prepare,
    read_texts,
    read_vocabulary,
)
from tests.pretraining import toy

SETTINGS = [
    *("--vocab-size", "120", "--num-layers", "1", "--d-model", "16"),
    *("--num-heads", "2", "--d-ff", "32", "--max-len", "32", "--width", "32"),
    *("--stages", "0:32", "--rows", "4", "--steps", "6", "--warmup", "2"),
    *("--precision", "fp32", "--products", "blas", "--checkpoint-every", "2"),
    *("--evaluate-every", "6", "--held-out-rows", "8"),
]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a text file with an empty line between documents."""
    file = tmp_path_factory.mktemp("text") / "toy.txt"
    file.write_text("\n\n".join(d.text for d in toy.documents(300)))
    return file


def test_a_run_from_a_text_file_to_a_model(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    asked = ["--corpus", str(text), "--output", str(output), *SETTINGS]
    assert main([*asked, "--dry-run"]) == 0
    plan = capsys.readouterr().out
    for word in ("parameters", "not prepared yet", "FLOP", "GB", "about"):
        assert word in plan
    assert not output.exists()
    assert main(asked) == 0
    capsys.readouterr()
    assert main([*asked, "--dry-run"]) == 0
    assert "passes" in capsys.readouterr().out
    assert main(asked) == 2
    assert "holds another run" in capsys.readouterr().err
    assert main([*asked, "--resume"]) == 0
    model = load_pretrained(output / "model")
    assert isinstance(model, BertForMaskedLM)
    assert model.bert.config.d_model == 16
    # The table serves as output layer too: it is shared, not copied.
    assert model.head.table is model.bert.embeddings.word.weight


def refused(text: str | bytes, file: Path) -> str:
    """Return what a file is refused with."""
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - shown below
        list(read_texts([file]))
    return str(caught.value)


def test_files_that_hold_no_text_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "corpus.txt"
    assert "is empty" in refused("", file)
    assert "is empty" in refused(" \n\n", file)
    assert "is binary" in refused(b"PK\x03\x04\0\0", file)
    assert "UTF-16" in refused("text".encode("utf-16"), file)
    assert "not UTF-8: byte 0xfc" in refused(b"Z\xfcrich", file)
    with pytest.raises(ValueError, match="none is no file"):
        list(read_texts([tmp_path / "none"]))


def test_empty_lines_part_documents(tmp_path: Path) -> None:
    file = tmp_path / "two.txt"
    file.write_text("One.\nStill one.\n\n\nTwo.\n")
    texts = [document.text for document in read_texts([file])]
    assert texts == ["One.\nStill one.\n", "Two.\n"]


def test_a_vocabulary_with_mistakes_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "vocab.txt"
    file.write_text("a\nb\na\n")
    with pytest.raises(ValueError, match="'a' twice"):
        read_vocabulary(file)
    file.write_text("a\n[PAD]\n")
    with pytest.raises(ValueError, match=r"\[UNK\].*\[MASK\]"):
        read_vocabulary(file)


def test_a_corpus_with_nothing_held_out_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "one.txt"
    file.write_text(" ".join(d.text for d in toy.documents(20)))
    with pytest.raises(ValueError, match="no document to test on"):
        prepare(str(file), "train", 120, tmp_path / "corpus")


def test_another_size_than_the_vocabulary_s_is_refused(
    text: Path, tmp_path: Path
) -> None:
    prepare(str(text), "train", 120, tmp_path)
    with pytest.raises(ValueError, match="vocab_size is 99: set"):
        prepare(str(text), "train", 99, tmp_path)
    vocabulary = str(tmp_path / "vocab.txt")
    other = tmp_path / "other"
    with pytest.raises(ValueError, match="vocab_size is 99: set"):
        prepare(str(text), vocabulary, 99, other)
    assert not other.exists()  # so that the next try is not held to it
    assert len(prepare(str(text), vocabulary, 120, other).vocabulary) == 120


def test_a_folder_made_from_another_corpus_is_refused(
    text: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.txt"
    copy.write_text(text.read_text())
    before = prepare(str(copy), "train", 120, tmp_path / "data")
    for corpus, vocab in ((str(text), "train"), (str(copy), str(copy))):
        with pytest.raises(ValueError, match="was made from"):
            prepare(corpus, vocab, 120, tmp_path / "data")
    copy.write_text(text.read_text() + " More.")
    with pytest.raises(ValueError, match="was made from"):
        prepare(str(copy), "train", 120, tmp_path / "data")
    copy.unlink()  # what was made of it is still there
    after = prepare(str(copy), "train", 120, tmp_path / "data")
    assert after.train.record == before.train.record


def test_a_folder_with_other_files_is_not_written_to(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.tex").write_text("ten years of work")
    asked = ["--corpus", str(text), "--output", str(tmp_path), *SETTINGS]
    assert main(asked) == 2
    assert "such as thesis.tex" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_full_disk_ends_in_one_line(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(tmp_path / "data")]
    asked = ["--corpus", str(text), *data, *SETTINGS, "--steps", "40"]
    assert main([*asked, "--output", str(tmp_path / "a")]) == 0
    capsys.readouterr()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60, limits[1]))
    try:  # not even a line of the metrics fits
        assert main([*asked, "--output", str(tmp_path / "b")]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: ")
    assert "make room" in said


def test_every_setting_is_explained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for each in fields(PretrainingConfig):
        assert f"--{each.name.replace('_', '-')}" in text
    assert "--steps STEPS updates of the weights. Default: 2000" in text
    assert text.count(" Default: ") == len(fields(PretrainingConfig))


def test_full_scale_is_bert_base(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = str(tmp_path / "run")
    assert main(["--scale", "full", "--dry-run", "--output", output]) == 0
    assert "bert, 109,514,298 parameters" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


def test_mistakes_end_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--output", str(tmp_path / "x"), "--corpus", "none.txt"]
    assert main(asked) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main([*asked, "--stages", "0:512"]) == 2
    assert "512 tokens, and max_len is 128" in capsys.readouterr().err


def losses(folder: Path) -> list[float]:
    """Return the held-out losses of a run, and its training loss."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    records = map(json.loads, lines)
    return [r.get("loss", r.get("held_out_loss")) for r in records]


def test_two_processes_reach_the_losses_of_one(
    text: Path, tmp_path: Path
) -> None:
    launch = "-m accelerate.commands.launch --cpu --num_processes 2"
    more = ["--num-machines", "1", "--mixed_precision", "no"]
    asked = ["--corpus", str(text), "--data", str(tmp_path / "data")]
    asked += [*SETTINGS, "--steps", "20", "--evaluate-every", "10"]
    assert main([*asked, "--output", str(tmp_path / "one")]) == 0
    subprocess.run(
        [
            *(sys.executable, *launch.split(), *more),
            *("-m", "bertbook.pretraining", *asked),
            *("--output", str(tmp_path / "two")),
        ],
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        cwd=Path(__file__).parents[2],
        check=True,
    )
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one) == len(two) == 3
    assert one == pytest.approx(two, abs=1e-4)


MEMORY = """
import resource, sys
from pathlib import Path
from tests.pretraining import toy
from bertbook.pretraining.loop import Run
from bertbook.pretraining.store import build_store, train_wordpieces
folder, times = Path(sys.argv[1]), int(sys.argv[2])
vocabulary = train_wordpieces(toy.documents(200), 120)
held_out = build_store(toy.documents(40, 1), vocabulary, folder / "h")
once = build_store(toy.documents(20_000), vocabulary, folder / "o")
train = toy.repeated(once, times, folder / "t")
Run(toy.changed(steps=4), vocabulary, train, held_out, folder / "r").train()
print(train.record.tokens, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_ten_times_the_corpus_takes_no_more_memory(tmp_path: Path) -> None:
    tokens, memory = [], []
    for size in (1, 10):
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, tmp_path / str(size), str(size)],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        )
        held, peak = done.stdout.splitlines()[-1].split()
        tokens.append(int(held))
        memory.append(int(peak) / 1024)
    assert tokens[1] == 10 * tokens[0] > 14_000_000
    # In memory the larger corpus's ids would take 27 MB more than the other's.
    assert memory[1] < memory[0] + 9
