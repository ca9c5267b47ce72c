"""The dashboard: what it answers, and what a person sees of it in a real browser without a network."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from chromium import browsing, find_chromium, running
from scripted import Script, visits_by_day
from serving import serving

from indivd_async import AsyncIndivd, ConfigError, RetryPolicy, sandbox
from indivd_async.dashboard import main, make_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from chromium import Page

pytestmark = pytest.mark.anyio

MARCH = {"location": "124", "start_date": "2025-03-01", "end_date": "2025-03-28"}
FEBRUARY = {"comparison_start_date": "2025-02-01", "comparison_end_date": "2025-02-28"}


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio alone: uvicorn and the browser's protocol do."""
    return "asyncio"


# What it answers.


@asynccontextmanager
async def visiting(**options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Start the application in process, and be its visitor."""
    app = make_app(**options)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as visitor,
    ):
        yield visitor


async def test_a_week_of_hours_is_folded_from_the_rows() -> None:
    """Each cell is the mean over the days that have figures; hours that never had a visit are null."""
    async with visiting() as visitor:
        answer = (await visitor.get("/api/visits", params=MARCH | FEBRUARY)).json()
        rows = [json.loads(line) for line in (await visitor.get("/api/rows.ndjson", params=MARCH)).text.splitlines()]
    week = answer["current"]
    assert week["visits"] == sum(row["visits"] for row in rows)
    assert [len(day) for day in week["mean"]] == [24] * 7
    tuesday_at_ten = [
        row["visits"]
        for row in rows
        if row["hour"] == 10 and date(row["year"], row["month"], row["dayofmonth"]).weekday() == 1
    ]
    assert week["mean"][1][10] == round(sum(tuesday_at_ten) / 4, 2)
    assert week["mean"][6] == [None] * 24  # closed on Sundays
    assert answer["comparison"]["startdate"] == "2025-02-01"
    assert answer["complete"] is True
    assert len(answer["coverage"]) == 1


async def test_the_sandbox_is_asked_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway and a token of the real service are for --live."""
    monkeypatch.setenv("INDIVD_BASE_URL", "https://gateway.example/indivd")
    monkeypatch.setenv("INDIVD_TOKEN", "of-the-real-service")
    async with visiting() as visitor:
        assert len((await visitor.get("/api/locations")).json()) >= 8


async def test_a_zone_can_be_looked_at_alone() -> None:
    """The profile of one zone has that zone's visits."""
    async with visiting() as visitor:
        zones = (await visitor.get("/api/zones", params=MARCH)).json()["current"]["insights"]
        one = zones[1]
        week = (await visitor.get("/api/visits", params=MARCH | {"zone": str(one["aggregation"]["zone_id"])})).json()
    assert week["current"]["visits"] == one["visits"]


async def test_a_day_that_failed_is_not_a_day_of_zeros() -> None:
    """What failed is in the coverage, and means are over the days that arrived."""
    faults = sandbox.Faults(hook=lambda number, path, params: 500 if params.get("end_date") == "2025-04-30" else None)
    options = {"transport": sandbox.transport(faults=faults), "retry": RetryPolicy(attempts=1)}
    april = MARCH | {"end_date": "2025-04-30"}  # 61 days of hours: asked in pieces
    async with visiting(**options) as visitor:
        broken = (await visitor.get("/api/visits", params=april)).json()
    async with visiting() as visitor:
        whole = (await visitor.get("/api/visits", params=april)).json()
    assert broken["complete"] is False
    assert {item["status"] for item in broken["coverage"]} == {"ok", "failed"}
    assert broken["current"]["visits"] < 0.7 * whole["current"]["visits"]
    assert sum(broken["current"]["mean"][0][10:19]) > 0.7 * sum(whole["current"]["mean"][0][10:19])


@pytest.mark.parametrize("day", ["0002-03-01", "0202-03-01", "2202-03-28"])
@pytest.mark.parametrize("what", ["visits", "zones", "drop-in", "rows.ndjson"])
async def test_a_year_that_is_being_typed_is_not_asked_for(what: str, day: str) -> None:
    """Two thousand years are as many requests as the service has in weeks."""
    name = "start_date" if day < "2000" else "end_date"
    async with visiting() as visitor:
        answer = await visitor.get(f"/api/{what}", params=MARCH | {name: day})
    assert answer.status_code == 422
    assert answer.json()["detail"] == f"{name}: must be a day from 2000-01-01 to 2099-12-31; got '{day}'."


async def test_bad_periods_are_explained() -> None:
    """The words are those of the query."""
    async with visiting() as visitor:
        answer = await visitor.get("/api/zones", params=MARCH | {"end_date": "2025-02-30"})
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "end_date: must be a day that exists; got '2025-02-30'.",
    )


