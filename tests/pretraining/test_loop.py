"""The loop learns, repeats itself, and loses nothing."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bertbook.masking import IGNORED
from bertbook.pretraining.checkpoint import CheckpointError, Checkpoints
from bertbook.pretraining.loop import NotFinite, Run
from bertbook.pretraining.prepare import Prepared
from bertbook.pretraining.store import build_store
from bertbook.tokenization import CLS, MASK, PAD, SEP, SPECIAL, UNK
from tests.pretraining import toy

HERE = Path(__file__).parent


def weights(model: torch.nn.Module) -> list[torch.Tensor]:
    """Return copies of all weights."""
    return [p.detach().clone() for p in model.parameters()]


def equal(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    """Tell whether all tensors are equal, bit by bit."""
    return all(map(torch.equal, a, b))


def test_it_learns_more_than_the_frequencies_of_words(
    texts: Prepared, tmp_path: Path
) -> None:
    config = toy.changed(steps=200, rows=16, d_model=32, d_ff=64, dropout=0.0)
    run = Run(config, *texts, tmp_path)
    before, _ = run.evaluate()
    run.train()
    after, accuracy = run.evaluate()
    ids = torch.from_numpy(texts.train.tokens.astype(int))
    share = ids.bincount(minlength=120).double() / len(ids)
    entropy = -(share * share.clamp(min=1e-12).log()).sum().item()
    assert before == pytest.approx(torch.tensor(120.0).log().item(), abs=0.3)
    assert after < entropy - 0.3
    assert accuracy > share.max().item()


def test_the_same_settings_give_the_same_weights(
    texts: Prepared, tmp_path: Path
) -> None:
    runs = [
        weights(Run(toy.CONFIG, *texts, tmp_path / name).train())
        for name in "ab"
    ]
    other = Run(toy.changed(seed=1), *texts, tmp_path / "c").train()
    assert equal(*runs)
    assert not equal(runs[0], weights(other))


def test_a_run_killed_at_twenty_moments_ends_with_the_same_bits(
    tmp_path: Path,
) -> None:
    root = str(HERE.parents[1])
    done = subprocess.run(
        [sys.executable, HERE / "killed.py", tmp_path],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert sum(report["kills"]) >= 20
    assert min(report["kills"]) >= 1
    # The moments are spread over the run: at its begin, inside, at its end.
    assert len(set(report["steps"])) >= 5
    assert set(report["ended"]) == {40}
    assert report["equal"]
    assert report["same metrics"]


def test_half_the_rows_at_a_time_give_the_same_gradients(
    texts: Prepared, tmp_path: Path
) -> None:
    config = toy.changed(steps=5, dropout=0.0)
    whole = weights(Run(config, *texts, tmp_path / "a").train())
    config = toy.changed(steps=5, dropout=0.0, accumulate=2)
    halves = weights(Run(config, *texts, tmp_path / "b").train())
    for a, b in zip(whole, halves, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_more_steps_are_the_same_run_before_the_rate_falls(
    texts: Prepared, tmp_path: Path
) -> None:
    long = toy.changed(steps=60)
    straight = weights(Run(long, *texts, tmp_path / "a").train())
    Run(toy.CONFIG, *texts, tmp_path / "b").train(until=20)
    run = Run(long, *texts, tmp_path / "b", resume=True)
    assert run.step == 20
    assert equal(straight, weights(run.train()))


def test_more_steps_are_refused_once_the_rate_has_fallen(
    texts: Prepared, tmp_path: Path
) -> None:
    Run(toy.CONFIG, *texts, tmp_path).train(until=36)
    with pytest.raises(CheckpointError, match="steps 40 → 60"):
        Run(toy.changed(steps=60), *texts, tmp_path, resume=True)


def test_other_settings_are_refused(texts: Prepared, tmp_path: Path) -> None:
    Run(toy.CONFIG, *texts, tmp_path).train(until=4)
    other = toy.changed(learning_rate=0.5)
    with pytest.raises(CheckpointError, match=r"learning_rate 0\.01 → 0\.5"):
        Run(other, *texts, tmp_path, resume=True)


def test_a_loss_that_is_no_number_stops_before_the_weights(
    texts: Prepared, tmp_path: Path
) -> None:
    run = Run(toy.CONFIG, *texts, tmp_path)
    run.train(until=4)
    before = Checkpoints(tmp_path).load(toy.CONFIG)[1]
    with torch.no_grad():
        run.plain.head.bias[7] = float("nan")
    with pytest.raises(NotFinite, match="the loss is nan at step 5"):
        run.train()
    step, after = Checkpoints(tmp_path).load(toy.CONFIG)
    assert step == 4
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_gradient_that_is_no_number_stops_before_the_weights(
    texts: Prepared, tmp_path: Path
) -> None:
    run = Run(toy.CONFIG, *texts, tmp_path)
    run.train(until=3)
    before = weights(run.plain)
    run.plain.head.bias.register_hook(lambda slope: slope / 0)
    with pytest.raises(NotFinite, match="length of the gradient is"):
        run.train()
    assert equal(before, weights(run.plain))
    assert Checkpoints(tmp_path).latest()["step"] == 2


@pytest.mark.parametrize("cut", [0, 100, -1])
def test_a_damaged_checkpoint_is_named(
    texts: Prepared, tmp_path: Path, cut: int
) -> None:
    Run(toy.CONFIG, *texts, tmp_path).train(until=4)
    file = tmp_path / "step-00000004.safetensors"
    data = bytearray(file.read_bytes())
    if cut == -1:
        data[-1] ^= 1
    file.write_bytes(data if cut == -1 else data[:cut])
    said = r"04\.safetensors is damaged.*delete .*04\.json to go on from .*02"
    with pytest.raises(CheckpointError, match=said):
        Run(toy.CONFIG, *texts, tmp_path, resume=True)
    file.with_suffix(".json").unlink()
    straight = weights(Run(toy.CONFIG, *texts, tmp_path / "a").train())
    resumed = Run(toy.CONFIG, *texts, tmp_path, resume=True)
    assert resumed.step == 2
    assert equal(straight, weights(resumed.train()))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"step": 4}'])
def test_a_damaged_record_is_named(
    texts: Prepared, tmp_path: Path, text: str
) -> None:
    Run(toy.CONFIG, *texts, tmp_path).train(until=4)
    (tmp_path / "step-00000004.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"04\.json cannot be read"):
        Run(toy.CONFIG, *texts, tmp_path, resume=True)


def test_what_a_kill_leaves_behind_is_no_other_run(
    texts: Prepared, tmp_path: Path
) -> None:
    for name in ("step-00000002.safetensors", "metrics.jsonl.partial"):
        (tmp_path / name).write_bytes(b"cut sho")
    run = Run(toy.CONFIG, *texts, tmp_path)
    run.train(until=4)
    assert Run(toy.CONFIG, *texts, tmp_path, resume=True).step == 4


def test_other_texts_are_refused(
    texts: Prepared, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    Run(toy.CONFIG, *texts, tmp_path).train(until=4)
    folder = tmp_path_factory.mktemp("other")
    other = build_store(toy.documents(50), texts.vocabulary, folder / "train")
    with pytest.raises(CheckpointError, match="begun on other texts"):
        Run(
            toy.CONFIG,
            texts.vocabulary,
            other,
            texts.held_out,
            tmp_path,
            resume=True,
        )


def test_special_tokens_are_found_where_the_vocabulary_has_them(
    texts: Prepared, tmp_path: Path
) -> None:
    """As in BERT's own vocabulary, which begins with unused entries."""
    turned = texts.vocabulary[::-1]
    stores = [
        build_store(toy.documents(40, seed), turned, tmp_path / str(seed))
        for seed in (0, 1)
    ]
    run = Run(toy.CONFIG, turned, *stores, tmp_path / "run")
    rows, labels = run.batches(0)
    ids = {token: turned.index(token) for token in SPECIAL}
    begins = rows.token_ids[(rows.position_ids == 0) & rows.real]
    assert set(begins.tolist()) == {ids[CLS]}
    assert (rows.token_ids == ids[MASK]).sum() > 10
    asked = set(labels[labels != IGNORED].tolist())
    assert not asked & {ids[PAD], ids[CLS], ids[SEP], ids[MASK]}
    text = rows.token_ids[rows.real & (labels == IGNORED)].tolist()
    words = " ".join(turned[i] for i in text)
    assert "[CLS] the farmer" in words or "[CLS] a sailor" in words
    run.train()


