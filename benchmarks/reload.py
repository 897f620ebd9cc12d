"""Reloads the model under load, some of the times from a broken folder, and looks for failed or mixed answers.

    python -m benchmarks.reload [--reloads 200] [--broken 10] [--workers 2]

Two models that score differently take turns. Every answer must name one of them in its header and in its body, and
have the scores of the one that it names, to the last digit.
"""

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from benchmarks.client import Client
from benchmarks.serving import Service, serving
from benchmarks.texts import document, paragraphs
from classifier import Tagger, folder
from classifier.folder import MANIFEST_FILE, MODEL_FILE
from classifier.tagger import DEFAULT_MODEL

_CONNECTIONS = 4
_PARAGRAPHS = 30


def tilted(path: Path, tilt: float) -> folder.Model:
    """The model of a folder, with the first label that much likelier."""
    model = folder.read(path)
    intercept = model.paragraph.intercept.copy()
    intercept[0] += tilt
    return replace(model, paragraph=replace(model.paragraph, intercept=intercept))


def put(source: Path, target: Path) -> None:
    """Puts a model folder in another's place, as careful copiers do: the manifest comes last."""
    for name in (MODEL_FILE, MANIFEST_FILE):
        shutil.copy(source / name, target / f".{name}")
        (target / f".{name}").replace(target / name)


def break_folder(target: Path, how: int) -> None:
    """Spoils a model folder, in one of four ways."""
    if how % 4 == 0:
        (target / MODEL_FILE).write_bytes(b"no model")
    elif how % 4 == 1:
        (target / MANIFEST_FILE).write_text("{")
    elif how % 4 == 2:
        (target / MODEL_FILE).write_bytes((target / MODEL_FILE).read_bytes()[:-100])
    else:
        (target / MANIFEST_FILE).unlink()


class Load:
    """Requests without a pause, whose answers are checked."""

    def __init__(self, service: Service, expected: dict[str, list[dict[str, float]]]) -> None:
        self._service = service
        self._expected = expected
        self.stopped = False
        self.answers: Counter[str] = Counter()

    async def run(self) -> None:
        """Sends until it is stopped."""
        await asyncio.gather(*(self._send() for _ in range(_CONNECTIONS)))

    async def _send(self) -> None:
        body = document(_PARAGRAPHS)
        async with Client(self._service.port) as client:
            while not self.stopped:
                try:
                    answer = await client.post("/v1/tag", body)
                except (OSError, EOFError) as error:
                    self.answers[f"failed: {type(error).__name__}"] += 1
                    continue
                self.answers[self._judge(answer.status, answer.headers, answer.body)] += 1

    def _judge(self, status: int, headers: object, body: bytes) -> str:
        if status != 200:
            return f"failed: {status}"
        told = json.loads(body)
        name = told["model"]
        whole = [one["scores"] for one in told["paragraphs"]] == self._expected[name]
        return name if whole and headers["boilertag-model"] == name else "mixed"  # type: ignore[index]


async def reloads(service: Service, live: Path, models: list[Path], n: int, broken: int) -> None:
    """Reloads ``n`` times, each done in every process before the next."""
    every = n // broken if broken else n + 1
    for i in range(n):
        is_broken = i % every == every - 1
        before = _loads(service)
        if is_broken:
            break_folder(live, i // every)
        else:
            put(models[i % len(models)], live)
        service.signal(signal.SIGHUP)
        outcome = "refused" if is_broken else "loaded"
        workers = len(service.workers())
        while _loads(service)[outcome] < before[outcome] + workers:
            await asyncio.sleep(0.02)
    put(models[0], live)


def _loads(service: Service) -> Counter[str]:
    messages = Counter(line["message"].partition(",")[0] for line in service.log())
    return Counter(loaded=messages["model loaded"], refused=messages["model refused"])


async def under_load(service: Service, load: Load, live: Path, models: list[Path], n: int, broken: int) -> None:
    """Reloads while requests are sent."""
    sending = asyncio.create_task(load.run())
    await reloads(service, live, models, n, broken)
    load.stopped = True
    await sending


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reloads", type=int, default=200)
    parser.add_argument("--broken", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        models = [Path(scratch, "one"), Path(scratch, "other")]
        for path, tilt in zip(models, (0.0, 0.5), strict=True):
            folder.write(tilted(DEFAULT_MODEL, tilt), path)
        live = Path(scratch, "live")
        shutil.copytree(models[0], live)
        taggers = [Tagger.load(path) for path in models]
        expected = {
            tagger.manifest["sha256"][:12]: [tag.scores for tag in tagger.tag(paragraphs(_PARAGRAPHS))]
            for tagger in taggers
        }
        flags = ("--workers", str(args.workers), "--reload-seconds", "0", "--max-queue", "8")
        with serving("--model", str(live), *flags) as service:
            load = Load(service, expected)
            asyncio.run(under_load(service, load, live, models, args.reloads, args.broken))
            loads = _loads(service)
    print(f"{args.reloads} reloads in each of {args.workers} processes: {dict(loads)}; answers: {dict(load.answers)}")
    return 0 if set(load.answers) == set(expected) else 1


if __name__ == "__main__":
    sys.exit(main())
