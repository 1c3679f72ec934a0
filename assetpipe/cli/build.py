"""``assetpipe build``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assetpipe.cli import context, printing
from assetpipe.cli.progress import ProgressLine

if TYPE_CHECKING:
    from assetpipe.build import Build
    from assetpipe.config import Config, Profile
    from assetpipe.publish import Published
    from assetpipe.unchanged import Stamp


@click.command()
@context.source_option
@context.dist_option
@context.app_option
@context.as_json
@click.option("--strict", is_flag=True, help="Take every warning as an error.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and publish nothing.")
@click.option("--jobs", type=click.IntRange(0), metavar="N", help="How many jobs run at once; 0 is one a processor.")
@context.profile_option("release")
@context.ends_well
def build(
    source: Path | None,
    dist: Path | None,
    app: str | None,
    as_json: bool,
    strict: bool,
    dry_run: bool,
    jobs: int | None,
    profile: Profile,
) -> int:
    """Build the static files and publish them as a release.

    Exits with 1 if there are errors; then nothing was published.
    """
    from msgspec.structs import replace

    from assetpipe import manifest as manifests
    from assetpipe import publish, unchanged
    from assetpipe.build import Builder
    from assetpipe.config import Compress
    from assetpipe.workers import Workers

    began = time.monotonic()
    begun = unchanged.begin(sys.argv[1:])
    config = context.find_config(source, dist, app).for_profile(profile)
    config = replace(config, strict=strict or config.strict, jobs=config.jobs if jobs is None else jobs)
    if dry_run:
        # What is encoded has no part in what a release is.
        config = replace(config, compress=Compress(()))
    shown = _shown(config.dist_folder)
    progress = ProgressLine()
    done: Published | None = None
    publisher = publish.Publisher(config.dist_folder, config.keep, progress)
    try:
        with Builder(config, progress, Workers(config.jobs, config.executor, processes=True)) as builder:
            if dry_run:
                built = builder.run()
            else:
                built, done = builder.release(publisher.publish)
    finally:
        progress.clear()
    told = built.manifest if done is None else done.manifest
    previous = publish.current(config.dist_folder) if done is None else done.previous
    if done is not None and (built.work or previous is None or previous.release != told.release):
        from assetpipe.report import history

        history.keep(config.cache_folder, built, time.monotonic() - began)
    click.echo(printing.told_problems(built.problems), err=True, nl=False)
    if as_json:
        diff = manifests.diff(previous, told)
        published = done is not None
        click.echo(printing.answer(told, built.problems, published=published, diff=diff, worked=len(built.work)))
    elif done is not None:
        seconds = f"{time.monotonic() - began:.1f}"
        text = printing.told_release(told, previous, done.written + done.pruned, shown, seconds)
        click.echo(text + printing.told_verdict(built.problems), nl=False)
    elif dry_run and not built.failed:
        click.echo(printing.told_plan(told, previous, shown) + printing.told_verdict(built.problems), nl=False)
    else:
        click.echo("Nothing was published." + (" The release before is as it was." if previous else ""), err=True)
    if done is not None and app is None and click.get_current_context().obj is None and not config.command:
        _note(config, begun, built, done, publisher.stamp, shown, as_json=as_json)
    return 0 if done is not None or (dry_run and not built.failed) else context.FAILED


def _note(
    config: Config,
    begun: tuple[bytes, dict[str, Stamp]],
    built: Build,
    done: Published,
    stamp: Stamp,
    shown: str,
    *,
    as_json: bool,
) -> None:
    """Write down what was looked at and what a repetition would say, for ``unchanged``. ``stamp`` is the manifest's."""
    from assetpipe import manifest as manifests
    from assetpipe import unchanged
    from assetpipe.manifest import MANIFEST, RELEASES
    from assetpipe.sources import is_racy

    if any(problem.kind == "bad-link" for problem in built.problems):
        return  # what such a link waits for may come to where nobody looked
    inside: dict[str, tuple[Stamp, dict[str, Stamp]]] = {}
    for (_, folder), listed in built.walk.folders.items():
        looked = listed.looked_ns
        if listed.inode < 0 or is_racy(listed.mtime_ns, looked):
            return
        if any(is_racy(source.mtime_ns, looked) for source in listed.sources.values()):
            return
        files: dict[str, Stamp] = {name: (s.mtime_ns, s.size, s.inode) for name, s in listed.sources.items()}
        inside[folder] = (listed.mtime_ns, listed.inode), files
    told = done.manifest
    if as_json:
        same = manifests.diff(told, told)
        out = printing.answer(told, built.problems, published=True, diff=same, worked=0).decode() + "\n"
    else:
        out = printing.told_release(told, told, 0, shown, "\1") + printing.told_verdict(built.problems)
    dist = str(config.dist_folder)
    folders = sorted({dist + file[: file.rindex("/")] for file in built.files})
    single = {folder: unchanged.look(folder) for folder in (f"{dist}/{RELEASES}", *folders)}
    # Another release may have been published since.
    single[f"{dist}/{MANIFEST}"] = stamp
    try:
        said = (out, printing.told_problems(built.problems))
        unchanged.note(str(config.cache_folder), begun, single, inside, said)
    except OSError:  # then the next build looks for itself
        return


def _shown(folder: Path) -> str:
    """The folder as a person would type it here."""
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)
