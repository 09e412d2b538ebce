"""What to say of a photo whose subject is softer than something else in it."""

from __future__ import annotations

from focuskit.cull.beside import Beside
from focuskit.cull.measures import Measures

__all__ = ["lies_beside", "subject_missed", "subject_name", "too_alike"]

# A subject's edges this much wider than those elsewhere were missed, whatever it is made of.
_CLEARLY_WIDER = 2.2


def subject_name(measures: Measures) -> str:
    """Return what was judged, for use within a sentence."""
    kind = measures.region.kind
    return "the subject" if kind == "given" else f"the {kind}"


def too_alike(measures: Measures, sharp_width_px: float) -> bool:
    """Return whether soft edges may be the subject's own nature although something else is sharp.

    Skin and lids have softer edges than cloth and lettering, in focus too. What a person gave as
    the subject is judged as it is.

    Args:
        measures: of the shot.
        sharp_width_px: edges up to this are sharp.
    """
    beside = measures.beside
    if beside is None or measures.region.kind == "given":
        return False
    alike = measures["edge_width"] < _CLEARLY_WIDER * beside.edge_width_px
    return alike and beside.edge_width_px <= sharp_width_px


def lies_beside(measures: Measures, sharp_width_px: float) -> bool:
    """Return whether the plane of focus lies beside the subject, and not beside everything.

    Args:
        measures: of a shot whose subject is out of focus.
        sharp_width_px: edges up to this are sharp.
    """
    beside = measures.beside
    if beside is None:
        return False
    wider = measures["edge_width"] >= _CLEARLY_WIDER * beside.edge_width_px
    return wider or beside.edge_width_px <= sharp_width_px


def subject_missed(measures: Measures, beside: Beside) -> tuple[str, str]:
    """Return the code and the sentence for a plane of focus that lies beside the subject."""
    widths = (
        f"edges at {subject_name(measures)} are {measures['edge_width']:.1f} px wide, elsewhere "
        f"{beside.edge_width_px:.1f} px"
    )
    if beside.side is None:
        return "defocus", f"The plane of focus lies beside the subject: {widths}."
    where = "before" if beside.side == "front" else "behind"
    text = f"The plane of focus lies {where} the subject: {widths}; {beside.hint}."
    return f"{beside.side}-focus", text
