"""How good a dual-system policy is on frames that it was not trained on, as it would be used.

The losses do not tell: a flow loss as low as a good policy's went along with hardly any success
(notes/learning-on-a-cpu.md). What does is the error of sampled actions, and whether System 2 says
the right words; both are taken here with System 2's own words and a latent as old as the pair's.
Knows batches; knows no files. Letters as in dual_system.py; N = 2 B rows.
"""

from typing import TYPE_CHECKING

import torch

from policy.network.speech import saying

if TYPE_CHECKING:
    from policy.data.batches import Batch
    from policy.network.dual_system import DualSystem

FIRST_STEPS = 4             # of a chunk: what is executed before the next one comes


@torch.no_grad()
def measure(model: "DualSystem", batch: "Batch") -> dict[str, float]:
    """The measures of a batch, the most telling one first.

    Args:
        model: in evaluation mode.
        batch: of frames that were held out.

    Returns:
        "action error": mean |sampled - recorded| over the first steps, normalised; "target error":
        median distance of the next event's place, normalised; "words right": share of sub-tasks
        said as they were recorded.
    """
    pairs, device = len(batch.subtask), batch.images.device
    images = batch.images.float() / 255
    words = model.body.tokenizer
    ids, known = (t.to(device) for t in words.encode(batch.instruction))
    cloud = None if batch.cloud is None else batch.cloud[:pairs]
    tokens, there = model.read(images[:pairs], ids, known, batch.proprioception[:pairs], cloud)
    read, cache = model.body.run(tokens, 0, model.trunk_blocks, mask=there)
    z = model.bridge(read)
    *_, spoken = saying(model, z, cache, there, model.hints(read))
    said = [words.decode(one) for one in spoken.words]
    code = model.code(batch.instruction if model.config.code == "instruction" else said)
    context = model.look(torch.cat([z, z]), torch.cat([code, code]), batch.age_steps, images,
                         batch.proprioception, batch.cloud)
    flat = batch.actions.flatten(1)
    noise = torch.randn(flat.shape, generator=torch.Generator().manual_seed(0)).to(device)
    nothing = torch.zeros_like(flat)
    steps = model.config.flow_steps
    chunk = model.denoise(context, noise, steps, nothing, nothing) if steps else context.direct
    wrong = (chunk.view_as(batch.actions) - batch.actions)[:, :FIRST_STEPS].abs().mean(-1)
    valid = batch.action_valid[:, :FIRST_STEPS]
    aside = (context.target - batch.event).norm(dim=1)[batch.event_valid > 0]
    right = [a == b for a, b in zip(said, batch.subtask, strict=True)]
    return {"action error": float((wrong * valid).sum() / valid.sum().clamp(min=1.0)),
            "target error": float(aside.median()) if len(aside) else float("nan"),
            "words right": sum(right) / pairs}
