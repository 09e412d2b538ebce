"""What `focuskit cull eval` and `focuskit cull calibrate` print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from focuskit.cli._options import Format
from focuskit.cli._output import print_rows

if TYPE_CHECKING:
    from focuskit.batch.agreement import Agreement, Share
    from focuskit.batch.calibrate import Fitted, Outcome

__all__ = ["ROW_COLUMNS", "agreement_as_json", "print_agreement", "print_fitted"]

ROW_COLUMNS = ("shot", "picked", "verdict", "reason", "confidence", "explanation")
_WORST = 10


def _figures(found: Agreement) -> list[tuple[str, Share]]:
    return [
        ("reject precision", found.reject_precision),
        ("reject recall", found.reject_recall),
        ("keepers rejected", found.keepers_lost),
        ("left to the eye", found.left_to_the_eye),
    ]


def print_agreement(found: Agreement) -> None:
    """Print figures, confusion, reasons and the worst mistakes as tables."""
    figures = [
        {
            "figure": name,
            "value": _share(share.value, share.of),
            "95 %": "–".join(f"{end:.1%}" for end in share.interval) if share.of else None,
            "counted": f"{share.hits} of {share.of}",
        }
        for name, share in _figures(found)
    ]
    _table("", figures)
    _table("You picked, and the verdict:", _confusion(found))
    _table("By reason:", _reasons(found))
    wrong = [row for row in found.rows if row["agrees"] is False]
    if wrong:
        _table("Most surely wrong:", wrong[:_WORST], ROW_COLUMNS)


def _confusion(found: Agreement) -> list[dict[str, Any]]:
    return [
        {"picked": "keeper" if keep else "reject"}
        | {
            verdict: found.counts.get((keep, verdict), 0)
            for verdict in ("keeper", "cant-tell", "reject")
        }
        for keep in (True, False)
    ]


def _reasons(found: Agreement) -> list[dict[str, Any]]:
    codes = sorted({code for code, _ in found.by_reason})
    return [
        {
            "reason": code,
            "you kept": found.by_reason.get((code, True), 0),
            "you rejected": found.by_reason.get((code, False), 0),
        }
        for code in codes
    ]


def agreement_as_json(found: Agreement, troubles: Sequence[str]) -> dict[str, Any]:
    """Return figures, confusion, reasons, every shot compared and what could not be used."""
    return {
        "figures": {
            name.replace(" ", "_"): {
                "value": share.value if share.of else None,
                "low": share.interval[0],
                "high": share.interval[1],
                "hits": share.hits,
                "of": share.of,
            }
            for name, share in _figures(found)
        },
        "confusion": _confusion(found),
        "reasons": _reasons(found),
        "shots": list(found.rows),
        "without_pick": found.without_pick,
        "failed": found.failed,
        "troubles": list(troubles),
    }


def print_fitted(fitted: Fitted) -> None:
    """Print which lines moved, and what that gains on held-out picks."""
    moved = [{"line": name, "before": was, "after": now} for name, was, now in fitted.moved]
    if moved:
        _table("Lines that moved:", moved)
    _table(
        f"On held-out picks ({fitted.groups} days or sets, never divided):",
        [
            {"lines": "before"} | _outcome(fitted.before),
            {"lines": "after"} | _outcome(fitted.after),
        ],
    )


def _outcome(outcome: Outcome) -> dict[str, Any]:
    from focuskit.batch.agreement import Share

    precision = Share(outcome.rejected, outcome.rejected + outcome.lost)
    return {
        "keepers rejected": outcome.lost,
        "rejects kept": outcome.missed,
        "can't tell": outcome.unsure,
        "rightly rejected": outcome.rejected,
        "reject precision": _share(precision.value, precision.of),
        "mean cost": round(outcome.cost, 4),
    }


def _share(value: float, of: int) -> str | None:
    return f"{value:.1%}" if of else None


def _table(
    title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None
) -> None:
    if title:
        typer.echo(f"\n{title}")
    print_rows(rows, rows, columns or list(rows[0]), Format.TABLE)
