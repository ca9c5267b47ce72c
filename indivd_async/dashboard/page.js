// What is chosen is in the address; a change asks for three answers; each answer draws its panel when it is there.

const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const HOURS = Array.from({ length: 24 }, (_, hour) => hour);
const DAY_MS = 86_400_000;
const PANELS = { visits: drawVisits, zones: drawZones, "drop-in": drawDropIn };

const chosen = { location: null, start: "", end: "", compare: "previous", zone: "", view: "current" };
const answers = {};
const underWay = {};
let locations = [];
let cursor = { day: 0, hour: 12 };

// Elements. Text goes in as text, never as markup.

const find = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}
const html = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
const svg = (name, attributes, ...children) => fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

function table(heads, rows, attributes = {}) {
  return html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": attributes.label },
    html("table", { class: attributes.class },
      html("thead", {}, html("tr", {}, heads.map((head) => html("th", { scope: "col" }, head)))),
      html("tbody", {}, rows.map(([first, ...rest]) =>
        html("tr", {}, html("th", { scope: "row" }, first), rest.map((cell) => html("td", {}, cell)))))));
}

function folded(title, make) {
  const details = html("details", {}, html("summary", {}, title));
  details.addEventListener("toggle", () => details.childElementCount === 1 && details.append(make()));
  return details;
}

// Figures in words.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en", { maximumFractionDigits: 1, minimumFractionDigits: 1 });
const dayName = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const NOTHING = "–";

const count = (number) => (number === null || number === undefined ? NOTHING : whole.format(number));
const percent = (number) => (number === null || number === undefined ? NOTHING : `${tenth.format(number)}\u00a0%`);
const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

function time(seconds) {
  if (seconds === null || seconds === undefined) return NOTHING;
  const rounded = Math.round(seconds);
  if (rounded < 60) return `${rounded}\u00a0s`;
  const minutes = Math.floor(rounded / 60);
  const parts = minutes < 60 ? [minutes, "min", rounded % 60, "s"] : [Math.floor(minutes / 60), "h", minutes % 60, "min"];
  return parts.join("\u00a0");
}

const arrow = (change) => (change > 0 ? "▲" : change < 0 ? "▼" : "=");

function relativeChange(now, before) {
  if (!before || now === null || now === undefined) return "";
  const change = (100 * (now - before)) / before;
  return `${arrow(change)}\u00a0${tenth.format(Math.abs(change))}\u00a0% from ${count(before)}`;
}

function changeInPoints(now, before) {
  if ([now, before].some((rate) => rate === null || rate === undefined)) return "";
  return `${arrow(now - before)}\u00a0${tenth.format(Math.abs(now - before))} points from ${percent(before)}`;
}

// Days are dates without a clock: UTC midnights, so that no clock change moves them.

const toDay = (text) => new Date(`${text}T00:00:00Z`);
const toText = (day) => day.toISOString().slice(0, 10);
const shifted = (text, days) => toText(new Date(toDay(text).getTime() + days * DAY_MS));
const daysBetween = (start, end) => Math.round((toDay(end) - toDay(start)) / DAY_MS) + 1;
const spell = (start, end) => (start === end ? dayName.format(toDay(start)) : dayName.formatRange(toDay(start), toDay(end)));

function today() {
  const now = new Date();
  return toText(new Date(Date.UTC(now.getFullYear(), now.getMonth(), now.getDate())));
}

function comparisonPeriod() {
  const days = chosen.compare === "previous" ? daysBetween(chosen.start, chosen.end) : 364;
  return chosen.compare === "none" ? null : { start: shifted(chosen.start, -days), end: shifted(chosen.end, -days) };
}

// The address.

