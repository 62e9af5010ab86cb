"""Folder, data source and dashboards, as they should be in a Grafana."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from dashboards.errors import DashboardError
from dashboards.grafana import FOLDER, FOLDER_TITLE, Grafana, Json, ask, maybe
from dashboards.house import EXPLORE_TAG
from dashboards.reconcile import Change, Step, planned, step
from dashboards.target import PLUGIN

DATASOURCE_UID = "popscope-clickhouse"
# What belongs to one Grafana, or changes with each save.
_OF_GRAFANA = ("id", "version", "iteration")


@dataclass(frozen=True, slots=True)
class Source:
    """The ClickHouse that Grafana asks. `url`: http(s)://host:port, or native://host:port."""

    url: str
    user: str = "default"
    password: str = ""
    uid: str = DATASOURCE_UID

    def tree(self) -> Json:
        """As Grafana stores it, without the password. Raises DashboardError for another URL."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https", "native") or not parts.hostname or not parts.port:
            raise DashboardError(
                f"{self.url!r} is no address of ClickHouse, such as http://127.0.0.1:8123"
            )
        return {
            "name": "Popscope",
            "uid": self.uid,
            "type": PLUGIN,
            "access": "proxy",
            "jsonData": {
                "host": parts.hostname,
                "port": parts.port,
                "protocol": "native" if parts.scheme == "native" else "http",
                "secure": parts.scheme == "https",
                "username": self.user,
                "defaultDatabase": "popscope",
                "dialTimeout": "10",
                "queryTimeout": "60",
            },
        }


def plan(
    grafana: Grafana, dashboards: dict[str, Json], source: Source | None, prune: bool
) -> list[Step]:
    """What a push does. Raises GrafanaUnreachable."""
    steps = [folder_step(grafana)]
    if source is not None:
        steps.append(planned("data source", source.uid, partial(_datasource, grafana, source)))
    steps += [
        planned("dashboard", d["title"], partial(_dashboard, grafana, d))
        for d in dashboards.values()
    ]
    if prune:
        steps += _prune(grafana, {d["uid"] for d in dashboards.values()})
    return steps


def folder_step(grafana: Grafana) -> Step:
    """The folder of our dashboards and rules."""
    return planned("folder", FOLDER_TITLE, partial(_folder, grafana))


def _folder(grafana: Grafana) -> Step:
    ours = {"title": FOLDER_TITLE, "uid": FOLDER}
    there = maybe("read the folder", grafana.folder.get_folder, FOLDER)

    def write() -> object:
        if there is None:
            return ask("create the folder", grafana.folder.create_folder, FOLDER_TITLE, FOLDER)
        rename = grafana.folder.update_folder
        return ask("rename the folder", rename, FOLDER, FOLDER_TITLE, there["version"])

    return step("folder", FOLDER_TITLE, there, ours, write)


def _datasource(grafana: Grafana, source: Source) -> Step:
    ours, api = source.tree(), grafana.datasource
    there = maybe("read the data source", api.get_datasource_by_uid, source.uid)

    def write() -> object:
        secret = {"secureJsonData": {"password": source.password}} if source.password else {}
        if there is None:
            return ask("create the data source", api.create_datasource, ours | secret)
        body = ours | secret | {"version": there.get("version")}
        return ask("write the data source", api.update_datasource_by_uid, source.uid, body)

    # Grafana never tells a password; whether there is one, it does.
    lacks = source.password and not ((there or {}).get("secureJsonFields") or {}).get("password")
    wanted = ours | ({"secureJsonFields": {"password": True}} if lacks else {})
    return step("data source", source.uid, there, wanted, write)


def _dashboard(grafana: Grafana, dashboard: Json) -> Step:
    uid, title = dashboard["uid"], dashboard["title"]
    found = maybe(f"read {title}", grafana.dashboard.get_dashboard, uid)
    there = {"folder": found["meta"]["folderUid"], **found["dashboard"]} if found else None

    def write() -> object:
        version = found["dashboard"]["version"] if found else None
        body = {
            "dashboard": dashboard | ({"version": version} if found else {}),
            "folderUid": FOLDER,
            "overwrite": False,  # Grafana refuses when somebody saved it since it was read
            "message": "popscope dashboards push",
        }
        return ask(f"write {title}", grafana.dashboard.update_dashboard, body)

    return step("dashboard", title, there, {"folder": FOLDER, **dashboard}, write)


def in_folder(grafana: Grafana) -> list[Json]:
    """Dashboards of the folder that are ours by their tag, as the search lists them."""
    found: list[Json] = ask(
        "list the dashboards",
        partial(grafana.search.search_dashboards, type_="dash-db", tag=EXPLORE_TAG, limit=5_000),
    )
    return [d for d in found if d.get("folderUid") == FOLDER]


def _prune(grafana: Grafana, ours: set[str]) -> Iterator[Step]:
    """Ours that no longer are: in the folder, with the tag, of a uid that we do not have."""
    for item in in_folder(grafana):
        if item["uid"] not in ours:
            title = item["title"]
            delete = partial(
                ask, f"delete {title}", grafana.dashboard.delete_dashboard, item["uid"]
            )
            yield Step("dashboard", title, Change.DELETE, ("it is ours no longer",), delete)


def pull(grafana: Grafana, wanted: dict[str, Json]) -> dict[str, Json]:
    """Our dashboards as they are in Grafana, by file name, without what belongs to one Grafana.

    What is in the folder and not among `wanted` comes as `<uid>.json`.
    """
    names = {d["uid"]: name for name, d in wanted.items()}
    found: dict[str, Json] = {}
    for uid in sorted({*names, *(d["uid"] for d in in_folder(grafana))}):
        there = maybe(f"read {uid}", grafana.dashboard.get_dashboard, uid)
        if there is not None:
            tree = {k: v for k, v in there["dashboard"].items() if k not in _OF_GRAFANA}
            found[names.get(uid, f"{uid}.json")] = tree
    return found
