"""The most probable light behind defocus, under a hyper-Laplacian prior on its gradients.

Squared gradients weigh what those found so far say; each of the linear systems that this leads to
is solved, not to the end, by conjugate gradients scaled with the diagonal.

References:
    A. Levin et al.: Image and depth from a conventional camera with a coded aperture. SIGGRAPH
        2007 (re-weighted least squares).
    D. Krishnan, R. Fergus: Fast image deconvolution using hyper-Laplacian priors. NIPS 2009.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.optics.gathering import Gathering
from focuskit.optics.light_noise import encoding_slope

__all__ = ["most_probable"]

Image = NDArray[np.float32]
Map = NDArray[np.float32]
Planes = NDArray[np.float32]
Weights = tuple[Planes, Planes]

# More steps gain a little where the blur is known, and show its errors where it is a guess.
_OUTER, _INNER = 3, 4
# Of the prior tau |gradient|^p, gradients in encoded values.
_EXPONENT, _TAU, _FLAT = 0.8, 2.4, 0.0135
_TONES_SIGMA_PX = 3.0
_TINY = 1e-12


def most_probable(seen: Image, coc_px: Map, model: Gathering, known: Map, sigma: Image) -> Image:
    """Return the most probable light, (H, W, 3) float32 >= 0.

    Args:
        seen: (H, W, 3) float32, what the lens made of it.
        coc_px: (H, W) float32, the circles of confusion of `model`.
        model: what the lens does.
        known: (H, W) float32 in [0, 1], how far a pixel tells anything.
        sigma: (H, W, 3) float32 > 0, the standard deviation of `seen`.
    """
    # In these units noise and gradients are about even over the tones.
    calm = cv2.GaussianBlur(seen, (0, 0), _TONES_SIGMA_PX)
    slope = _planes(encoding_slope(np.asarray(calm, np.float32)))
    even = slope**-2
    weight = known * _planes(sigma) ** -2
    unit = _planes(seen)
    goal = _each(model.spread_back, weight * unit)
    goal *= slope
    own = _each(model.spread_back, weight)
    own *= _densest(coc_px)
    unit /= slope

    def told(values: Planes) -> Planes:
        """Return what light in these units says of what is seen, on the side of `goal`."""
        found = np.empty_like(values)
        for channel, plane in enumerate(slope * values):
            gathered = model.blur(plane)
            gathered *= weight[channel]
            found[channel] = model.spread_back(gathered)
        found *= slope
        return found

    left = goal - told(unit)
    for _ in range(_OUTER):
        prior = _prior_weights(unit, even)
        rough = _Roughness(prior, slope)
        diagonal = own + _roughness_of_points(prior)
        scale = even / np.maximum(diagonal, np.float32(_TINY), out=diagonal)
        _improve(unit, left, told, rough, scale)
    unit *= slope
    return np.ascontiguousarray(np.maximum(unit, 0).transpose(1, 2, 0))


def _planes(image: Image) -> Planes:
    """Return (H, W, C) as (C, H, W)."""
    return np.ascontiguousarray(image.transpose(2, 0, 1))


def _each(apply: Callable[[Map], Map], planes: Planes) -> Planes:
    return np.stack([apply(plane) for plane in planes])


def _densest(coc_px: Map) -> Map:
    """Return the largest value of a disc: times itself, a disc sums to that."""
    size = np.maximum(coc_px, np.float32(1))
    return np.asarray(np.minimum(np.float32(4 / math.pi) / (size * size), 1), np.float32)


def _prior_weights(encoded: Planes, even: Planes) -> Weights:
    """Return what squared differences of light to the right and down weigh."""
    right, down = (_weights_of(step, even) for step in _differences(encoded))
    return right, down


def _weights_of(step: Planes, even: Planes) -> Planes:
    height, width = step.shape[1:]
    square = np.einsum("chw,chw->hw", step, step)
    square *= np.float32(1 / len(step))
    square += np.float32(_FLAT**2)
    strength = cv2.pow(square, _EXPONENT / 2 - 1).reshape(square.shape)
    return np.asarray(np.float32(_TAU) * strength * even[:, :height, :width], np.float32)


def _differences(planes: Planes) -> tuple[Planes, Planes]:
    """Return the steps to the right, (C, H, W - 1), and down, (C, H - 1, W)."""
    return planes[..., 1:] - planes[..., :-1], planes[:, 1:] - planes[:, :-1]


@dataclass(frozen=True, slots=True, eq=False)
class _Roughness:
    """The gradient of half the weighted squared differences of light."""

    weights: Weights
    slope: Planes

    def __call__(self, values: Planes) -> Planes:
        light = self.slope * values
        right, down = _differences(light)
        right *= self.weights[0]
        down *= self.weights[1]
        total = light
        total.fill(0)
        total[..., :-1] -= right
        total[..., 1:] += right
        total[:, :-1] -= down
        total[:, 1:] += down
        total *= self.slope
        return total


def _roughness_of_points(weights: Weights) -> Planes:
    """Return the diagonal of `_Roughness`, without the slope."""
    right, down = weights
    total = np.zeros((len(right), right.shape[1], down.shape[2]), np.float32)
    total[..., :-1] += right
    total[..., 1:] += right
    total[:, :-1] += down
    total[:, 1:] += down
    return total


def _improve(
    found: Planes,
    unexplained: Planes,
    told: Callable[[Planes], Planes],
    rough: Callable[[Planes], Planes],
    scale: Planes,
) -> None:
    """Take steps of conjugate gradients towards a light that explains all and is not rough.

    Args:
        found: the light, changed in place.
        unexplained: the goal less `told(found)`; kept up to date, in place.
        told: linear, of what was seen.
        rough: linear, of the prior.
        scale: the inverse of the diagonal of both together.
    """
    left = unexplained - rough(found)
    scaled = scale * left
    direction = scaled.copy()
    energy = float(np.vdot(left, scaled))
    for _ in range(_INNER):
        if energy <= 0:
            break
        data, image = told(direction), rough(direction)
        image += data
        step = np.float32(energy / max(float(np.vdot(direction, image)), _TINY**2))
        data *= step
        unexplained -= data
        image *= step
        left -= image
        np.multiply(direction, step, out=image)
        found += image
        np.multiply(scale, left, out=scaled)
        before, energy = energy, float(np.vdot(left, scaled))
        direction *= np.float32(energy / before)
        direction += scaled