function readAddress() {
  const asked = new URLSearchParams(location.search);
  for (const name of Object.keys(chosen)) if (asked.has(name)) chosen[name] = asked.get(name);
  const isDay = (text) => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(toDay(text).getTime());
  if (!isDay(chosen.start) || !isDay(chosen.end)) useLastDays(28);
  if (!["previous", "year", "none"].includes(chosen.compare)) chosen.compare = "previous";
  if (!["current", "comparison", "change"].includes(chosen.view)) chosen.view = "current";
}

function writeAddress() {
  const asked = Object.entries(chosen).filter(([, value]) => value !== "" && value !== null);
  history.replaceState(null, "", `?${new URLSearchParams(asked)}`);
}

function useLastDays(days) {
  chosen.end = shifted(today(), -1); // today still grows
  chosen.start = shifted(chosen.end, 1 - days);
}

// Asking.

class Failure extends Error {}

// Names are typed by strangers: what would begin a line or turn the direction of writing is shown, not obeyed.
const OBEYED = /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const shown = (text) => text.replace(OBEYED, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);

function read(text) {
  try {
    return JSON.parse(text, (_, value) => (typeof value === "string" ? shown(value) : value));
  } catch {
    return null;
  }
}

async function ask(path, parameters, signal) {
  let response;
  try {
    response = await fetch(`api/${path}?${new URLSearchParams(parameters)}`, { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("The dashboard does not answer. Is it still running?");
  }
  const answer = read(await response.text());
  if (response.ok && answer !== null) return answer;
  const detail = typeof answer?.detail === "string" ? answer.detail : `The dashboard answered ${response.status}.`;
  const patience = response.headers.get("Retry-After");
  throw new Failure(patience ? `${detail} Try again in ${patience} s.` : detail);
}

function parametersOf(panel) {
  const before = comparisonPeriod();
  return {
    location: chosen.location,
    start_date: chosen.start,
    end_date: chosen.end,
    ...(before && { comparison_start_date: before.start, comparison_end_date: before.end }),
    ...(panel === "visits" && chosen.zone && { zone: chosen.zone }),
  };
}

// What failed is not nothing: an answer of which no piece arrived has no figures, one that lacks some has no totals.

const failedOf = (answer) => answer.coverage.filter((item) => item.status === "failed");
const isMissing = (answer) => answer.coverage.length > 0 && failedOf(answer).length === answer.coverage.length;
const failuresOf = (answer) => `${count(failedOf(answer).length)} of ${plural(answer.coverage.length, "request")} failed`;

const bodyOf = (panel) => find(panel).querySelector("[data-body]");

function fail(body, message, again) {
  body.replaceChildren(html("div", { class: "failure", role: "alert" }, html("p", {}, message),
    again && html("button", { type: "button", onclick: again }, "Try again")));
}

async function load(panel) {
  underWay[panel]?.abort();
  const abort = (underWay[panel] = new AbortController());
  const body = bodyOf(panel);
  body.setAttribute("aria-busy", "true");
  delete answers[panel];
  if (!body.querySelector(".wait")) body.prepend(html("p", { class: "wait" }, "Loading …"));
  try {
    const answer = (answers[panel] = await ask(panel, parametersOf(panel), abort.signal));
    if (isMissing(answer)) throw new Failure(`Every request for these figures failed (${answer.coverage[0].error}).`);
    PANELS[panel](body, answer);
    if (!answer.complete) body.prepend(html("p", { class: "incomplete" }, `Incomplete: ${failuresOf(answer)}.`));
  } catch (error) {
    if (error.name === "AbortError") return;
    fail(body, error instanceof Failure ? error.message : `This panel cannot be drawn: ${error.message}`, () => refresh([panel]));
  }
  body.removeAttribute("aria-busy");
  delete underWay[panel];
  drawTiles();
  drawAccount();
}

async function refresh(panels = Object.keys(PANELS)) {
  writeAddress();
  drawForm();
  if (chosen.start > chosen.end) {
    for (const panel of panels) {
      underWay[panel]?.abort();
      delete answers[panel];
      bodyOf(panel).replaceChildren(html("p", { class: "quiet" }, "Choose a first day that is not after the last."));
      bodyOf(panel).removeAttribute("aria-busy");
    }
    drawTiles();
    drawAccount();
    return tell("ready", "The period ends before it begins.");
  }
  tell("loading", "Loading figures …");
  await Promise.all(panels.map(load));
  if (Object.keys(underWay).length) return; // a later change is being loaded
  const failed = Object.keys(PANELS).some((panel) => !answers[panel] || isMissing(answers[panel]));
  tell(failed ? "failed" : "ready", failed ? "Some figures could not be loaded." : `Figures for ${find("place").textContent} are loaded.`);
}

function tell(state, text) {
  document.documentElement.dataset.state = state;
  find("status").textContent = text;
}

// The choices.

function drawLocations() {
  find("location-list").removeAttribute("aria-busy");
  find("location-list").replaceChildren(...locations.map((place) =>
    html("label", { class: "location" },
      html("input", { type: "radio", name: "location", value: place.id, checked: String(place.id) === String(chosen.location) }),
      html("b", {}, place.name ?? `Location ${place.id}`),
      html("span", {}, [place.city, place.country].filter(Boolean).join(", ") || `id ${place.id}`),
      html("span", {}, (place.timezone ?? "").replaceAll("_", " ")))));
  // The chosen one is in sight also where the list is a strip; the page itself stays where it is.
  const strip = find("location-list");
  const current = strip.querySelector(":checked")?.parentElement;
  if (current) strip.scrollLeft = current.offsetLeft - strip.offsetLeft - 8;
}

function drawForm() {
  const form = find("range");
  for (const name of ["start", "end", "compare"]) form.elements[name].value = chosen[name];
  form.elements.end.max = today();
  const days = daysBetween(chosen.start, chosen.end);
  for (const button of form.querySelectorAll("[data-days]")) {
    const isIt = Number(button.dataset.days) === days && chosen.end === shifted(today(), -1);
    button.setAttribute("aria-pressed", isIt);
  }
  if (chosen.compare === "none") chosen.view = "current";
  for (const input of find("view").querySelectorAll("input")) {
    input.disabled = chosen.compare === "none" && input.value !== "current";
    input.checked = input.value === chosen.view;
  }
  const place = locations.find((one) => String(one.id) === String(chosen.location));
  const before = comparisonPeriod();
  find("place").textContent = place?.name ?? `Location ${chosen.location}`;
  document.title = `${find("place").textContent} · Visitors`;
  find("periods").textContent = chosen.start > chosen.end ? "" :
    `${spell(chosen.start, chosen.end)} (${plural(days, "day")})` + (before ? `, compared with ${spell(before.start, before.end)}` : "");
  const rows = find("rows");
  rows.hidden = chosen.start > chosen.end;
  rows.href = `api/rows.ndjson?${new URLSearchParams({ location: chosen.location, start_date: chosen.start, end_date: chosen.end })}`;
}

function drawZoneChoice(insights) {
  const zones = new Map(insights.map(({ aggregation }) => [String(aggregation.zone_id), aggregation.zone_name ?? `Zone ${aggregation.zone_id}`]));
  find("zone").replaceChildren(html("option", { value: "" }, "all zones"), ...[...zones].map(([id, name]) => html("option", { value: id }, name)));
  find("zone").value = zones.has(chosen.zone) ? chosen.zone : "";
}

// The totals.

const sum = (rows, read) => rows.reduce((total, row) => total + (read(row) ?? 0), 0);

function bounceRate(period) {
  const measured = period?.insights.filter((row) => row.bounce !== null) ?? [];
  const visits = sum(measured, (row) => row.visits);
  return visits ? (100 * sum(measured, (row) => row.bounce)) / visits : null;
}

function drawTiles() {
  const visitsOf = (period) => period && sum(period.insights, (row) => row.visits);
  const tile = (name, panel, read, change, show, why) => {
    const answer = answers[panel]?.complete ? answers[panel] : null;
    const [now, before] = answer ? [read(answer, "current"), read(answer, "comparison")] : [];
    const below = answers[panel] && !answer ? "not all figures arrived" : change(now, before);
    return html("div", { class: "tile", title: why }, html("dt", {}, name), html("dd", {}, show(now)), html("dd", { class: "change" }, below));
  };
  const ofZones = (read) => (answer, period) => read(answer[period]);
  const ofDropIn = (name) => (answer, period) => answer.summary[period]?.[name];
  find("tiles").replaceChildren(
    tile("Visits", "zones", ofZones(visitsOf), relativeChange, count, "Entries to all zones"),
    tile("Bounced", "zones", ofZones(bounceRate), changeInPoints, percent, "Visits shorter than the threshold of their zone"),
    tile("Passed by", "drop-in", ofDropIn("passing_by"), relativeChange, count, "People passing the entrances that have passing-by lines"),
    tile("Dropped in", "drop-in", ofDropIn("enter_percentage"), changeInPoints, percent, "The share of those who passed that went in"));
}

// Visits by weekday and hour.

function cellsOf(answer, view) {
  const now = answer.current.mean;
  const then = answer.comparison?.mean;
  return DAYS.map((_, day) => HOURS.map((hour) => {
    const values = [now[day][hour], then?.[day][hour] ?? null];
    if (view === "change") return values.includes(null) ? null : values[0] - values[1];
    return values[view === "comparison" ? 1 : 0];
  }));
}

function describeCell(answer, { day, hour }) {
  const name = `${DAYS[day]} ${String(hour).padStart(2, "0")}–${String((hour + 1) % 24).padStart(2, "0")} h`;
  const now = answer.current.mean[day][hour];
  if (now === null) return `${name}: no visit was counted`;
  const then = answer.comparison?.mean[day][hour];
  return `${name}: ${tenth.format(now)} visits a day` + (then === null || then === undefined ? "" : `, before ${tenth.format(then)}`);
}

function drawVisits(body, answer) {
  const view = answer.comparison ? chosen.view : "current";
  const cells = cellsOf(answer, view);
  const known = cells.flat().filter((cell) => cell !== null);
  if (!known.length) {
    body.replaceChildren(html("p", { class: "quiet" }, "No visit was counted in this period."));
    return;
  }
  // One scale for period and comparison, so that switching shows what changed.
  const profiles = [answer.current, answer.comparison].filter(Boolean);
  const most = Math.max(...(view === "change" ? known.map(Math.abs) : profiles.flatMap((profile) => profile.mean.flat())), 0.01);
  const readout = html("p", { class: "readout", id: "readout", "aria-live": "polite" });
  const host = html("div", { class: "heat-host" });
  // Hours before the first and after the last that ever had a visit are left out: most places close at night.
  const open = HOURS.filter((hour) => profiles.some((profile) => profile.mean.some((day) => day[hour] !== null)));
  const hours = HOURS.slice(open[0], open.at(-1) + 1);
  cursor.hour = Math.min(Math.max(cursor.hour, hours[0]), hours.at(-1));
  const draw = () => {
    const focused = host.contains(document.activeElement);
    host.replaceChildren(heatMap(host.clientWidth || 640, { cells, hours, most, answer, view, readout }));
    if (focused) host.firstChild.focus();
  };
  const heads = ["Weekday", ...hours.map(String)];
  const rows = () => cells.map((row, day) => [DAYS[day], ...hours.map((hour) => (row[hour] === null ? NOTHING : tenth.format(row[hour])))]);
  body.replaceChildren(host, html("div", { class: "under" }, readout, legend(view, most)),
    folded("Figures as a table", () => table(heads, rows(), { class: "small", label: "Visits by weekday and hour" })));
  draw();
  drawVisits.redraw = draw;
}

function heatMap(width, { cells, hours, most, answer, view, readout }) {
  const upright = width < 560; // weekdays across and hours down, where the screen is narrow
  const [columns, rows] = upright ? [7, hours.length] : [hours.length, 7];
  const [left, top, gap] = [upright ? 30 : 40, 18, 2];
  const wide = (width - left) / columns;
  const high = upright ? 22 : 30;
  const place = (day, hour) => (upright ? [left + day * wide, top + (hour - hours[0]) * high] : [left + (hour - hours[0]) * wide, top + day * high]);
  const every = upright || wide >= 30 ? 1 : 3;

  const across = (x, text) => svg("text", { x: left + (x + 0.5) * wide, y: 12, "text-anchor": "middle" }, text);
  const down = (y, text) => svg("text", { x: 0, y: top + (y + 0.5) * high + 4 }, text);
  const labels = [
    ...DAYS.map((name, day) => (upright ? across : down)(day, name.slice(0, 3))),
    ...hours.filter((hour) => hour % every === 0).map((hour) => (upright ? down : across)(hour - hours[0], hour)),
  ];
  const squares = cells.flatMap((row, day) => hours.map((hour) => {
    const [x, y] = place(day, hour);
    const shape = { x: x + gap / 2, y: y + gap / 2, width: Math.max(1, wide - gap), height: high - gap, rx: 2 };
    const value = row[hour];
    return value === null ? svg("rect", { ...shape, class: "none" }) : [svg("rect", { ...shape, class: "ground" }), swatch(shape, value / most)];
  }).flat());
  const mark = svg("rect", { class: "cursor", width: wide, height: high, rx: 3, visibility: "hidden" });
  const best = cells.flatMap((row, day) => row.map((value, hour) => ({ day, hour, value: value ?? -Infinity })))
    .reduce((one, other) => (other.value > one.value ? other : one));
  const summary = `${view === "change" ? "Largest rise" : "Highest"}: ${describeCell(answer, best)}`;
  const height = top + rows * high;
  const picture = svg("svg", {
    class: "heat", viewBox: `0 0 ${width} ${height}`, height, role: "img", tabindex: 0,
    "aria-label": `Heat map of visits. ${summary}. Arrow keys move over the hours.`, "aria-describedby": "readout",
  }, labels, squares, mark);

  const show = () => {
    const [x, y] = place(cursor.day, cursor.hour);
    for (const [name, value] of Object.entries({ x, y, visibility: "visible" })) mark.setAttribute(name, value);
    readout.textContent = describeCell(answer, cursor);
  };
  const rest = () => {
    mark.setAttribute("visibility", "hidden");
    readout.textContent = summary;
  };
  const moveTo = (day, hour) => {
    cursor = { day: (day + 7) % 7, hour: hours[(hour - hours[0] + hours.length) % hours.length] };
    show();
  };
  const [aDay, anHour] = [[1, 0], [0, 1]];
  const steps = upright ? { ArrowRight: aDay, ArrowDown: anHour } : { ArrowRight: anHour, ArrowDown: aDay };
  steps.ArrowLeft = steps.ArrowRight.map((step) => -step);
  steps.ArrowUp = steps.ArrowDown.map((step) => -step);
  picture.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    moveTo(cursor.day + step[0], cursor.hour + step[1]);
  });
  picture.addEventListener("focus", show);
  picture.addEventListener("blur", rest);
  picture.addEventListener("pointerleave", () => document.activeElement !== picture && rest());
  picture.addEventListener("pointermove", (event) => {
    const bounds = picture.getBoundingClientRect();
    const column = Math.floor((event.clientX - bounds.left - left) / wide);
    const row = Math.floor((event.clientY - bounds.top - top) / high);
    if (column < 0 || row < 0 || column >= columns || row >= rows) return;
    const [day, hour] = upright ? [column, hours[row]] : [row, hours[column]];
    if (day !== cursor.day || hour !== cursor.hour || mark.getAttribute("visibility") === "hidden") moveTo(day, hour);
  });
  rest();
  return picture;
}

