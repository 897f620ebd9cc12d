"""The command that serves a queue of paragraphs to be labelled."""

import argparse
import sys
from itertools import chain
from pathlib import Path

from service.serve_command import fill_serve, read_settings
from service.settings import SettingError, Settings


def fill_label(parser: argparse.ArgumentParser) -> None:
    fill_serve(parser)
    parser.description = (
        "Makes a queue of the paragraphs of files, those first of which the model is least sure, and serves it to be "
        "labelled in a browser. The queue and the labels stay in the file of corrections."
    )
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="rows, labelled or not, or a page, text or HTML; - reads JSON lines"
    )


def label(args: argparse.Namespace) -> int:
    from classifier import Tagger
    from service.supervisor import Supervisor
    from service.teaching import files, queues
    from service.teaching.database import Database

    try:
        settings = read_settings(args)
        if settings.corrections is None:
            raise SettingError("labels need a file to be kept in; set corrections to one")
    except SettingError as error:
        print(f"boilertag: {error}", file=sys.stderr)
        return 2
    tagger = Tagger.load(settings.model)
    found = files.checked(chain.from_iterable(files.of_file(file, settings) for file in args.files), settings)
    tags = tagger.tag_documents([document.paragraphs for document in found])
    more = f" and {len(args.files) - 1} more" if len(args.files) > 1 else ""
    with Database(settings.corrections, settings.max_corrections_bytes).writing() as db:
        queue = queues.fill(db, f"{Path(args.files[0]).name}{more}"[:200], found, tags, tagger)
    del tagger, found, tags
    print(f"{_address(settings)}/?queue={queue}", flush=True)
    Supervisor(settings).run()
    return 0


def _address(settings: Settings) -> str:
    """Where a browser on this machine finds the service."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{settings.port}"
