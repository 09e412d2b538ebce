"""Figures on what was held back from training."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from focuskit.detect.network import STRIDE, FocusNet
from focuskit.training.example import Pools
from focuskit.training.metrics import score_photo, summarise

__all__ = ["Validation"]

_SIZE = 320
_RESAMPLES = 10
_COC_RANGE_PX = (2.0, 20.0)
# With less than this share of the frame above one half, a map says that nothing is in focus.
_NOTHING = 0.01

Map = NDArray[np.float32]


class Validation:
    """Judges a network on held-out examples, by kind."""

    def __init__(self, examples: Pools) -> None:
        self.examples = examples

    def __call__(self, network: FocusNet) -> dict[str, float]:
        """Return figures by name; those of photos with masks are at 320×320."""
        network.eval()
        figures = self._masks(network) | self._frames(network) | self._scenes(network)
        return figures | self._whole(network)

    def _masks(self, network: FocusNet) -> dict[str, float]:
        scores = []
        for example in self.examples.get("cuhk", ()):
            small = cv2.resize(example.rgb, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA)
            probability = _run(network, np.asarray(small, np.uint8))[0]
            height, width = example.in_focus.shape
            large = cv2.resize(probability, (width, height), interpolation=cv2.INTER_LINEAR)
            scores.append(score_photo(np.clip(large, 0, 1), example.in_focus > 0.5))
        if not scores:
            return {}
        summary = summarise(scores, resamples=_RESAMPLES)
        return {
            "f_max": summary.f_max.value,
            "f_blur": summary.f_blur.value,
            "mae": summary.mae.value,
            "auc": summary.auc.value,
            "ece": summary.ece.value,
        }

    def _frames(self, network: FocusNet) -> dict[str, float]:
        """Share of decided pixels of pairs and sweeps that are called right, mean over classes."""
        figures = {}
        for kind in ("pairs", "sweeps"):
            rates: list[float] = []
            for example in self.examples.get(kind, ()):
                called = _run(network, example.rgb)[0] >= 0.5
                truth, decided = example.in_focus >= 0.5, example.weight >= 0.9
                rates += [
                    float((called[decided & (truth == side)] == side).mean())
                    for side in (True, False)
                    if (decided & (truth == side)).sum() > 100
                ]
            if rates:
                figures[f"{kind}_accuracy"] = float(np.mean(rates))
        return figures

    def _scenes(self, network: FocusNet) -> dict[str, float]:
        errors = []
        for example in self.examples.get("scenes", ())[::2]:
            coc = _run(network, example.rgb)[1]
            truth = example.coc_diameter_px
            # NaN, where nobody knows it, is on neither side.
            judged = (truth >= _COC_RANGE_PX[0]) & (truth <= _COC_RANGE_PX[1])
            errors.append(np.abs(coc[judged] - truth[judged]) / truth[judged])
        if not any(each.size for each in errors):
            return {}
        return {"coc_error": float(np.median(np.concatenate(errors)))}

    def _whole(self, network: FocusNet) -> dict[str, float]:
        """Share of whole frames called "nothing in focus", by whether that is right."""
        calls: dict[str, list[bool]] = {"missed_called": [], "sharp_called": []}
        for example in self.examples.get("whole", ()):
            sharp = bool(example.in_focus.mean() > 0.5)
            if not sharp and float(example.weight.min()) < 0.9:
                continue  # nothing to judge by
            share = float((_run(network, example.rgb)[0] >= 0.5).mean())
            calls["sharp_called" if sharp else "missed_called"].append(share < _NOTHING)
        return {name: float(np.mean(called)) for name, called in calls.items() if called}


def _run(network: FocusNet, rgb: NDArray[np.uint8]) -> tuple[Map, Map]:
    """Return probability and CoC of a picture at its own size."""
    height, width = rgb.shape[:2]
    down, right = -height % STRIDE, -width % STRIDE
    padded = cv2.copyMakeBorder(rgb, 0, down, 0, right, cv2.BORDER_REFLECT)
    batch = torch.from_numpy(padded.astype(np.float32) / 255).permute(2, 0, 1)[None]
    device = next(network.parameters()).device
    with torch.inference_mode():
        outputs = network(batch.to(device))
        maps = (torch.sigmoid(outputs.in_focus), torch.exp2(outputs.log_coc) - 1)
        small = [x[0, 0].float().cpu().numpy() for x in maps]
    size = (width + right, height + down)
    probability, coc = (
        np.asarray(cv2.resize(x, size, interpolation=cv2.INTER_LINEAR), np.float32) for x in small
    )
    return probability[:height, :width], np.maximum(coc[:height, :width], 0)
