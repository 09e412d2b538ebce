"""`python -m focuskit`: the `focuskit` command."""

from __future__ import annotations

from focuskit.cli import main

if __name__ == "__main__":
    main()