def test_a_row_of_unknown_words_does_not_end_a_run(
    texts: Prepared, tmp_path: Path
) -> None:
    run = Run(toy.CONFIG, *texts, tmp_path)
    unknown = torch.full((1, 32), texts.vocabulary.index(UNK))
    known = run.batches.sampler.rows(0, 2, [32]).token_ids
    read, labels = run.batches.mask(torch.cat([known, unknown]), 0)
    assert torch.equal(read[2], unknown[0])
    assert (labels[2] == IGNORED).all()
    assert (labels[:2] != IGNORED).any()


def test_a_full_disk_leaves_the_checkpoint_before_it(
    texts: Prepared, tmp_path: Path
) -> None:
    run = Run(toy.CONFIG, *texts, tmp_path)
    run.train(until=4)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(CheckpointError, match="the disk is full"):
            run.train(until=6)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.glob("*.partial"))
    straight = Run(toy.CONFIG, *texts, tmp_path / "straight").train()
    resumed = Run(toy.CONFIG, *texts, tmp_path, resume=True)
    assert resumed.step == 4
    assert equal(weights(straight), weights(resumed.train()))


def test_a_folder_with_another_run_is_left_alone(
    texts: Prepared, tmp_path: Path
) -> None:
    Run(toy.CONFIG, *texts, tmp_path).train(until=4)
    with pytest.raises(CheckpointError, match=r"another run.*--resume"):
        Run(toy.CONFIG, *texts, tmp_path)