function swatch(shape, strength) {
  const opacity = strength === 0 ? 0 : 0.06 + 0.94 * Math.abs(strength);
  return svg("rect", { ...shape, class: `cell ${strength < 0 ? "less" : "hot"}`, "fill-opacity": opacity.toFixed(3) });
}

function legend(view, most) {
  const change = view === "change";
  const squares = (change ? [-1, -0.5, 0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1]).flatMap((strength, index) => {
    const shape = { x: index * 18, width: 16, height: 12, rx: 2 };
    return [svg("rect", { ...shape, class: "ground" }), swatch(shape, strength)];
  });
  const ends = change ? [`−${tenth.format(most)}`, `+${tenth.format(most)} visits a day against before`] : ["0", `${tenth.format(most)} visits a day (mean)`];
  return html("p", { class: "legend" }, ends[0], svg("svg", { width: 88, height: 12, "aria-hidden": "true" }, squares), ends[1]);
}

// Time spent.

const nameOfZone = ({ aggregation }) => aggregation.zone_name ?? `Zone ${aggregation.zone_id}`;
const quartilesOf = (row) => (row?.dwell_time_stats?.quantiles?.length === 3 ? row.dwell_time_stats.quantiles : null);

function drawZones(body, answer) {
  const rows = [...answer.current.insights].sort((one, other) => other.visits - one.visits);
  const earlier = new Map((answer.comparison?.insights ?? []).map((row) => [row.aggregation.zone_id, row]));
  const before = (row) => earlier.get(row.aggregation.zone_id);
  drawZoneChoice(answer.current.insights);
  if (!rows.length) {
    body.replaceChildren(html("p", { class: "quiet" }, "No visit was counted in this period."));
    return;
  }
  const measured = rows.filter(quartilesOf);
  const parts = [];
  if (!measured.length) parts.push(html("p", { class: "quiet" }, "Time spent is not measured here: it needs Indivd Pro."));
  else {
    const longest = Math.max(...measured.flatMap((row) => [quartilesOf(row)[2], quartilesOf(before(row))?.[2] ?? 0]), 1);
    const scale = niceScale(longest);
    parts.push(html("p", { class: "quiet" }, "Half of the visits last as long as the bar spans; the notch is the median",
      answer.comparison ? "; grey is the comparison." : "."));
    parts.push(html("div", { class: "boxes" }, measured.map((row) => boxOf(row, before(row), scale.end)), axisOf(scale)));
  }
  const columns = [
    ["Zone", nameOfZone],
    ["Visits", (row) => count(row.visits)],
    answer.comparison && ["Before", (row) => count(before(row)?.visits)],
    ...(measured.length ? [
      ["Unique", (row) => count(row.unique_visits)],
      ["Bounced", (row) => percent(row.bounce === null || !row.visits ? null : (100 * row.bounce) / row.visits)],
      ...["25\u00a0%", "Median", "75\u00a0%"].map((head, index) => [head, (row) => time(quartilesOf(row)?.[index])]),
    ] : []),
  ].filter(Boolean);
  const heads = columns.map(([head]) => head);
  const line = (row) => columns.map(([, read]) => read(row));
  const figures = () => table(heads, rows.map(line), { label: "Figures of each zone" });
  body.replaceChildren(...parts, measured.length ? folded("Figures as a table", figures) : figures());
}

