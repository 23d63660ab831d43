"""``airstore release report``."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.options.files.pages import PAGE, to_stdout, write_page
from airstore.cli.views.pages.markdown import report_markdown
from airstore.cli.views.pages.report import report_html
from airstore.core.errors import UsageError
from airstore.ops.review.report import gather
from airstore.ops.review.sides import before


@click.command("report")
@click.argument("versions", nargs=-1, required=True, metavar="[OLD] NEW")
@click.option("--html", type=PAGE, metavar="FILE", help="Write a page that needs nothing but itself.")
@click.option("--md", "markdown", type=PAGE, metavar="FILE", help="Write the same facts as Markdown.")
@click.option(
    "--media/--no-media",
    default=True,
    help="Whether to measure what media would weigh; takes as long as making them.",
)
@pass_context
def command(
    context: Context,
    versions: tuple[str, ...],
    *,
    html: Path | None,
    markdown: Path | None,
    media: bool,
) -> None:
    """What changes from release OLD to NEW, as a page for those who decide whether it goes in.

    Without OLD: from the release before NEW; a first release is shown as a whole. It says what changes for
    the operator, images and their digests, layers and bytes, packages within the images and what their SBOMs
    say of packages and vulnerabilities, charts, values and manifests (secrets redacted), who signed, and how
    large media would be. FILE may be - for standard output.
    """
    if not html and not markdown:
        raise UsageError("nothing to write", hint="say where: --html FILE, --md FILE, or both")
    if len(versions) > 2:
        raise UsageError("a report is about two releases at most")
    to_stdout(html, markdown)
    store = context.store()
    pair = (versions[0], versions[1]) if len(versions) == 2 else (before(store, versions[0]), versions[0])
    with store.open_blobs() as blobs:
        report = gather(store, blobs, pair, context.progress, media=media)
    for path, made in ((html, report_html), (markdown, report_markdown)):
        if path:
            write_page(context, path, made(report))
