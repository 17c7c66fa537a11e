"""The torch side of `training_steps.py`, which starts it with a directory."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from fine_tuning_torch import optimizer_of


def main() -> None:
    directory = Path(sys.argv[1])
    settings = json.loads((directory / "settings.json").read_text())
    batches = {name: torch.tensor(a) for name, a in np.load(directory / "batches.npz").items()}
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        directory / "before", attn_implementation="eager"
    ).train()
    optimizer = optimizer_of(model, settings["rate"])

    def share(step: int) -> float:
        # The schedule of google-research/bert, whose decay is counted from step 0.
        warm_up = settings["warm_up"]
        return step / warm_up if step < warm_up else 1 - step / settings["total"]

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
    losses, norms = [], []
    for step in range(len(batches["labels"])):
        loss = model(
            input_ids=batches["token_ids"][step].long(),
            token_type_ids=batches["segment_ids"][step].long(),
            attention_mask=batches["padding_mask"][step].long(),
            labels=batches["labels"][step].long(),
        ).loss
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item())
        losses.append(loss.item())
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    np.savez(directory / "weights.npz", **{k: v.numpy() for k, v in model.state_dict().items()})
    version = f"torch {torch.__version__}, transformers {transformers.__version__}"
    result = {"losses": losses, "norms": norms, "version": version}
    (directory / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