function niceScale(longest) {
  const steps = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
  const step = steps.find((one) => longest / one <= 5) ?? 7200;
  return { step, end: Math.ceil(longest / step) * step };
}

function boxOf(row, before, end) {
  const at = (seconds) => `${((100 * seconds) / end).toFixed(2)}%`;
  const bar = ([from, , to], attributes) => svg("rect", { x: at(from), width: `${Math.max(0.4, (100 * (to - from)) / end).toFixed(2)}%`, ...attributes });
  const now = quartilesOf(row);
  const then = quartilesOf(before);
  const words = `median ${time(now[1])}` + (then ? `, before ${time(then[1])}` : "");
  return html("div", { class: "box" },
    html("div", { class: "box-head" }, html("b", {}, nameOfZone(row)), html("span", { class: "quiet" }, words)),
    svg("svg", { height: then ? 24 : 16, role: "img", "aria-label": `${nameOfZone(row)}: quartiles ${now.map(time).join(", ")}` },
      svg("rect", { class: "ground", width: "100%", height: 16, rx: 3 }),
      bar(now, { class: "span", height: 16, rx: 3 }),
      svg("line", { class: "median", x1: at(now[1]), x2: at(now[1]), y1: 0, y2: 16 }),
      then && bar(then, { class: "earlier", y: 19, height: 4, rx: 2 })));
}

