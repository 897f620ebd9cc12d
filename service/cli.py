"""The command line: finds the command, runs it, and makes of what goes wrong one line and an exit status.

A command ``name`` is two functions of its module: ``fill_name`` adds its arguments to a parser, ``name`` runs it with
them. The module is imported when the command is called, so that each waits only for what it needs.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

from service.version import version

COMMANDS: Final = {
    "tag": ("service.page_commands", "tag the paragraphs of a page"),
    "clean": ("service.page_commands", "print what is left of a page when only content is kept"),
    "score": ("service.score_command", "score the paragraphs of files, or clean their documents"),
    "check": ("service.row_commands", "say what is wrong with labelled rows"),
    "train": ("service.row_commands", "fit a model to labelled rows"),
    "models": ("service.row_commands", "list the versions of a model, or go back to one"),
    "evaluate": ("service.row_commands", "judge a model, or the method, on labelled rows"),
    "card": ("service.card_command", "write a model's card, with plots"),
    "corpus": ("service.row_commands", "rebuild the labelled rows of public web pages"),
    "label": ("service.label_command", "serve the least certain paragraphs of files to be labelled"),
    "serve": ("service.serve_command", "serve the HTTP API"),
}

_INTERRUPTED: Final = 130
_BROKEN_PIPE: Final = 141  # what a shell says of a program that SIGPIPE ended


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Returns:
        The exit status: 0, 1 for bad input, 2 for wrong use, 130 after Ctrl-C, 141 where the reader of the output left.

    Raises:
        SystemExit: of argparse, with 2 for wrong use and 0 after ``--help``.
    """
    argv = sys.argv[1:] if argv is None else argv
    _prepare(sys.stdout)
    try:
        args = _parser(argv).parse_args(argv)
        status: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # What is still buffered would fail again when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except OSError as error:
        return _complain(f"{error.filename}: {_reason(error)}" if error.filename else _reason(error))
    except ValueError as error:
        from classifier import BoilertagError

        if not isinstance(error, BoilertagError):
            raise
        return _complain(str(error))
    return status


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="boilertag",
        description="Says of each paragraph of a web document what it is for, and cleans documents by it.",
        epilog="boilertag COMMAND --help tells of one command.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module, says) in COMMANDS.items():
        one = commands.add_parser(name, help=says, description=f"{says[0].upper()}{says[1:]}.")
        if name in argv:  # nobody looks at the arguments of the others
            found = import_module(module)
            getattr(found, f"fill_{name}")(one)
            one.set_defaults(run=getattr(found, name))
    return parser


_REASONS: Final[dict[type[OSError], str]] = {
    FileNotFoundError: "no such file",
    IsADirectoryError: "is a folder, not a file",
    PermissionError: "permission denied",
}


def _reason(error: OSError) -> str:
    return _REASONS.get(type(error), (error.strerror or str(error)).lower())


def _complain(line: str) -> int:
    print(f"boilertag: {line}", file=sys.stderr)
    return 1


def _prepare(stdout: Any) -> None:
    """Lets standard output take any text: UTF-8 in files and pipes, escapes for what a terminal can't write."""
    with suppress(AttributeError):  # a stand-in that is no text file of Python's
        stdout.reconfigure(encoding=None if stdout.isatty() else "utf-8", errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
