"""The live page in a real browser, over a real store: what an engineer on call reads there."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from aiohttp.web import Application

from pipeline.live import LiveOptions, add_routes
from pipeline.store.embedded import EmbeddedStore
from tests.contract import live_browser
from tests.contract.live_browser import Browser, browser
from tests.unit.pipeline_live_seed import seed
from tests.unit.pipeline_stores import fresh_store

pytestmark = pytest.mark.browser
LIVE = "document.body?.dataset.state === 'live'"
PAINTED = """(id) => {
  const canvas = document.querySelector(id);
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const seen = new Set();
  for (let i = 0; i < pixels.length; i += 4 * 97) seen.add(pixels.slice(i, i + 3).join());
  return seen.size;
}"""


@asynccontextmanager
async def served(
    folder: Path, seconds: int, ago: int = 0, feed: bool = False
) -> AsyncIterator[tuple[str, EmbeddedStore]]:
    """The page's address; the story of the seed ended `ago` seconds before now."""
    store = await asyncio.to_thread(fresh_store, folder / "store")
    feeding, ended = None, asyncio.Event()
    try:
        if seconds:
            await asyncio.to_thread(seed, store, int(time.time()) - ago, seconds)
        app = Application()
        add_routes(app, store, LiveOptions())
        async with TestServer(app) as server:
            feeding = asyncio.create_task(_feed(store, ended)) if feed else None
            yield str(server.make_url("/")), store
    finally:
        ended.set()
        if feeding:
            await feeding
        await asyncio.to_thread(store.close)


async def _feed(store: EmbeddedStore, ended: asyncio.Event) -> None:
    """The story goes on, its last second being now, until it is told to end."""
    told = int(time.time())
    while not ended.is_set():
        await asyncio.sleep(0.2)
        now = int(time.time())
        if now > told:
            await asyncio.to_thread(seed, store, now, now - told)
            told = now


@asynccontextmanager
async def opened(folder: Path, url: str, light: bool = False) -> AsyncIterator[Browser]:
    async with browser(folder / "profile", light) as page:
        await page.call("Page.navigate", url=url)
        await page.wait_for(LIVE)
        yield page
        assert page.errors == []


async def test_it_says_where_packets_get_lost(tmp_path: Path) -> None:
    async with served(tmp_path, 600, feed=True) as (url, _), opened(tmp_path, url) as page:
        verdict = await page.text("#verdict")
        assert verdict.startswith("ams/d1 lcore 2 drops 8")
        assert "packets/s: neighbour unresolved" in verdict
        assert "VIP web-443 and backend web/b3" in verdict
        assert "MAC address did not resolve" in verdict
        assert await page.text("#residual") == "0"
        assert await page.text("#residual-note") == "10 min: all accounted for"
        assert await page.text("#fleet") == "2 up"
        assert (await page.text("#reason-now")).startswith("neighbour unresolved")
        assert await page.text("#lcore-count") == "(4) by second"
        assert (await page.text("#reasons tbody tr")).startswith("neighbour unresolved")
        assert "b3" in await page.text("#backends tbody tr")
        told = (await page.text("#troubles tbody")).replace("\n", " ")
        assert "PopscopePacketsDropped lcore=2ams/d1 firing warning" in " ".join(told.split())
        assert "web/b3ams/d1 down probe_timeout" in " ".join(told.split())
        assert "web/b1" not in told
        assert await page.text("#troubles-count") == "(1 firing, 1 more)"
        assert "live" in await page.text("#instances tbody tr")
        for canvas in ("#packets canvas", "#bits canvas", "#dropchart canvas", "#heat"):
            assert await page.evaluate(f"({PAINTED})({canvas!r})") > 4, canvas
        await page.screenshot(tmp_path / "page.png")
        assert (tmp_path / "page.png").stat().st_size > 20_000


