"""Made-up documents of one topic, told in ten stages, and pairs from them.

A sentence holds words of its document's topic and words of its stage. So two
neighbors tell by their topic that they belong together, and by their stages
which comes first. A task decides which of the two its negatives break.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from bertbook.bert import Bert, BertConfig, NextSentenceHead, Pooler
from bertbook.pairs import DOES_NOT, FOLLOWS

NUM_TOPICS: Final = 20
NUM_STAGES: Final = 10
WORDS_EACH: Final = 4
"""Words that belong to one topic, and to one stage."""
DRAWN: Final = 3
"""How many words of its topic, and of its stage, a sentence holds."""
CLS, SEP = 0, 1
FIRST_TOPIC_WORD: Final = 2
FIRST_STAGE_WORD: Final = FIRST_TOPIC_WORD + NUM_TOPICS * WORDS_EACH
CONFIG: Final = BertConfig(
    vocab_size=FIRST_STAGE_WORD + NUM_STAGES * WORDS_EACH,
    num_layers=2,
    d_model=64,
    num_heads=4,
    d_ff=128,
    max_len=4 * DRAWN + 3,
    dropout=0.0,
)
"""The sizes of the classifier."""

Places = tuple[Tensor, Tensor, Tensor, Tensor]
"""Topic and stage of A, topic and stage of B."""


class Pairs(NamedTuple):
    """Sequences `[CLS] A [SEP] B [SEP]`, and whether B follows A."""

    token_ids: Int[Tensor, "batch seq_len"]
    segment_ids: Int[Tensor, "batch seq_len"]
    labels: Int[Tensor, " batch"]


def write_sentences(
    topics: Int[Tensor, " batch"],
    stages: Int[Tensor, " batch"],
    generator: torch.Generator,
) -> Int[Tensor, "batch words"]:
    """Write one sentence for each topic and stage, its words in any order.

    Args:
        topics: from 0 to 19.
        stages: from 0 to 9.
        generator: the source of all draws.
    """
    shape = (len(topics), DRAWN)
    draws = [
        torch.randint(WORDS_EACH, shape, generator=generator) for _ in range(2)
    ]
    words = torch.cat(
        [
            FIRST_TOPIC_WORD + topics[:, None] * WORDS_EACH + draws[0],
            FIRST_STAGE_WORD + stages[:, None] * WORDS_EACH + draws[1],
        ],
        dim=1,
    )
    order = torch.rand(words.shape, generator=generator).argsort(dim=1)
    return words.gather(1, order)


def _other_topic(topics: Tensor, generator: torch.Generator) -> Tensor:
    step = torch.randint(1, NUM_TOPICS, topics.shape, generator=generator)
    return (topics + step) % NUM_TOPICS


def _break_topic(
    topics: Tensor, stages: Tensor, generator: torch.Generator
) -> Places:
    """B is the right stage of a document on another topic."""
    return topics, stages, _other_topic(topics, generator), stages + 1


def _break_both(
    topics: Tensor, stages: Tensor, generator: torch.Generator
) -> Places:
    """B is any stage of a document on another topic, as in BERT's data."""
    any_stage = torch.randint(NUM_STAGES, stages.shape, generator=generator)
    return topics, stages, _other_topic(topics, generator), any_stage


def _break_order(
    topics: Tensor, stages: Tensor, generator: torch.Generator
) -> Places:
    """A and B are neighbors, swapped."""
    return topics, stages + 1, topics, stages


TASKS: Final[dict[str, Callable[..., Places]]] = {
    "NSP": _break_topic,
    "NSP, any stage": _break_both,
    "SOP": _break_order,
}
"""What a task's negatives are; its positives are neighbors in order."""


def draw_pairs(task: str, num_pairs: int, generator: torch.Generator) -> Pairs:
    """Draw pairs of sentences, a negative by the toss of a coin.

    Args:
        task: a name in `TASKS`.
        num_pairs: how many.
        generator: the source of all draws.

    Raises:
        ValueError: for a task that does not exist, or no pair.
    """
    if task not in TASKS or num_pairs < 1:
        raise ValueError(
            f"{num_pairs} pairs of {task!r}: the tasks are {sorted(TASKS)},"
            " and there is at least one pair"
        )
    topics = torch.randint(NUM_TOPICS, (num_pairs,), generator=generator)
    stages = torch.randint(NUM_STAGES - 1, (num_pairs,), generator=generator)
    broken = torch.rand(num_pairs, generator=generator) < 0.5
    kept = topics, stages, topics, stages + 1
    changed = TASKS[task](topics, stages, generator)
    topic_a, stage_a, topic_b, stage_b = (
        torch.where(broken, new, old)
        for new, old in zip(changed, kept, strict=True)
    )
    first = write_sentences(topic_a, stage_a, generator)
    second = write_sentences(topic_b, stage_b, generator)
    edge = first.new_zeros(num_pairs, 1)
    parts = [edge + CLS, first, edge + SEP, second, edge + SEP]
    token_ids = torch.cat(parts, dim=1)
    segment_ids = torch.zeros_like(token_ids)
    segment_ids[:, first.shape[1] + 2 :] = 1
    labels = torch.where(broken, DOES_NOT, FOLLOWS)
    return Pairs(token_ids, segment_ids, labels)


class PairClassifier(nn.Module):
    """A small BERT that says of a pair whether B follows A.

    Args:
        config: the sizes.
    """

    def __init__(self, config: BertConfig = CONFIG) -> None:
        super().__init__()
        self.bert = Bert(config)
        self.pooler = Pooler(config)
        self.head = NextSentenceHead(config)

    def forward(
        self,
        token_ids: Int[Tensor, "batch seq_len"],
        segment_ids: Int[Tensor, "batch seq_len"],
    ) -> Float[Tensor, "batch 2"]:
        """Return the scores of `FOLLOWS` and `DOES_NOT`."""
        return self.head(self.pooler(self.bert(token_ids, segment_ids)))


def train_classifier(
    model: PairClassifier,
    task: str,
    num_steps: int,
    generator: torch.Generator,
    *,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    after_step: Callable[[int], None] = lambda step: None,
) -> list[float]:
    """Train on fresh pairs of one task, and return the loss of every step.

    The learning rate rises for 100 steps and then falls to zero in a line.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / 100, 1 - step / num_steps)
    )
    losses = []
    model.train()
    for step in range(1, num_steps + 1):
        *read, labels = draw_pairs(task, batch_size, generator)
        loss = F.cross_entropy(model(*read), labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        after_step(step)
    model.eval()
    return losses


@torch.no_grad()
def pair_accuracy(
    model: PairClassifier,
    task: str,
    num_pairs: int,
    generator: torch.Generator,
) -> float:
    """Return the share of new pairs that a classifier labels rightly."""
    token_ids, segment_ids, labels = draw_pairs(task, num_pairs, generator)
    answers = model(token_ids, segment_ids).argmax(dim=1)
    return (answers == labels).float().mean().item()
