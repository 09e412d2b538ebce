"""What other cullers measure, written anew from their descriptions, on the same pictures.

`python -m tests.bench.cull_peers DATA [development|judging]` prints all lines with all peers.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from focuskit.training.judging_cull import Line, Peer, judge_cull
from focuskit.training.judging_scenes import Part
from focuskit.training.trials import BASELINES

Pixels = NDArray[np.uint8]

_TILE = 40


def cleanvision(gray: Pixels) -> float:
    """Edges of the picture at 64 px: their deviation, as 1 - exp(-0.01 x)."""
    picture = Image.fromarray(gray)
    picture.thumbnail((64, 64))
    edges = np.asarray(picture.filter(ImageFilter.FIND_EDGES), np.float64)
    return float(1 - np.exp(-0.01 * edges.std()))


def digikam(gray: Pixels) -> float:
    """Less the share of pixels whose |Laplacian|, logarithmic and smoothed, is below 115 of 255.

    Tiles of 40 px without contrast are taken for background and left out.
    """
    response = np.abs(cv2.Laplacian(gray, cv2.CV_32F))
    level = np.clip(255 * np.log(np.maximum(response, 1)) / np.log(30), 0, 255).astype(np.uint8)
    smooth = cv2.medianBlur(cv2.blur(level, (5, 5)), 5)
    blurred, weighted = 0, 0
    for y in range(0, gray.shape[0], _TILE):
        for x in range(0, gray.shape[1], _TILE):
            tile = (slice(y, y + _TILE), slice(x, x + _TILE))
            if gray[tile].std() >= 10:
                weighted += smooth[tile].size
                blurred += int((smooth[tile] < 115).sum())
    return -blurred / weighted if weighted else -1.0


def digikam_moved(gray: Pixels) -> bool:
    """Most tiles with lines have more than three of them, nearly parallel."""
    edges = cv2.Canny(gray, 50, 150)
    votes = []
    for y in range(0, gray.shape[0] - _TILE + 1, _TILE):
        for x in range(0, gray.shape[1] - _TILE + 1, _TILE):
            tile = np.ascontiguousarray(edges[y : y + _TILE, x : x + _TILE])
            lines = cv2.HoughLinesP(tile, 1, np.pi / 180, 10, minLineLength=8, maxLineGap=3)
            if lines is not None:
                ends = lines.reshape(-1, 4).astype(np.float64)
                theta = np.arctan2(ends[:, 3] - ends[:, 1], ends[:, 2] - ends[:, 0])
                votes.append(len(ends) > 3 and theta.std() < 0.65)
    return bool(votes) and float(np.mean(votes)) > 0.5


PEERS = (
    *(Peer(name, measure) for name, measure in BASELINES.items()),
    Peer("digiKam", digikam, digikam_moved),
    Peer("cleanvision", cleanvision),
)


def main(data: str, part: str = "judging", *lines: str) -> None:
    chosen = [Line(line) for line in lines] or list(Line)
    rows = judge_cull(Path(data), Part(part), lines=chosen, peers=PEERS)
    for row in rows:
        sys.stdout.write("| " + " | ".join(str(value) for value in row.values()) + " |\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