def test_a_folder_with_other_files_is_left_alone(
    texts: Prepared, tmp_path: Path
) -> None:
    (tmp_path / "thesis.tex").write_text("ten years of work")
    with pytest.raises(CheckpointError, match=r"thesis\.tex"):
        Run(toy.CONFIG, *texts, tmp_path)


def test_there_must_be_something_to_resume(
    texts: Prepared, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint to resume"):
        Run(toy.CONFIG, *texts, tmp_path, resume=True)


def test_a_vocabulary_that_wrote_no_store_is_refused(
    texts: Prepared, tmp_path: Path
) -> None:
    swapped = [*texts.vocabulary[:-2], *texts.vocabulary[:-3:-1]]
    with pytest.raises(ValueError, match="another vocabulary"):
        Run(toy.CONFIG, swapped, *texts[1:], tmp_path)
    with pytest.raises(ValueError, match=r"120 entries, vocab_size is 121"):
        Run(toy.changed(vocab_size=121), *texts, tmp_path)


def test_the_metrics_are_lines_of_json_and_there_is_a_picture(
    texts: Prepared, tmp_path: Path
) -> None:
    Run(toy.CONFIG, *texts, tmp_path).train()
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [r["step"] for r in records] == [20, 20, 40, 40]
    assert records[-1]["held_out_loss"] < records[1]["held_out_loss"]
    assert (tmp_path / "loss.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("masking", ["words", "spans"])
def test_other_maskings_train(
    texts: Prepared, tmp_path: Path, masking: str
) -> None:
    run = Run(toy.changed(masking=masking, steps=3), *texts, tmp_path)
    tokens = run.batches(0)[0].token_ids
    assert (tokens == 4).any()
    run.train()


@pytest.mark.parametrize("precision", ["bf16", "auto"])
def test_other_formats_train(
    texts: Prepared, tmp_path: Path, precision: str
) -> None:
    config = toy.changed(precision=precision, steps=4)
    run = Run(config, *texts, tmp_path)
    run.train()
    assert (
        torch.stack([p.sum() for p in run.plain.parameters()]).isfinite().all()
    )
