"""What both systems are trained for, on one batch.

Fast-in-Slow trains action generation and autoregressive reasoning together (arXiv 2506.01953,
section 3.3); System 2's frame is truly older than System 1's, as it will be when both run (section
3.2; DuoCore's co-training). The older frame also serves System 1 itself, at age 0. Beside the flow:
a direct regression of the chunk, where the tool will be at the next event (that is how the eye
learns to look), and System 2's words. Knows batches; knows no optimiser.
"""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from policy.network.flow_head import random_holds
from policy.network.target_head import Event

if TYPE_CHECKING:
    from policy.data.batches import Batch
    from policy.network.dual_system import Context, DualSystem

EVENT_BETA, EVENT_BETA_AUX = 0.1, 1.0


def dual_loss(model: "DualSystem", batch: "Batch") -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum, and every part of it.

    Args:
        model: the network.
        batch: B pairs of frames; see `Batch`.
    """
    config = model.config
    pairs = len(batch.subtask)
    images = batch.images.float() / 255
    z, speech, event_slow = _system_2(model, batch, images[:pairs])
    if config.latent_dropout and model.training:
        keep = torch.rand(pairs, 1, 1, device=z.device) >= config.latent_dropout
        z = z * keep
    code = model.code(batch.instruction if config.code == "instruction" else batch.subtask)
    context = model.look(torch.cat([z, z]), torch.cat([code, code]), batch.age_steps,
                         images, batch.proprioception, batch.cloud,
                         Event(batch.event, batch.event_valid))
    valid = batch.action_valid[..., None].expand_as(batch.actions).flatten(1)       # (N, C)
    parts = {
        "flow": _flow(model, context, batch, valid),
        "direct": _share((context.direct - batch.actions.flatten(1)).abs(), valid),
        "gaze": _event(context.gaze, batch.event, batch.event_valid, EVENT_BETA),
        "target": _event(context.target, batch.event, batch.event_valid, EVENT_BETA),
        "speech": speech,
        "event": _event(event_slow, batch.event[:pairs], batch.event_valid[:pairs], EVENT_BETA_AUX)
        + _event(model.event_fast(context.summary), batch.event, batch.event_valid,
                 EVENT_BETA_AUX),
    }
    total = (parts["flow"] + config.direct_weight * parts["direct"]
             + config.target_weight * (parts["gaze"] + parts["target"])
             + config.speech_weight * parts["speech"] + config.event_weight * parts["event"])
    return total, {name: part.detach() for name, part in parts.items()}


def _system_2(model: "DualSystem", batch: "Batch", images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Z (B, Q, d), the loss of the words, and where System 2 expects the next event (B, 3)."""
    words, device = model.body.tokenizer, images.device
    ids, known = words.encode(batch.instruction)
    if model.training and model.config.word_dropout and hasattr(words, "unknown_id"):
        drop = torch.rand(ids.shape) < model.config.word_dropout
        ids = torch.where(drop & known, torch.full_like(ids, words.unknown_id), ids)
    said, there = words.encode(batch.subtask)
    begin = torch.full((len(said), 1), words.begin_id)
    heard = torch.cat([begin, said], 1)
    wanted = torch.cat([torch.where(there, said, -100), torch.full((len(said), 1), -100)], 1)
    wanted[torch.arange(len(said)), there.sum(1)] = words.end_id
    cloud = None if batch.cloud is None else batch.cloud[:len(said)]
    tokens, mask = model.read(images, ids.to(device), known.to(device),
                              batch.proprioception[:len(said)], cloud)
    z, logits, last = model.speak(tokens, mask, heard.to(device))
    speech = F.cross_entropy(logits.flatten(0, 1), wanted.to(device).flatten(), ignore_index=-100)
    return z, speech, model.event_slow(last[:, -1])


def _flow(model: "DualSystem", context: "Context", batch: "Batch", valid: Tensor) -> Tensor:
    config, (n, h, a) = model.config, batch.actions.shape
    draws = (n, config.flow_draws)
    chunk = batch.actions.flatten(1)[:, None].expand(-1, draws[1], -1)              # (N, M, C)
    noise = torch.randn_like(chunk)
    time = torch.rand(draws, device=chunk.device) ** config.flow_power
    clean = random_holds(draws, h, a, config.held_share).to(chunk.device)
    x = torch.where(clean > 0, chunk, (1 - time[..., None]) * noise + time[..., None] * chunk)
    slope = model.flow.velocity(x, time, clean, context.vector,
                                lambda tokens, mask: model.act_blocks(context, tokens, mask))
    return _share((slope - (chunk - noise)) ** 2, valid[:, None] * (1 - clean))


def _event(guess: Tensor, event: Tensor, valid: Tensor, beta: float) -> Tensor:
    wrong = F.smooth_l1_loss(guess, event, beta=beta, reduction="none").mean(1)
    return (wrong * valid).mean()


def _share(wrong: Tensor, weight: Tensor) -> Tensor:
    return (wrong * weight).sum() / weight.sum().clamp(min=1.0)
