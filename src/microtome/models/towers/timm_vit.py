"""Vision transformers of timm laid open."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from microtome.core.errors import ModelError, problems_together
from microtome.models.towers.base import (
    LayerPart,
    NormPart,
    Place,
    Pooling,
    Tower,
    fused_attention,
    norm_part,
    plain_mlp,
)
from microtome.models.towers.named import comes_from, two
from microtome.models.towers.pooling import CLASS, AttentionRows, linear_parts, row_means


def timm_vit_tower(module: nn.Module) -> Tower | None:
    """The tower of a `VisionTransformer` of timm; None for any other module.

    Raises
    ------
    ModelError
        If it has parts whose output is no sum over heads; all of them are named.
    """
    return timm_tower_in(module, "")


def timm_tower_in(module: nn.Module, prefix: str) -> Tower | None:
    """The same for a module that runs such a transformer under the name `prefix` and returns its output as it is."""
    trunk: Any = module.get_submodule(prefix)
    if not comes_from(trunk, "timm", "VisionTransformer"):
        return None
    problems = [*_odd_blocks(trunk), *_odd_pooling(trunk)]
    if problems:
        raise ModelError(
            f"This VisionTransformer of timm cannot be decomposed:\n{problems_together(problems)}",
            expected="blocks of norm, attention and MLP, each added to the stream, and a pooling that is a mean, "
            "the class token, or one learned query",
        )
    dot = f"{prefix}." if prefix else ""
    blocks = f"{dot}blocks"
    attends = trunk.global_pool == "map"
    tail = attends and trunk.attn_pool.mlp is not None
    return Tower(
        module=module,
        family="ViT of timm",
        start=Place(f"{blocks}.0"),
        end=Place(f"{blocks}.{len(trunk.blocks) - 1}", "output"),
        layers=tuple(_layer(f"{blocks}.{n}", block) for n, block in enumerate(trunk.blocks)),
        pooling=_attention(dot, trunk) if attends else _pooling(dot, trunk),
        tail=Place(f"{dot}attn_pool.mlp", "output") if tail else None,
        tail_name="attn_pool.mlp" if tail else "",
        first_patch=trunk.num_prefix_tokens,
        grid=two(trunk.patch_embed.grid_size),
        patch=two(trunk.patch_embed.patch_size),
        any_size=bool(trunk.dynamic_img_size),
    )


def _odd_blocks(trunk: Any) -> list[str]:
    """What there is in the blocks that has no place in the sum."""
    found = {}
    for block in trunk.blocks:
        if not comes_from(block, "timm", "Block"):
            found[f"blocks of type {type(block).__name__}"] = None
            continue
        if not comes_from(block.attn, "timm", "Attention") or not hasattr(block.attn, "qkv"):
            found[f"attention of type {type(block.attn).__name__}"] = None
            continue
        for part, words in (("q_norm", "a norm of queries and keys"), ("norm", "a norm of what heads mix")):
            if not isinstance(getattr(block.attn, part, None) or nn.Identity(), nn.Identity):
                found[f"{words} ({part})"] = None
        if getattr(block.attn, "gate", None) is not None:
            found["a gate on the attention"] = None
        if not isinstance(block.norm1, nn.LayerNorm):
            found[f"blocks with a norm of type {type(block.norm1).__name__}"] = None
        if not isinstance(getattr(block.mlp, "fc2", None), nn.Linear):
            found[f"an MLP of type {type(block.mlp).__name__}"] = None
        if any(getattr(scale, "inplace", False) for scale in (block.ls1, block.ls2)):
            found["a LayerScale that changes its input in place"] = None
    return list(found)


def _odd_pooling(trunk: Any) -> list[str]:
    """What there is after the blocks that has no place in the sum."""
    problems = []
    norms = [norm for norm in (trunk.norm, trunk.fc_norm) if not isinstance(norm, nn.Identity)]
    problems += [f"a final norm of type {type(n).__name__}" for n in norms if not isinstance(n, nn.LayerNorm)]
    if len(norms) > 1:
        problems.append("two final norms")
    if trunk.global_pool == "":
        problems.append("no pooling: it returns every token (give global_pool='token' or 'avg')")
    elif trunk.global_pool not in ("token", "avg", "map"):
        problems.append(f"pooling '{trunk.global_pool}'")
    if trunk.global_pool == "map":
        pool = trunk.attn_pool
        if not isinstance(trunk.norm, nn.LayerNorm):
            problems.append("attention pooling without a norm before it")
        if not isinstance(pool.q_norm, nn.Identity):
            problems.append("a norm of queries and keys in the attention pooling")
        if pool.latent_len != 1 or pool.pos_embed is not None:
            problems.append("attention pooling with several queries or with positions")
        if not isinstance(pool.proj, nn.Linear):
            problems.append("attention pooling without an output layer")
        if not isinstance(trunk.head, nn.Identity):
            problems.append("a classifier after attention pooling (give num_classes=0)")
    if getattr(trunk.patch_embed, "dynamic_img_pad", False):
        problems.append("images that are padded to whole patches")
    return problems


def _pooling(dot: str, trunk: Any) -> Pooling:
    last = not isinstance(trunk.fc_norm, nn.Identity)
    norm = _final_norm(f"{dot}fc_norm" if last else f"{dot}norm", trunk.fc_norm if last else trunk.norm)
    weight, bias = linear_parts(trunk.head, trunk.embed_dim, trunk.blocks[0].attn.qkv.weight)
    first = 0 if getattr(trunk, "pool_include_prefix", False) else trunk.num_prefix_tokens
    span = CLASS if trunk.global_pool == "token" else (first, None)
    return row_means(weight[None], bias, spans=(span,), norm=norm, norm_last=last)


def _final_norm(name: str, norm: nn.Module) -> NormPart | None:
    return norm_part(name, norm) if isinstance(norm, nn.LayerNorm) else None


def _attention(dot: str, trunk: Any) -> AttentionRows:
    pool = trunk.attn_pool
    norm = norm_part(f"{dot}norm", trunk.norm)
    with torch.no_grad():
        latent = pool.latent[0, 0]
        query = pool.q(latent).view(pool.num_heads, -1)
        kv, bias = pool.kv.weight, pool.kv.bias
        # The query is known already: zeros stand for its projection.
        weight = torch.cat([torch.zeros_like(kv[: kv.shape[0] // 2]), kv])
        bias = None if bias is None else torch.cat([torch.zeros_like(bias[: len(bias) // 2]), bias])
        part = fused_attention(f"{dot}attn_pool", weight=weight, bias=bias, out=pool.proj, heads=pool.num_heads)
    first = 0 if getattr(trunk, "pool_include_prefix", False) else trunk.num_prefix_tokens
    return AttentionRows(part, norm, query, first)


def _layer(name: str, block: Any) -> LayerPart:
    attention = fused_attention(
        f"{name}.attn",
        weight=block.attn.qkv.weight,
        bias=block.attn.qkv.bias,
        out=block.attn.proj,
        heads=block.attn.num_heads,
        layer_scale=_layer_scale(block.ls1),
        mixed=Place(f"{name}.attn.proj"),
    )
    mlp = plain_mlp(f"{name}.mlp", neurons=f"{name}.mlp.fc2", last=block.mlp.fc2, layer_scale=_layer_scale(block.ls2))
    return LayerPart(norm_part(f"{name}.norm1", block.norm1), attention, mlp)


def _layer_scale(part: Any) -> Tensor | None:
    return None if isinstance(part, nn.Identity) else part.gamma.detach()
