"""Copy our weights into PyTorch's own layers, to compare what they compute."""

import torch
from torch import nn

from bertbook.attention import MultiHeadAttention
from bertbook.blocks import BlockConfig, DecoderBlock, EncoderBlock, PreNormAdd
from bertbook.transformer import Transformer, TransformerConfig


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed + sum(shape))
    )


def torch_sizes(config: BlockConfig, residual: type) -> dict:
    return {
        "d_model": config.d_model,
        "nhead": config.num_heads,
        "dim_feedforward": config.d_ff,
        "dropout": config.dropout,
        "layer_norm_eps": config.epsilon,
        "batch_first": True,
        "norm_first": residual is PreNormAdd,
    }


def torch_stacks(config: TransformerConfig, residual: type) -> nn.Transformer:
    """Only the pre-norm stacks end in a norm of their own, as the paper's."""
    sizes = torch_sizes(config, residual)
    norms = [
        nn.LayerNorm(config.d_model, eps=config.epsilon)
        if residual is PreNormAdd
        else None
        for _ in range(2)
    ]
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(**sizes),
        config.num_layers,
        norms[0],
        enable_nested_tensor=False,
    )
    decoder = nn.TransformerDecoder(
        nn.TransformerDecoderLayer(**sizes), config.num_layers, norms[1]
    )
    return nn.Transformer(
        config.d_model,
        config.num_heads,
        batch_first=True,
        custom_encoder=encoder,
        custom_decoder=decoder,
    )


def copy_attention(ours: MultiHeadAttention, theirs: nn.MultiheadAttention):
    parts = ours.query, ours.key, ours.value
    theirs.in_proj_weight.data = torch.cat([part.weight for part in parts])
    theirs.in_proj_bias.data = torch.cat([part.bias for part in parts])
    theirs.out_proj.load_state_dict(ours.output.state_dict())


def copy_encoder_block(ours: EncoderBlock, theirs: nn.TransformerEncoderLayer):
    copy_attention(ours.attention, theirs.self_attn)
    pairs = [
        (ours.feed_forward.widen, theirs.linear1),
        (ours.feed_forward.narrow, theirs.linear2),
        (ours.add_attention.norm, theirs.norm1),
        (ours.add_feed_forward.norm, theirs.norm2),
    ]
    for mine, other in pairs:
        other.load_state_dict(mine.state_dict())


def copy_decoder_block(ours: DecoderBlock, theirs: nn.TransformerDecoderLayer):
    copy_attention(ours.attention, theirs.self_attn)
    copy_attention(ours.cross_attention, theirs.multihead_attn)
    pairs = [
        (ours.feed_forward.widen, theirs.linear1),
        (ours.feed_forward.narrow, theirs.linear2),
        (ours.add_attention.norm, theirs.norm1),
        (ours.add_cross_attention.norm, theirs.norm2),
        (ours.add_feed_forward.norm, theirs.norm3),
    ]
    for mine, other in pairs:
        other.load_state_dict(mine.state_dict())


def copy_transformer(ours: Transformer, theirs: nn.Transformer):
    for mine, other in zip(
        ours.encoder.blocks, theirs.encoder.layers, strict=True
    ):
        copy_encoder_block(mine, other)
    for mine, other in zip(
        ours.decoder.blocks, theirs.decoder.layers, strict=True
    ):
        copy_decoder_block(mine, other)
