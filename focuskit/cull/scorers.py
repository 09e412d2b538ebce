"""The table of measurements."""

from __future__ import annotations

from focuskit.cull.measures import Scorer
from focuskit.registry import Registry

__all__ = ["SCORERS"]

SCORERS: Registry[Scorer] = Registry("scorer", "focuskit.scorers")
SCORERS.add("edge_width", "focuskit.cull.sharpness:EDGE_WIDTH", "width of the sharpest edges")
SCORERS.add("edge_share", "focuskit.cull.sharpness:EDGE_SHARE", "the same against the diagonal")
SCORERS.add("detail", "focuskit.cull.sharpness:DETAIL", "fine detail, within a burst")
SCORERS.add("edge_count", "focuskit.cull.sharpness:EDGE_COUNT", "how many edges there were")
SCORERS.add("in_focus_share", "focuskit.cull.sharpness:IN_FOCUS_SHARE", "how much is in focus")
SCORERS.add("focus_x", "focuskit.cull.sharpness:FOCUS_X", "where the in-focus area lies")
SCORERS.add("focus_y", "focuskit.cull.sharpness:FOCUS_Y", "where the in-focus area lies")
SCORERS.add("texture_share", "focuskit.cull.sharpness:TEXTURE_SHARE", "how much can be judged")
SCORERS.add("motion_probability", "focuskit.cull.motion:MOTION_PROBABILITY", "moved or not")
SCORERS.add("motion_ratio", "focuskit.cull.motion:MOTION_RATIO", "blur along one direction")
SCORERS.add("motion_width", "focuskit.cull.motion:MOTION_WIDTH", "width along that direction")
SCORERS.add("motion_angle", "focuskit.cull.motion:MOTION_ANGLE", "direction of that blur")
SCORERS.add("motion_length", "focuskit.cull.motion:MOTION_LENGTH", "length of that motion")
SCORERS.add("motion_shared", "focuskit.cull.motion:MOTION_SHARED", "camera or subject moved")
SCORERS.add("noise", "focuskit.cull.exposure:NOISE", "noise at 100 %")
SCORERS.add("clipped_high", "focuskit.cull.exposure:CLIPPED_HIGH", "blown highlights")
SCORERS.add("clipped_low", "focuskit.cull.exposure:CLIPPED_LOW", "blocked shadows")
SCORERS.add("brightness", "focuskit.cull.exposure:BRIGHTNESS", "mean tone")
