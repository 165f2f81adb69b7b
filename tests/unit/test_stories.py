"""Made-up documents: what a pair holds, and what a classifier can learn."""

import pytest
import torch

from bertbook.pairs import DOES_NOT, FOLLOWS
from bertbook.stories import (
    CLS,
    CONFIG,
    DRAWN,
    FIRST_STAGE_WORD,
    FIRST_TOPIC_WORD,
    NUM_STAGES,
    NUM_TOPICS,
    SEP,
    TASKS,
    WORDS_EACH,
    PairClassifier,
    draw_pairs,
    pair_accuracy,
    train_classifier,
    write_sentences,
)

each_task = pytest.mark.parametrize("task", TASKS)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def read(sentences: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Tell topic and stage from the words, and hold both to be one each."""
    ordered = sentences.sort(dim=1).values
    topics = (ordered[:, :DRAWN] - FIRST_TOPIC_WORD) // WORDS_EACH
    stages = (ordered[:, DRAWN:] - FIRST_STAGE_WORD) // WORDS_EACH
    for found in (topics, stages):
        assert (found == found[:, :1]).all()
    return topics[:, 0], stages[:, 0]


def test_a_sentence_tells_its_topic_and_its_stage() -> None:
    topics = torch.arange(NUM_TOPICS).repeat(NUM_STAGES)
    stages = torch.arange(NUM_STAGES).repeat_interleave(NUM_TOPICS)
    sentences = write_sentences(topics, stages, seeded())
    assert sentences.max() < CONFIG.vocab_size
    found = read(sentences)
    assert torch.equal(found[0], topics)
    assert torch.equal(found[1], stages)
    # Words come in any order: the first one is as often of the stage.
    many = write_sentences(topics.repeat(20), stages.repeat(20), seeded())
    share = (many[:, 0] >= FIRST_STAGE_WORD).double().mean().item()
    assert abs(share - 0.5) < 0.04


@each_task
def test_what_a_negative_breaks(task) -> None:
    token_ids, segment_ids, labels = draw_pairs(task, 4_000, seeded())
    width = 2 * DRAWN
    assert (token_ids[:, 0] == CLS).all()
    assert (token_ids[:, [width + 1, -1]] == SEP).all()
    assert segment_ids[0].tolist() == [0] * (width + 2) + [1] * (width + 1)
    topic_a, stage_a = read(token_ids[:, 1 : width + 1])
    topic_b, stage_b = read(token_ids[:, width + 2 : -1])
    follows = labels == FOLLOWS
    assert abs(follows.double().mean() - 0.5) < 4.5 * 0.5 / 4_000**0.5
    assert set(labels.tolist()) == {FOLLOWS, DOES_NOT}
    assert torch.equal(topic_a[follows], topic_b[follows])
    assert torch.equal(stage_a[follows] + 1, stage_b[follows])
    moved = (stage_b - stage_a)[~follows].unique().tolist()
    same_topic = (topic_a == topic_b)[~follows]
    assert same_topic.all() if task == "SOP" else not same_topic.any()
    steps = {"SOP": [-1], "NSP": [1], "NSP, any stage": range(-8, 10)}
    assert moved == list(steps[task])


def test_a_generator_repeats_pairs_and_training() -> None:
    losses = []
    for _ in range(2):
        torch.manual_seed(1)
        losses.append(train_classifier(PairClassifier(), "SOP", 5, seeded(1)))
    assert losses[0] == losses[1]
    first, other = (
        draw_pairs("NSP", 9, seeded(1)),
        draw_pairs("NSP", 9, seeded(2)),
    )
    assert not torch.equal(first.token_ids, other.token_ids)


def test_a_classifier_learns_the_order_and_nothing_of_the_topic() -> None:
    torch.manual_seed(0)
    model = PairClassifier()
    before = pair_accuracy(model, "SOP", 1_000, seeded(9))
    steps = []
    train_classifier(model, "SOP", 350, seeded(), after_step=steps.append)
    assert steps == list(range(1, 351))
    assert not model.training
    assert 0.4 < before < 0.6
    assert pair_accuracy(model, "SOP", 1_000, seeded(9)) > 0.9
    assert 0.4 < pair_accuracy(model, "NSP", 1_000, seeded(9)) < 0.6


@pytest.mark.parametrize(("task", "count"), [("MLM", 5), ("NSP", 0)])
def test_pairs_that_cannot_be_drawn(task, count) -> None:
    with pytest.raises(ValueError, match=f"{count} pairs of '{task}'"):
        draw_pairs(task, count, seeded())
