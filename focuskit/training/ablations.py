"""The papers' ablations anew: equal short trainings with and without each part of a system."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from focuskit.errors import InputError, OutputError
from focuskit.training.claims import CLAIMS, TEACHER, Claim, Variant
from focuskit.training.kinds import kind_of
from focuskit.training.masked import mask_scores
from focuskit.training.paired import Difference, PhotoFigures, f_max, mae, paired_difference
from focuskit.training.recipe import Recipe
from focuskit.training.recipes import recipe_named
from focuskit.training.sources import Sources, read_sources
from focuskit.training.system_recipes import StudentRecipe
from focuskit.training.train import train_with

__all__ = ["Row", "ablations_markdown", "claims_of", "run_ablations", "shortened"]

_SCORES = "scores.npz"

Record = dict[str, str | float | int | None]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: a variant, and what it says of a claim.

    Attributes:
        variant: what was trained.
        f_max, mae: on the held-back photos, means over seeds.
        photos: how many were held back.
        claim: what it is to show; None for the whole system.
        difference: from the whole system; None likewise.
    """

    variant: Variant
    f_max: float
    mae: float
    photos: int
    claim: Claim | None = None
    difference: Difference | None = None

    @property
    def holds(self) -> str | None:
        """Whether the claim does here: "yes", "no" (its opposite is shown) or "not shown"."""
        if self.claim is None or self.difference is None:
            return None
        # The difference is the variant's from the whole, the claim is about the reverse.
        if -self.difference.f_max.high > self.claim.least:
            return "yes"
        return "no" if -self.difference.f_max.low < self.claim.least else "not shown"

    def as_record(self) -> Record:
        """Return the row as plain values."""
        claim, difference = self.claim, self.difference
        paper = claim.paper if claim else None
        record: Record = {
            "system": claim.system if claim else self.variant.system,
            "claim": claim.text if claim else None,
            "variant": _called(self.variant, claim),
            "f_max": round(self.f_max, 4),
            "mae": round(self.mae, 4),
        }
        for name in ("f_max", "mae"):
            estimate = getattr(difference, name) if difference else None
            for part, end in (("value", ""), ("low", "_low"), ("high", "_high")):
                value = round(getattr(estimate, part), 4) if estimate else None
                record[f"{name}_difference{end}"] = value
        return record | {
            "paper_f_difference": paper.f if paper else None,
            "paper_mae_difference": paper.mae if paper else None,
            "paper_how": paper.how if paper else None,
            "holds": self.holds,
        }


def claims_of(systems: Sequence[str]) -> tuple[Claim, ...]:
    """Return the claims about systems; all where none is named.

    Raises:
        InputError: nothing is claimed about one of them.
    """
    known = list(dict.fromkeys(claim.system for claim in CLAIMS))
    for name in systems:
        if name not in known:
            raise InputError(
                f"There are no ablations of {name!r}; there are those of {', '.join(known)}."
            )
    return tuple(claim for claim in CLAIMS if not systems or claim.system in systems)


def shortened(recipe: Recipe, steps: int) -> Recipe:
    """Return a recipe of other steps; warm-up and running mean cover the same share of them."""
    share = steps / recipe.steps
    return replace(
        recipe,
        steps=steps,
        warmup=round(share * recipe.warmup),
        average=max(0.0, 1 - (1 - recipe.average) / share),
    )


def run_ablations(
    claims: Sequence[Claim],
    *,
    data: Path,
    output: Path,
    cache: Path,
    steps: int,
    seeds: Sequence[int],
    device: torch.device,
    every: int,
    say: Callable[[str], None],
    settings: Sequence[str] = (),
) -> tuple[Row, ...]:
    """Train every variant that the claims are about, and return what the held-back photos say.

    Each has a folder SYSTEM/VARIANT/seed-N below `output`, as `focuskit train` makes it, and beside
    it the scores of its photos; what is there already is not made again. Students learn from the
    whole teacher of the same seed.

    Args:
        claims: what is to be shown.
        data: folder with the data sets, which are read once.
        output: folder of the runs; made if missing.
        cache: folder for rendered examples.
        steps: of every training.
        seeds: every variant is trained with each of them.
        device: where to train.
        every: steps between checkpoints.
        say: told what happens.
        settings: what all recipes change alike, such as "size=160".

    Raises:
        InputError: the data are not what they should be, or a folder holds a run of another recipe
            or of other data.
        OutputError: a folder cannot be written.
    """
    variants = _variants(claims)
    recipes = {
        (variant, seed): _recipe(variant, seed, steps, output, settings)
        for variant in variants
        for seed in seeds
    }
    # What keeps the last from starting is said before the first is trained.
    for recipe in recipes.values():
        kind_of(recipe).initial(recipe, data, None)
    kinds = frozenset[str]().union(*(recipe.kinds for recipe in recipes.values()))
    sources = read_sources(data, cache, seed=seeds[0], say=say, kinds=kinds)
    if not sources.validation["cuhk"]:
        raise InputError(f"None of the photos of {data} is held back; give more to judge on.")
    for recipe in recipes.values():
        recipe.check_pools(sources.training)
    figures: dict[Variant, list[PhotoFigures]] = {variant: [] for variant in variants}
    for done, ((variant, seed), recipe) in enumerate(recipes.items(), 1):
        say(f"{done} of {len(recipes)}: {variant.system}, {variant.name}, seed {seed}.")
        folder = _folder(output, variant, seed)
        path = folder / _SCORES
        if not path.exists():
            _make(folder)
            kind = kind_of(recipe)
            trained = train_with(
                recipe,
                kind.initial(recipe, data, None),
                sources,
                origin=kind.origin(recipe),
                output=folder,
                device=device,
                every=every,
                say=say,
            )
            scores = PhotoFigures.of(mask_scores(trained, sources.validation["cuhk"]))
            _write(path, scores, recipe, sources)
        figures[variant].append(_read(path, recipe, sources))
    return _rows(claims, figures)