function axisOf({ step, end }) {
  const ticks = Array.from({ length: Math.round(end / step) + 1 }, (_, index) => index * step);
  const brief = (seconds) => (end < 120 ? `${seconds} s` : seconds % 60 ? `${tenth.format(seconds / 60)} min` : `${seconds / 60} min`);
  return html("div", { class: "axis", "aria-hidden": "true" }, svg("svg", { height: 20 }, ticks.map((seconds, index) => {
    const x = `${((100 * seconds) / end).toFixed(2)}%`;
    const anchor = index === 0 ? "start" : index === ticks.length - 1 ? "end" : "middle";
    return [svg("line", { x1: x, x2: x, y1: 0, y2: 5 }), svg("text", { x, y: 17, "text-anchor": anchor }, seconds === 0 ? "0" : brief(seconds))];
  }).flat()));
}

// Dropping in.

function drawDropIn(body, answer) {
  const { current, comparison } = answer.summary;
  const zones = Object.values(answer.zone_details.current);
  if (!current.passing_by && !current.enter) {
    body.replaceChildren(html("p", { class: "quiet" },
      "Nobody was counted passing by. Passing-by lines are set up by Indivd, on request: support@indivd.com."));
    return;
  }
  const widest = Math.max(current.passing_by, current.enter, comparison?.passing_by ?? 0, comparison?.enter ?? 0);
  const share = (number) => `${((100 * number) / widest).toFixed(2)}%`;
  const step = (name, now, then) => html("div", { class: "step" },
    html("div", { class: "step-head" }, html("span", {}, name), html("b", {}, count(now))),
    svg("svg", { height: then === undefined ? 22 : 30, "aria-hidden": "true" },
      svg("rect", { class: "ground", width: "100%", height: 22, rx: 3 }),
      svg("rect", { class: "bar", width: share(now), height: 22, rx: 3 }),
      then !== undefined && svg("rect", { class: "bar earlier", y: 25, width: share(then), height: 4, rx: 2 })));
  const change = changeInPoints(current.enter_percentage, comparison?.enter_percentage);
  const before = answer.zone_details.comparison ?? {};
  const heads = ["Zone", "Passed", "Went in", "Rate", ...(comparison ? ["Before"] : [])];
  const line = (zone) => [zone.zone_name ?? `Zone ${zone.zone_id}`, count(zone.total_passing_by), count(zone.total_visits), percent(zone.drop_in_rate),
    ...(comparison ? [percent(before[zone.zone_id]?.drop_in_rate)] : [])];
  body.replaceChildren(
    html("div", { class: "funnel" }, step("Passed by", current.passing_by, comparison?.passing_by), step("Went in", current.enter, comparison?.enter)),
    html("p", { class: "rate" }, html("b", {}, percent(current.enter_percentage)), " of those who passed went in",
      change && `, ${change}`),
    table(heads, zones.map(line), { label: "Drop-in of each zone" }));
}

