"""Runs a program and ends it when whoever asked for it is gone; a script, not for import.

A helper that waits for orders would wait for ever if the process that gives them is killed.
"""

import os
import subprocess
import sys

_CHUNK = 65536


def keep(command: list[str]) -> None:
    """Pass standard input on to a program until it ends, then end the program.

    Args:
        command: the program and its arguments; it writes to this process's standard output.
    """
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as program:
        # Nobody waits for an answer once the program is dead.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            while program.stdin and (chunk := os.read(0, _CHUNK)):
                program.stdin.write(chunk)
                program.stdin.flush()
        except OSError:
            pass  # the program is gone
        finally:
            program.kill()


if __name__ == "__main__":
    keep(sys.argv[1:])