def ablations_markdown(
    rows: Sequence[Row], *, steps: int, seeds: int, settings: Sequence[str] = ()
) -> str:
    """Return the table in Markdown.

    Args:
        rows: at least one.
        steps: of every training.
        seeds: how many.
        settings: what all recipes change alike.
    """
    changed = f" with {', '.join(settings)}" if settings else ""
    head = ["system", "claim", "variant", "F_max", "MAE", "difference in F_max", "in MAE"]
    head += ["the paper's, F / MAE", "holds here"]
    redrawn = f"photos and the {seeds} seeds" if seeds > 1 else "photos, of one seed"
    lines = [head, ["---"] * len(head), *(_cells(row.as_record()) for row in rows)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return (
        f"Small networks, {steps} steps each{changed}, on the {rows[0].photos} held-back photos of "
        "CUHK. Differences are the variant's from the whole system's, with 95 % bootstrap "
        f"intervals over the same {redrawn}. A claim holds if the whole interval of F_max says so; "
        '"no" is said where the whole interval says the opposite. The papers\' own differences '
        "come from full networks, long trainings and other definitions.\n\n"
        f"{table}\n"
    )


def _variants(claims: Sequence[Claim]) -> list[Variant]:
    found = [variant for claim in claims for variant in (claim.whole, claim.variant)]
    needs_teacher = any(isinstance(recipe_named(each.system), StudentRecipe) for each in found)
    return list(dict.fromkeys([*([TEACHER] if needs_teacher else []), *found]))


def _recipe(
    variant: Variant, seed: int, steps: int, output: Path, settings: Sequence[str]
) -> Recipe:
    recipe = recipe_named(variant.system).changed((*settings, *variant.settings))
    recipe = shortened(recipe, steps)
    recipe = replace(recipe, seed=seed)
    if not isinstance(recipe, StudentRecipe):
        return recipe
    # Whole, so that a repeat from another working directory has the same recipe.
    folder = _folder(output, TEACHER, seed).resolve()
    return replace(recipe, teacher=str(folder / "weights" / f"{TEACHER.system}.safetensors"))


def _folder(output: Path, variant: Variant, seed: int) -> Path:
    return output / variant.system / variant.name / f"seed-{seed}"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(f"{folder} cannot be made ({exc.strerror}); choose another.") from exc


def _stamp(recipe: Recipe, sources: Sources) -> str:
    return json.dumps({"recipe": recipe.as_record(), "data": sources.data_hash}, sort_keys=True)


def _write(path: Path, figures: PhotoFigures, recipe: Recipe, sources: Sources) -> None:
    temporary = path.with_suffix(".part.npz")
    stamp = np.array(_stamp(recipe, sources))
    try:
        np.savez(temporary, f_curve=figures.f_curve, mae=figures.mae, stamp=stamp)
        temporary.replace(path)
    except OSError as exc:
        raise OutputError(f"{path} cannot be written ({exc.strerror}).") from exc


def _read(path: Path, recipe: Recipe, sources: Sources) -> PhotoFigures:
    try:
        with path.open("rb") as file, np.load(file) as stored:
            stamp = str(stored["stamp"])
            figures = PhotoFigures(stored["f_curve"], stored["mae"])
    except Exception as exc:
        # Reading something else than an archive may end in any error.
        raise InputError(
            f"{path} is damaged ({type(exc).__name__}); remove it, and it is made again."
        ) from exc
    if stamp != _stamp(recipe, sources):
        raise InputError(
            f"{path} was made by another recipe or from other data; choose another --output, or "
            f"remove {path.parent}."
        )
    return figures


def _rows(
    claims: Sequence[Claim], figures: Mapping[Variant, Sequence[PhotoFigures]]
) -> tuple[Row, ...]:
    rows: list[Row] = []
    for claim in claims:
        whole, variant = figures[claim.whole], figures[claim.variant]
        if not any(row.claim is None and row.variant == claim.whole for row in rows):
            rows.append(_row(claim.whole, whole))
        difference = paired_difference(variant, whole)
        rows.append(replace(_row(claim.variant, variant), claim=claim, difference=difference))
    return tuple(rows)


def _row(variant: Variant, runs: Sequence[PhotoFigures]) -> Row:
    return Row(variant, f_max(runs), mae(runs), len(runs[0].mae))


def _called(variant: Variant, claim: Claim | None) -> str:
    other = claim is not None and variant.system != claim.system
    return variant.system if other else variant.name


def _cells(record: Record) -> list[str]:
    cells = [str(record["system"]), str(record["claim"] or "–"), str(record["variant"])]
    cells += [f"{record[name]:.3f}".removeprefix("0") for name in ("f_max", "mae")]
    for name in ("f_max_difference", "mae_difference"):
        value, low, high = (_signed(record[f"{name}{end}"]) for end in ("", "_low", "_high"))
        cells.append("–" if record[name] is None else f"{value} [{low}, {high}]")
    if record["paper_how"] is None:
        paper = "–"
    else:
        given = (_signed(record[f"paper_{name}_difference"]) for name in ("f", "mae"))
        paper = f"{' / '.join(given)} ({record['paper_how']})"
    return [*cells, paper, str(record["holds"] or "–")]


def _signed(value: object) -> str:
    if not isinstance(value, float):
        return "–"
    # A minus as wide as the plus, and no sign before nothing.
    text = f"{abs(value):.3f}".removeprefix("0")
    return text if text == ".000" else f"{'+' if value > 0 else '−'}{text}"