async def test_it_follows_and_survives_a_reload(tmp_path: Path) -> None:
    async with served(tmp_path, 120, ago=3) as (url, store), opened(tmp_path, url) as page:
        insert = (
            "INSERT INTO lcore_1s (ts, pop, node, instance, boot, interval_ms, lcore, rx_packets,"
            " drop_tx_full) SELECT now64(3), 'ams', 'd1', 'lb', 20, 1000, '2', 900000, 900000"
        )
        await asyncio.to_thread(store.query, insert)
        await page.wait_for("document.querySelector('#reasons').innerText.includes('tx full')")
        await page.wait_for("document.querySelector('#reasons').innerText.includes('900,000')")
        await page.call("Page.reload")
        await page.wait_for(
            f"{LIVE} && document.querySelector('#reasons').innerText.includes('900,000')"
        )


async def test_a_silent_fleet_is_said_and_ages(tmp_path: Path) -> None:
    async with served(tmp_path, 120, ago=40) as (url, _), opened(tmp_path, url) as page:
        assert await page.text("#fleet") == "2 silent"
        assert "no news from the exporter" in await page.text("#verdict")
        assert await page.text("#drops-now") == "–"
        silent = re.search(r"silent (\d+)", await page.text("#instances tbody tr"))
        assert silent is not None
        assert int(silent[1]) >= 40
        first = await page.text("#fresh")
        await page.wait_for(f"document.querySelector('#fresh').innerText !== {first!r}")


async def test_an_empty_store_says_what_to_do(tmp_path: Path) -> None:
    async with served(tmp_path, 0) as (url, store), opened(tmp_path, url) as page:
        assert "No data yet" in await page.text("#empty")
        assert f"{url}v1/frames" in await page.text("#empty")
        assert await page.text("#residual") == "–"
        await asyncio.to_thread(seed, store, int(time.time()), 30)
        await page.wait_for("document.querySelector('#empty').hidden")
        await page.wait_for("document.querySelector('#fleet').innerText === '2 up'")


async def test_it_works_from_the_keyboard_and_in_light(tmp_path: Path) -> None:
    async with served(tmp_path, 120) as (url, _), opened(tmp_path, url, light=True) as page:
        ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(238, 241, 244)"
        await page.evaluate("document.querySelector('#heat').focus()")
        await page.key("ArrowDown", 40)
        readout = await page.text("#heat-readout")
        assert readout.startswith("ams/d1 lcore 2 · ")
        await page.evaluate("document.querySelector('#residual-head').focus()")
        assert "the fate of every packet is known" in await page.text("#tip")
        await page.evaluate("document.querySelector('[data-mode=drops]').click()")
        assert (await page.text("#scale-high")).endswith("/s")


async def test_one_node_can_be_chosen_and_the_address_keeps_it(tmp_path: Path) -> None:
    async with served(tmp_path, 120) as (url, _), opened(tmp_path, url) as page:
        await page.evaluate(
            "{ const s = document.querySelector('#node'); s.value = 'ams/d2';"
            " s.dispatchEvent(new Event('change')); }"
        )
        await page.wait_for("document.querySelector('#lcore-count').innerText === '(2) by second'")
        assert await page.evaluate("location.search") == "?node=ams%2Fd2"
        await page.call("Page.reload")
        await page.wait_for(
            "document.querySelector('#lcore-count')?.innerText === '(2) by second'"
            " && document.querySelector('#node').value === 'ams/d2'"
        )


async def test_names_from_the_wire_are_text_and_no_code(tmp_path: Path) -> None:
    async with served(tmp_path, 30) as (url, store):
        name = "<img src=x onerror=document.title=1>"
        insert = (
            "INSERT INTO vip_1s (ts, pop, node, instance, interval_ms, vip, address, port,"
            " protocol, rx_packets)"
            f" SELECT now64(3) - 3, 'ams', 'd1', 'lb', 1000, '{name}', 'x', '1', 'tcp', 9"
        )
        await asyncio.to_thread(store.query, insert)
        async with opened(tmp_path, url) as page:
            assert name in await page.text("#vips")
            assert await page.evaluate("document.title") == "Popscope live"