async def test_the_page_may_load_nothing_from_elsewhere() -> None:
    """Its policy names no other source, and its files no address."""
    async with visiting() as visitor:
        page = await visitor.get("/")
        files = [page.text, *[(await visitor.get(path)).text for path in ("/page.css", "/page.js")]]
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    addresses = [word for text in files for word in text.split() if "://" in word]
    assert all("www.w3.org" in word for word in addresses), addresses  # names of XML, not addresses


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1", 200), ("localhost", 200), ("rebound.example", 400)],
)
async def test_on_loopback_it_answers_to_names_of_this_machine_only(host: str, status: int) -> None:
    """A page elsewhere that points its own name here reads nothing."""
    async with visiting() as visitor:
        answer = await visitor.get("/api/locations", headers={"Host": f"{host}:8000"})
    assert answer.status_code == status


async def test_on_other_addresses_any_name_will_do() -> None:
    """Whoever listens on all addresses wants to be reached by their names."""
    async with visiting(host="0.0.0.0") as visitor:
        assert (await visitor.get("/api/locations", headers={"Host": "dashboard.example"})).status_code == 200


# The command.


def test_the_command_serves_until_it_is_interrupted() -> None:
    """It says where, answers there, and ends with the interrupt."""
    program = (
        "import argparse, signal, sys; from indivd_async.dashboard import main; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); "  # it may be inherited as ignored
        "sys.exit(main(argparse.Namespace(host='127.0.0.1', port=0, live=False)))"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        url = process.stderr.readline().split()[1]
        assert len(httpx.get(f"{url}/api/locations", trust_env=False, timeout=20).json()) >= 8
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert rest.rstrip().endswith("KeyboardInterrupt")  # which the command line turns into its status 130


def test_live_needs_a_token_before_anything_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the client's own."""
    monkeypatch.delenv("INDIVD_TOKEN", raising=False)
    with pytest.raises(ConfigError, match="INDIVD_TOKEN"):
        main(argparse.Namespace(host="127.0.0.1", port=0, live=True))


# The page, in a browser.


@pytest.fixture(scope="module")
def browser() -> Iterator[str]:
    """Start a browser; a machine without one skips, unless CI_CHROMIUM=1 asks for it."""
    executable = find_chromium()
    if executable is None:
        if os.environ.get("CI_CHROMIUM") == "1":
            pytest.fail("CI_CHROMIUM=1 wants a browser, and there is no chromium on the path")
        pytest.skip("no chromium on the path (Debian's package is `chromium`); CI_CHROMIUM=1 makes this a failure")
    with running(executable) as url:
        yield url


@pytest.fixture
async def page(browser: str) -> AsyncIterator[Page]:
    """Open a page of a profile of its own."""
    async with browsing(browser) as page:
        yield page


@asynccontextmanager
async def dashboard(**options: Any) -> AsyncIterator[str]:
    """Serve the dashboard and yield its address."""
    async with serving(make_app(**options)) as (host, port):
        yield f"http://{host}:{port}/"


PERIOD = "?start=2025-03-01&end=2025-03-28"


async def test_the_page_shows_everything_and_asks_nobody_else(page: Page) -> None:
    """Locations, totals, heat map, quartiles, funnel, notes, coverage; every request goes to the dashboard itself."""
    async with dashboard() as url:
        await page.look(1280)
        await page.open(url + PERIOD)
        assert await page.evaluate("document.documentElement.dataset.state") == "ready"
        assert await page.text("#place") == "Drottninggatan"
        assert "(28 days), compared with Feb 1" in await page.text("#periods")
        places = await page.evaluate("[...document.querySelectorAll('.location b')].map(place => place.textContent)")
        assert len(places) >= 8
        async with AsyncIndivd("sandbox", transport=sandbox.transport()) as client:
            zones = await client.zone_visitors("2025-03-01", "2025-03-28", location=124, aggregate_by="zone")
            drop_in = await client.drop_in_rate("2025-03-01", "2025-03-28", location=124)
        tiles = await page.text("#tiles")
        assert f"{zones.total('visits'):,}" in tiles
        assert f"{drop_in.summary.current.enter_percentage}" in tiles
        assert await page.evaluate("document.querySelectorAll('#visits svg.heat .cell').length") > 40
        assert await page.evaluate("document.querySelectorAll('#zones .box').length") == len(zones)
        assert f"{drop_in.summary.current.passing_by:,}" in await page.text("#drop-in .funnel")
        assert drop_in.notes[0].message in await page.text("#account .notes")
        assert "Complete: 3 requests answered" in await page.text("#account")
        assert await page.text("#source") == "sandbox: invented visitors"
    asked = {address for address in page.requested if not address.startswith((url, "data:"))}
    assert asked == set()
    assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_nothing_is_wider_than_the_screen_and_text_can_be_read(page: Page, width: int, scheme: str) -> None:
    """No sideways scrolling; text stands out from what is behind it by 4.5 to 1 at least (WCAG AA)."""
    async with dashboard() as url:
        await page.look(width, scheme=scheme)
        await page.open(url + PERIOD)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        poor = await page.evaluate(POOR_CONTRAST)
    assert poor == []


#: Texts whose colour is too near to the first opaque background behind them.
POOR_CONTRAST = """
(() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
    .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.5) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || node.closest(".unseen, .skip, noscript, option") || !node.getClientRects().length) continue;
    const style = getComputedStyle(node);
    const colour = parse(node instanceof SVGElement ? style.fill : style.color);
    const [one, other] = [light(colour), light(behind(node))].sort((a, b) => b - a);
    if ((one + 0.05) / (other + 0.05) < 4.5) poor.push(`${node.tagName} ${node.textContent.trim().slice(0, 30)}`);
  }
  return poor;
})()
"""


async def test_names_are_shown_and_never_obeyed(page: Page) -> None:
    """Neither as markup, nor as a direction of writing, nor as a control character."""
    name = "<img src=x onerror=alert(1)>\u202e7\x9b\n"
    places = [{"id": 124, "name": name, "timezone": "Europe/Stockholm"}]
    async with dashboard(transport=Script(visits_by_day, locations=places)) as url:
        await page.open(url + PERIOD)
        assert await page.text("#place") == r"<img src=x onerror=alert(1)>\u202e7\u009b\u000a"
        assert await page.evaluate("document.querySelectorAll('img').length") == 0


async def test_it_can_be_used_with_the_keyboard_alone(page: Page) -> None:
    """Arrows choose the location and move over the heat map, which reads out the hour."""
    async with dashboard() as url:
        await page.look(1280)
        await page.open(url + PERIOD)
        await page.press("Tab")
        assert await page.evaluate("document.activeElement.textContent") == "Skip to the figures"
        await page.press("Tab")
        assert await page.evaluate("document.activeElement.name") == "location"
        await page.press("ArrowDown")
        await page.until("document.getElementById('place').textContent === 'Central Station'")
        await page.settle()
        await page.evaluate("document.querySelector('#visits svg.heat').focus()")
        before = await page.text("#readout")
        await page.press("ArrowRight", "ArrowDown")
        after = await page.text("#readout")
        assert before != after
        assert after.startswith("Tuesday 13")


async def test_choices_are_in_the_address_and_change_the_figures(page: Page) -> None:
    """A zone, another view, no comparison: the page follows, and its address opens the same again."""
    async with dashboard() as url:
        await page.look(1280)
        await page.open(url + PERIOD)
        choose = (
            "((selector, value) => { const field = document.querySelector(selector); field.value = value;"
            " field.dispatchEvent(new Event('change', { bubbles: true })); })"
        )
        await page.evaluate(f"{choose}('#zone', '202')")
        await page.settle()
        await page.evaluate("document.querySelector('[name=view][value=change]').click()")
        assert "Largest rise" in await page.text("#readout")
        address = await page.evaluate("location.href")
        assert "zone=202" in address
        assert "view=change" in address
        await page.open(address)
        assert await page.evaluate("document.querySelector('#zone').value") == "202"
        assert "Largest rise" in await page.text("#readout")
        await page.evaluate(f"{choose}('[name=compare]', 'none')")
        await page.settle()
        assert "compared" not in await page.text("#periods")
        assert await page.evaluate("document.querySelector('[name=view][value=change]').disabled") is True


async def test_a_period_that_ends_before_it_begins_is_not_asked(page: Page) -> None:
    """The page says what to choose."""
    async with dashboard() as url:
        await page.open(url + "?start=2025-03-28&end=2025-03-01")
        assert "Choose a first day" in await page.text("#visits [data-body]")
    assert not [address for address in page.requested if "/api/visits" in address]


async def test_failures_are_told_and_can_be_tried_again(page: Page) -> None:
    """Each panel says what is wrong in words; when the service is back, the button brings the figures."""
    faults = sandbox.Faults(hook=lambda number, path, params: 401 if "external" in path else None)
    options = {"transport": sandbox.transport(faults=faults), "retry": RetryPolicy(attempts=1)}
    async with dashboard(**options) as url:
        await page.open(url + PERIOD)
        assert await page.evaluate("document.documentElement.dataset.state") == "failed"
        assert "This application is not set up" in await page.text("#visits [role=alert]")
        faults.hook = None
        for panel in ("visits", "zones", "drop-in"):
            await page.evaluate(f"document.querySelector('#{panel} [role=alert] button').click()")
        await page.until("document.querySelectorAll('[role=alert]').length === 0")
        await page.settle()
        assert "Complete" in await page.text("#account")


async def test_an_incomplete_answer_says_so(page: Page) -> None:
    """What arrived is drawn, and what failed is counted."""
    faults = sandbox.Faults(hook=lambda number, path, params: 500 if params.get("end_date") == "2025-04-30" else None)
    options = {"transport": sandbox.transport(faults=faults), "retry": RetryPolicy(attempts=1)}
    async with dashboard(**options) as url:
        await page.open(url + "?start=2025-03-01&end=2025-04-30&compare=none")
        account = await page.text("#account")
        assert "failed: the figures are incomplete" in account
        assert "retry_failed" not in account
        assert "Incomplete: 1 of 2 requests failed." in await page.text("#visits")
        assert "Every request for these figures failed (ServerError)." in await page.text("#zones")
        tiles = await page.evaluate("[...document.querySelectorAll('#tiles dd')].map(figure => figure.textContent)")
        assert set(tiles) == {"\N{EN DASH}", "not all figures arrived"}  # never a zero for what is not known
        assert await page.evaluate("document.querySelectorAll('#visits svg.heat .cell').length") > 40


async def test_without_locations_there_is_a_way_on(page: Page) -> None:
    """The list says what is wrong and offers to try again."""
    faults = sandbox.Faults(hook=lambda number, path, params: 500)
    options = {"transport": sandbox.transport(faults=faults), "retry": RetryPolicy(attempts=1)}
    async with dashboard(**options) as url:
        await page.open(url)
        assert "no usable answer" in await page.text("#location-list [role=alert]")
        faults.hook = None
        await page.evaluate("document.querySelector('#location-list button').click()")
        await page.until("document.querySelectorAll('.location').length > 0")
        await page.settle()
        assert await page.evaluate("document.documentElement.dataset.state") == "ready"


async def test_a_basic_plan_has_no_dwell_times(page: Page) -> None:
    """What is not measured is said, not drawn as zero."""
    async with dashboard(token="sandbox-basic") as url:
        await page.open(url + PERIOD)
        assert "needs Indivd Pro" in await page.text("#zones")
        notes = await page.text("#account .notes")
        assert "not measured by the plan of this location" in notes
        assert "None" not in notes
        assert await page.evaluate("document.querySelectorAll('#tiles dd')[2].textContent") == "\N{EN DASH}"
