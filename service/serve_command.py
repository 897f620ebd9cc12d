"""The command that runs the HTTP service."""

import argparse
import os
import sys
from typing import Final

from classifier import folder
from classifier.tagger import DEFAULT_MODEL
from service.settings import ABOUT, SettingError, Settings, variable

_METAVARS: Final = {
    "host": "ADDRESS",
    "model": "DIR",
    "compare": "DIR",
    "keys": "HASHES",
    "allowed_hosts": "NAMES",
    "corrections": "FILE",
}


def fill_serve(parser: argparse.ArgumentParser) -> None:
    parser.description = "Serves the HTTP API. A flag goes before its environment variable."
    defaults = Settings()
    for name, about in ABOUT.items():
        default = getattr(defaults, name)
        shown = f" (default {default})" if default is not None else ""
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=str if about.low is None else int,
            metavar=_METAVARS.get(name, "N"),
            help=f"{about.says}{shown}; {variable(name)}",
        )


def read_settings(args: argparse.Namespace) -> Settings:
    """The settings by flags and environment.

    Raises:
        SettingError: one is of no use.
    """
    return Settings.read(os.environ, {name: getattr(args, name) for name in ABOUT})


def serve(args: argparse.Namespace) -> int:
    from service.supervisor import Supervisor

    try:
        settings = read_settings(args)
    except SettingError as error:
        print(f"boilertag: {error}", file=sys.stderr)
        return 2
    for path in filter(None, (settings.model or DEFAULT_MODEL, settings.compare)):
        folder.read(path)  # a model that can't be read is told of now, in one line
    Supervisor(settings).run()
    return 0
