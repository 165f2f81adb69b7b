"""Fine-tuning on few labels: fair draws, pads that count for nothing."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, BertModel

from bertbook import corpora, transfer
from bertbook.corpora import Review
from bertbook.runtime import device, seed_everything

REVIEWS = [Review(f"sentence {i}", int(i < 13)) for i in range(37)]


def small_encoder():
    config = BertConfig(
        vocab_size=40,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=37,
    )
    return BertModel(config)


def made_data(rows=21, length=9):
    """Sentences whose label is whether token 7 occurs."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(8, 40, (rows, length), generator=generator)
    labels = torch.arange(rows) % 2
    ids[labels == 1, 2] = 7
    lengths = torch.randint(3, length + 1, (rows,), generator=generator)
    lengths[0] = length
    padding = torch.arange(length) < lengths[:, None]
    return transfer.Encoded(ids * padding, padding, labels)


def test_a_draw_is_balanced_repeatable_and_without_repeats():
    drawn = transfer.draw_labeled(REVIEWS, 26, seed_everything(0))
    assert sum(review.label for review in drawn) == 13
    assert len({*drawn}) == 26
    again = transfer.draw_labeled(REVIEWS, 26, seed_everything(0))
    other = transfer.draw_labeled(REVIEWS, 26, seed_everything(1))
    assert drawn == again != other


@pytest.mark.parametrize("number", [7, 28])
def test_a_draw_that_cannot_be_balanced_is_refused(number):
    with pytest.raises(ValueError, match=f"num_labels is {number}"):
        transfer.draw_labeled(REVIEWS, number, seed_everything(0))


def test_pads_change_nothing():
    seed_everything(0)
    model = transfer.SentenceClassifier(small_encoder()).eval()
    ids = torch.randint(8, 40, (3, 5))
    real = torch.ones(3, 5).bool()
    alone = model(ids, real)
    more = torch.nn.functional.pad(ids, (0, 4), value=11)
    padded = model(more, torch.nn.functional.pad(real, (0, 4)))
    torch.testing.assert_close(alone, padded, atol=1e-6, rtol=0)


def test_rows_are_cut_to_the_longest_of_them():
    data = made_data()
    some = data.rows(torch.tensor([3, 5]))
    width = int(data.padding[[3, 5]].sum(1).max())
    assert some.token_ids.shape == (2, width)
    assert torch.equal(some.labels, data.labels[[3, 5]])


def test_fine_tuning_learns_a_rule_and_moves_every_weight():
    generator = seed_everything(0)
    model = transfer.SentenceClassifier(small_encoder()).to(device)
    data = transfer.Encoded(*(part.to(device) for part in made_data()))
    before = {n: w.detach().clone() for n, w in model.named_parameters()}
    losses = transfer.fine_tune(
        model, data, learning_rate=1e-2, num_epochs=20, generator=generator,
        batch_size=8,
    )  # fmt: skip
    assert len(losses) == 20 * 3
    assert not model.training
    assert sum(losses[-6:]) < 0.5 * sum(losses[:6])
    assert transfer.accuracy(model, data) > 0.9
    still = {
        n for n, w in model.named_parameters() if torch.equal(w, before[n])
    }
    assert all("pooler" in name for name in still)


def test_the_same_seed_gives_the_same_losses():
    def losses():
        generator = seed_everything(3)
        model = transfer.SentenceClassifier(small_encoder())
        return transfer.fine_tune(
            model.to(device),
            transfer.Encoded(*(part.to(device) for part in made_data())),
            learning_rate=1e-3,
            num_epochs=2,
            generator=generator,
        )

    assert losses() == losses()


def test_accuracy_counts_each_sentence_once():
    class Knowing(transfer.SentenceClassifier):
        def __init__(self):
            torch.nn.Module.__init__(self)

        def forward(self, token_ids, padding):
            found = (token_ids == 7).any(dim=1).float()
            return torch.stack([1 - found, found], dim=1)

    data = made_data(rows=150)
    assert transfer.accuracy(Knowing(), data) == 1.0
    wrong = data._replace(labels=1 - data.labels)
    assert transfer.accuracy(Knowing(), wrong) == 0.0


def test_the_two_arms_differ_in_their_weights_alone():
    seed_everything(0)
    tokenizer, trained = transfer.new_classifier(pretrained=True)
    _, random = transfer.new_classifier(pretrained=False)
    shapes = [
        {name: weight.shape for name, weight in model.named_parameters()}
        for model in (trained, random)
    ]
    assert shapes[0] == shapes[1]
    name = "encoder.encoder.layer.3.attention.self.query.weight"
    published = corpora.encoder()[1].state_dict()[name[8:]]
    assert torch.equal(trained.state_dict()[name], published)
    assert not torch.equal(random.state_dict()[name], published)
    long = [Review("word " * 99, 1), Review("word", 0)]
    data = transfer.encode(long, tokenizer)
    assert data.padding.sum(1).tolist() == [transfer.MAX_PIECES, 3]
    with pytest.raises(ValueError, match="no review"):
        transfer.encode([], tokenizer)


def test_the_estimate_of_the_work_is_close_to_the_count():
    seed_everything(0)
    encoder = small_encoder()
    ids = torch.randint(8, 40, (5, 7))
    with FlopCounterMode(display=False) as counter:
        encoder(ids).last_hidden_state.sum().backward()
    estimate = transfer.training_flops(encoder, ids.numel())
    assert 0.8 < counter.get_total_flops() / estimate < 1.2
