"""The command that runs the HTTP service."""

import argparse
import os
import sys

from classifier import folder
from classifier.tagger import DEFAULT_MODEL
from service.settings import ABOUT, SettingError, Settings, variable


def fill_serve(parser: argparse.ArgumentParser) -> None:
    parser.description = "Serves the HTTP API. A flag goes before its environment variable."
    defaults = Settings()
    for name, about in ABOUT.items():
        default = getattr(defaults, name)
        shown = f" (default {default})" if default is not None else ""
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=str if about.low is None else int,
            metavar={"host": "ADDRESS", "model": "DIR", "keys": "HASHES"}.get(name, "N"),
            help=f"{about.says}{shown}; {variable(name)}",
        )


def serve(args: argparse.Namespace) -> int:
    from service.supervisor import Supervisor

    try:
        settings = Settings.read(os.environ, {name: getattr(args, name) for name in ABOUT})
    except SettingError as error:
        print(f"boilertag: {error}", file=sys.stderr)
        return 2
    folder.read(settings.model or DEFAULT_MODEL)  # a model that can't be read is told of now, in one line
    Supervisor(settings).run()
    return 0
