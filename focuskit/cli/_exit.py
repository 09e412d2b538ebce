"""Exit codes, as documented in `focuskit --help`."""

FATAL = 1
SOME_FAILED = 3
NOTHING_MATCHED = 4
INTERRUPTED = 130
