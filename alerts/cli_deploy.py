"""`popscope alerts configure` and `push`: rules to where they are evaluated."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from alerts.errors import AlertError, RuleError
from alerts.links import Links
from alerts.model import load
from alerts.options import grafana_option, runbook_option
from dashboards.cli import apply, dry_run_option, json_option, token_option, url_option, writing


@click.command()
@click.option(
    "--target",
    "targets",
    multiple=True,
    required=True,
    metavar="HOST:PORT=POP/NODE",
    help="An exporter, and the node on which it runs; once for each.",
)
@click.option("--webhook", required=True, help="URL that Alertmanager posts all alerts to.")
@click.option(
    "--receiver",
    "receivers",
    multiple=True,
    metavar="NAME=URL",
    help="Another URL for one receiver of alerts/routing.toml: on-call, tickets, log, or "
    "dead-mans-switch, which gets nothing without one.",
)
@click.option(
    "--pipeline", "pipelines", multiple=True, metavar="HOST:PORT", help="A pipeline to watch, too."
)
@click.option(
    "--scrape-seconds",
    default=15,
    show_default=True,
    type=click.IntRange(1, 20),
    help="Time between two scrapes.",
)
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="A folder."
)
@grafana_option
@runbook_option
def configure(
    targets: tuple[str, ...],
    webhook: str,
    receivers: tuple[str, ...],
    pipelines: tuple[str, ...],
    scrape_seconds: int,
    output: Path,
    grafana_url: str,
    runbook_url: str,
) -> None:
    """Write a Prometheus and an Alertmanager configuration with the rules; print how to start them.

    Routes, grouping and receivers are those of alerts/routing.toml; what one alert holds back of
    others is with its rule. Both programs listen on the loopback. Nothing is started.

    \b
    Examples:
      popscope alerts configure --target 127.0.0.1:9109=ams/ams-d1 \\
        --webhook http://127.0.0.1:8000/alerts --output watch
      popscope alerts configure --target 10.0.0.1:9109=ams/ams-d1 --pipeline 10.0.0.9:8080 \\
        --webhook https://chat.example.net/hook --receiver on-call=https://pager.example.net/hook \\
        --output /etc/popscope-alerts
    """
    from alerts.prometheus import Watch, target, write

    try:
        watch = Watch(
            targets=tuple(target(t) for t in targets),
            webhook=webhook,
            scrape_seconds=scrape_seconds,
            receivers=dict(_pair(r) for r in receivers),
            pipelines=pipelines,
            links=Links(grafana_url, runbook_url),
        )
    except RuleError as error:
        raise click.UsageError(str(error)) from error
    with writing():
        commands = write(output, watch)
    for line in (commands.prometheus, commands.alertmanager):
        click.echo(shlex.join(line))


def _pair(text: str) -> tuple[str, str]:
    name, equals, url = text.partition("=")
    if not equals:
        raise RuleError(f"{text!r} is not NAME=URL, as in on-call=https://pager.example.net/hook")
    return name, url


@click.command()
@url_option
@token_option
@click.option(
    "--datasource", default="popscope-clickhouse", show_default=True, help="Uid of the data source."
)
@click.option(
    "--notify",
    "addresses",
    multiple=True,
    metavar="[RECEIVER=]URL|EMAIL",
    help="Make contact points, message and policies too. An address of one receiver of "
    "alerts/routing.toml, or of all that have none of their own.",
)
@click.option(
    "--grafana-url",
    help="Base of the dashboard links in the alerts, where it is not --url.",
)
@runbook_option
@click.option("--prune/--no-prune", default=True, help="Delete rules that are ours no longer.")
@dry_run_option
@json_option
def push(
    url: str,
    token: str | None,
    datasource: str,
    addresses: tuple[str, ...],
    grafana_url: str | None,
    runbook_url: str,
    prune: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring rule groups, and how they are delivered, into a Grafana. Can be run again at any time.

    A group is replaced as a whole or not at all; one that fails does not end the others. Other
    routes of the tree of policies stay. Exit code 1 when something is left to do.

    \b
    Examples:
      popscope alerts push --url http://localhost:3000 --dry-run
      GRAFANA_TOKEN=glsa_... popscope alerts push --url http://localhost:3000 --notify https://pager.example.net/hook
    """
    from alerts.grafana import groups
    from alerts.push import plan

    try:
        tree = groups(load(), Links(grafana_url or url, runbook_url))
        apply(url, token, dry_run, as_json, lambda g: plan(g, tree, datasource, addresses, prune))
    except AlertError as error:
        raise click.ClickException(str(error)) from error