async def test_the_theme_is_that_of_the_system_until_one_is_chosen(tmp_path: Path) -> None:
    theme = "document.documentElement.dataset.theme"
    stored = "localStorage.getItem('popscope-theme')"
    async with served(tmp_path, 60) as (url, _), opened(tmp_path, url) as page:
        assert await page.evaluate(theme) == "dark"
        before = await page.evaluate(f"({PAINTED})('#heat')")
        await page.evaluate("document.querySelector('#theme').click()")
        assert await page.evaluate(theme) == "light"
        assert await page.evaluate(f"({PAINTED})('#heat')") > min(before, 4)
        await page.call("Page.reload")
        await page.wait_for(f"{LIVE} && {theme} === 'light'")
        assert await page.evaluate("document.querySelector('#theme').ariaPressed") == "true"
        await page.evaluate("document.querySelector('#theme').click()")
        assert await page.evaluate(f"[{theme}, {stored}]") == ["dark", None]


@pytest.mark.parametrize("width", [360, 768, 1440])
async def test_it_fits_a_window_of_any_width(tmp_path: Path, width: int) -> None:
    async with served(tmp_path, 60) as (url, _), opened(tmp_path, url) as page:
        await page.resize(width, 800)
        await page.wait_for(f"innerWidth === {width}")
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        cut = (
            "[...document.querySelectorAll('.figure, #verdict b, h2')]"
            ".filter((e) => e.offsetParent && e.scrollWidth > e.clientWidth + 1 && e.clientWidth)"
            ".map((e) => e.textContent)"
        )
        assert await page.evaluate(cut) == []


async def test_a_young_fleet_is_drawn_from_its_first_second(tmp_path: Path) -> None:
    async with served(tmp_path, 90, feed=True) as (url, _), opened(tmp_path, url) as page:
        note = await page.text("#residual-note")
        assert 90 <= int(note.split(" s: ")[0]) < 120


async def test_a_little_noise_is_no_alarm(tmp_path: Path) -> None:
    async with served(tmp_path, 60) as (url, _), opened(tmp_path, url) as page:
        assert await page.evaluate("document.querySelector('#verdict').className") == "bad"
        grave = (
            "import('/live/static/summary.js').then(({grave}) =>"
            " [[9, 1e6], [10, 1e6], [5, 400], [1, 200], [0, 0]].map(([now, came]) =>"
            " grave(now, {nodes: [{rx: came}], recent: (value) => value})))"
        )
        assert await page.evaluate(grave) == [False, True, True, False, False]


async def test_whoever_has_focus_can_be_seen(tmp_path: Path) -> None:
    async with served(tmp_path, 60) as (url, _), opened(tmp_path, url) as page:
        seen = []
        for _ in range(40):
            await page.key("Tab", 9)
            outline = "getComputedStyle(document.activeElement).outlineStyle"
            seen.append(await page.evaluate(f"[document.activeElement.tagName, {outline}]"))
        assert {tag for tag, _ in seen} >= {"H2", "SELECT", "BUTTON", "CANVAS", "DIV"}
        assert {style for tag, style in seen if tag != "BODY"} == {"solid"}


async def test_without_chromium_it_fails_and_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_browser, "CHROMIUM", "")
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium"):
        async with browser(tmp_path):
            pass


async def test_what_was_dropped_before_is_said_when_all_is_well(tmp_path: Path) -> None:
    async with served(tmp_path, 60) as (url, _), opened(tmp_path, url) as page:
        said = await page.evaluate(
            "import('/live/static/summary.js').then(({earlier}) => [earlier([]), earlier("
            "[{id: 'arp_not_for_us', total: 23}, {id: 'exceeds_mtu', total: 1180}])])"
        )
    assert said[0] == ""
    assert said[1] == (
        " Earlier in the time shown: 1,203 dropped, the most for exceeds mtu (1,180)."
    )
