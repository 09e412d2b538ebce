"""Makes the photos in samples/ and their index, or checks that they are what the index says.

Usage: python scripts/make_samples.py [--check] [FOLDER]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from samplemaker.index import INDEX, index_text, problems
from samplemaker.shots import SHOTS

SAMPLES = Path(__file__).resolve().parent.parent / "samples"


def main() -> int:
    """Do what the command line asks; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=SAMPLES, metavar="FOLDER")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; compare the folder with its index"
    )
    arguments = parser.parse_args()
    return _check(arguments.folder) if arguments.check else _make(arguments.folder)


def _make(folder: Path) -> int:
    # Only making needs the photographs of scikit-image and scikit-learn; checking does without.
    from samplemaker.formats import photo_bytes

    folder.mkdir(parents=True, exist_ok=True)
    photos = {shot.file: photo_bytes(shot) for shot in SHOTS}
    for name, content in photos.items():
        (folder / name).write_bytes(content)
    (folder / INDEX).write_text(index_text(SHOTS, photos), encoding="utf-8", newline="\n")
    size_mb = sum(map(len, photos.values())) / 1e6
    sys.stderr.write(f"{len(photos)} photos, {size_mb:.1f} MB, in {folder}\n")
    return 0


def _check(folder: Path) -> int:
    found = problems(folder)
    for line in found:
        sys.stderr.write(line + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