// Notes and coverage.

// What the client says to programmers, for people; its other notes speak to both.
const NOTES = {
  unlicensed_metrics: "Unique visits, bounces and dwell times are not measured by the plan of this location (Indivd Basic).",
  partial_sum: "A failed request was one part of sums: some figures lack its share. Try again to complete them.",
};

function drawAccount() {
  const there = Object.values(answers);
  const messages = [...new Set(there.flatMap((answer) => answer.notes.map((note) => NOTES[note.kind] ?? note.message)))];
  const requests = there.flatMap((answer) => answer.coverage);
  const failed = there.flatMap(failedOf);
  const rows = sum(requests, (item) => item.rows);
  const body = bodyOf("account");
  if (!there.length) {
    body.replaceChildren(html("p", { class: "quiet" }, "There are no figures."));
    return;
  }
  const state = failed.length
    ? html("span", { class: "failed" }, `${plural(failed.length, "request")} of ${requests.length} failed: the figures are incomplete.`)
    : html("span", {}, `Complete: ${plural(requests.length, "request")} answered, ${plural(rows, "row")}.`);
  const again = failed.length ? html("button", { type: "button", onclick: () => refresh() }, "Try again") : null;
  const line = (item) => [html("code", {}, item.request), item.status + (item.error ? ` (${item.error})` : ""), count(item.rows), count(item.attempts)];
  body.replaceChildren(
    messages.length ? html("ul", { class: "notes" }, messages.map((message) => html("li", {}, message)))
      : html("p", { class: "quiet" }, "Nothing to note about these figures."),
    html("div", { class: "coverage-line" }, state, again),
    folded("The requests behind the figures", () => table(["Request", "Status", "Rows", "Attempts"], requests.map(line), { label: "Requests" })));
}

