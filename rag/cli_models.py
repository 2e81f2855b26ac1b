"""``rag models`` and ``rag pull``: what Ollama has, and fetching another."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from rag.generators.ollama import OllamaServer
from rag.options import common_options, print_json, settings_from
from rag.render import one_line
from rag.settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@common_options
@click.pass_context
def models(ctx: click.Context, /, as_json: bool) -> None:
    """Models that Ollama has on this machine."""
    settings = settings_from(ctx)
    server = _server(settings)
    found = server.models()
    if as_json:
        print_json({"url": server.url, "models": [asdict(m) for m in found]})
        return
    for model in found:
        mark = "*" if model.name == settings.model else " "
        details = f"{model.bytes / 1e9:.1f} GB  {model.parameters} {model.quantization}"
        click.echo(f"{mark} {one_line(model.name):<32} {one_line(details)}")
    if not found:
        click.echo(f"none yet; a good first one: rag pull {one_line(settings.model)}")


@click.command()
@click.argument("name", required=False)
@common_options
@click.pass_context
def pull(ctx: click.Context, /, name: str | None) -> None:
    """Fetch the model NAME (by default the one answers are written with)."""
    settings = settings_from(ctx)
    wanted = name or settings.model
    server = _server(settings)
    with click.progressbar(
        length=1, label=one_line(wanted), show_eta=True, file=sys.stderr,
        hidden=not sys.stderr.isatty(),
    ) as bar:  # fmt: skip

        def show(step: str, done: int, total: int) -> None:
            bar.label = one_line(f"{wanted}: {step}")[:48]
            if total:
                bar.length = total
                bar.update(done - bar.pos)
            else:
                bar.render_progress()

        server.pull(wanted, show)
    click.echo(f"{one_line(wanted)} is ready")


def _server(settings: Settings) -> OllamaServer:
    return OllamaServer(
        settings.ollama_url,
        connect_timeout=settings.connect_timeout,
        reply_timeout=settings.reply_timeout,
    )