// Beginning.

function listen() {
  find("locations").addEventListener("change", (event) => {
    chosen.location = event.target.value;
    chosen.zone = "";
    refresh();
  });
  find("range").addEventListener("change", (event) => {
    const { name, value } = event.target;
    if (!value) return drawForm();
    chosen[name] = value;
    refresh();
  });
  find("range").addEventListener("submit", (event) => event.preventDefault());
  find("range").addEventListener("click", (event) => {
    const { days } = event.target.dataset;
    if (!days) return;
    useLastDays(Number(days));
    refresh();
  });
  find("zone").addEventListener("change", (event) => {
    chosen.zone = event.target.value;
    refresh(["visits"]);
  });
  find("view").addEventListener("change", (event) => {
    chosen.view = event.target.value;
    writeAddress();
    if (answers.visits) drawVisits(bodyOf("visits"), answers.visits);
  });
  let width = 0;
  new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.width === width) return;
    width = contentRect.width;
    if (answers.visits) drawVisits.redraw?.();
  }).observe(bodyOf("visits"));
}

async function begin() {
  tell("loading", "Loading locations …");
  for (const panel of Object.keys(PANELS)) bodyOf(panel).setAttribute("aria-busy", "true");
  drawTiles();
  try {
    const [source, found] = await Promise.all([ask("source", {}), ask("locations", {})]);
    find("source").textContent = source.live ? "live" : "sandbox: invented visitors";
    find("source").hidden = false;
    locations = found;
  } catch (error) {
    fail(find("location-list"), error.message, begin);
    for (const panel of Object.keys(PANELS)) bodyOf(panel).removeAttribute("aria-busy");
    return tell("failed", "The locations could not be loaded.");
  }
  if (!locations.length) {
    find("location-list").replaceChildren(html("p", { class: "quiet" }, "The token sees no location."));
    for (const panel of Object.keys(PANELS)) bodyOf(panel).removeAttribute("aria-busy");
    return tell("ready", "The token sees no location.");
  }
  if (!locations.some((place) => String(place.id) === String(chosen.location))) chosen.location = locations[0].id;
  drawLocations();
  await refresh();
}

readAddress();
listen();
begin();
