/** Probability over the whole recording, with events, alarms, lost stretches, the threshold and the page's place. */
import { ALARM_ROW, alarmsOf, drawAlarms, wordsNear } from "./alarms.js";
import * as api from "./api.js";
import { hatching, onScheme, readColours } from "./colours.js";
import { clock } from "./format.js";
import { chosenSpan, goTo, pageSeconds, turnPage } from "./view.js";
import { say } from "./saying.js";

const AGAIN = 400;
/** Milliseconds until what has been worked out meanwhile is asked for. */
const EVENT_ROW = 7;
/** Height of the row of events above the curve, pixels. */

export function createStrip(store, root, note) {
  const marker = document.createElement("div");
  marker.className = "strip-page";
  const words = document.createElement("div");
  words.className = "strip-words";
  words.hidden = true;
  let colours = readColours();
  let curve = null;
  let plot = null;
  let alarmRow = 0;
  let asked = 0;

  function rebuild() {
    plot?.destroy();
    plot = null;
    words.hidden = true;
    if (!store.values.info || !root.clientWidth) return;
    alarmRow = alarmsOf(store.values).length ? ALARM_ROW + 2 : 0;
    plot = new uPlot(options(), series(), root);
    plot.over.append(marker);
    root.append(words);
    place();
  }

  function options() {
    const { info } = store.values;
    const axis = { stroke: () => colours.soft, font: "11px system-ui, sans-serif", ticks: { show: false } };
    return {
      width: root.clientWidth,
      height: root.clientHeight,
      padding: [EVENT_ROW + 3 + alarmRow, 1, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, y: false, points: { show: false } },
      scales: { x: { time: false, range: [0, info.duration] }, y: { range: [0, 1] } },
      axes: [
        { ...axis, size: 20, space: 90, grid: { show: false }, incrs: INCREMENTS, values: clocks },
        { ...axis, size: () => store.values.plotLeft, splits: [0, 0.5, 1], grid: { stroke: () => colours.grid, width: 1 }, values: (_, ticks) => ticks.map(String) },
      ],
      series: [
        {},
        { stroke: () => colours.link, width: 1, points: { show: false } },
        { stroke: () => colours.link, width: 0, points: { show: false } },
      ],
      bands: [{ series: [1, 2], fill: () => `${colours.link}55` }],
      hooks: { drawClear: [drawBehind], draw: [drawAbove] },
    };
  }

  /** The clock at each tick, but at the right edge, where it would be cut off. */
  function clocks(_, ticks) {
    const { info } = store.values;
    return ticks.map((tick) => (tick > info.duration * (1 - 34 / root.clientWidth) ? "" : clock(tick, info.start)));
  }

  function series() {
    const { duration } = store.values.info;
    if (!curve) return [[0, duration], [null, null], [null, null]];
    const step = duration / curve.greatest.length;
    return [curve.greatest.map((_, at) => (at + 0.5) * step), curve.greatest, curve.least];
  }

  function drawBehind(self) {
    const { ctx, bbox } = self;
    ctx.save();
    ctx.fillStyle = hatching(ctx, colours.lost);
    for (const [begin, end] of store.values.info.lost) {
      const [from, to] = [begin, end].map((seconds) => self.valToPos(seconds, "x", true));
      ctx.fillRect(from, bbox.top, Math.max(1, to - from), bbox.height);
    }
    ctx.restore();
  }

  function drawAbove(self) {
    const { ctx, bbox } = self;
    const ratio = uPlot.pxRatio;
    ctx.save();
    if (curve?.threshold != null) {
      const level = Math.round(self.valToPos(curve.threshold, "y", true));
      ctx.strokeStyle = colours.threshold;
      ctx.lineWidth = ratio;
      ctx.setLineDash([4 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, level);
      ctx.lineTo(bbox.left + bbox.width, level);
      ctx.stroke();
    }
    const { chosen } = store.values;
    for (const event of store.values.events?.events ?? []) {
      const span = event.id === chosen ? chosenSpan(store.values) : event;
      const from = self.valToPos(span.onset, "x", true);
      const width = Math.max(2 * ratio, self.valToPos(span.onset + span.duration, "x", true) - from);
      ctx.fillStyle = colours[event.verdict];
      ctx.fillRect(from, bbox.top - (EVENT_ROW + 1) * ratio, width, EVENT_ROW * ratio);
      if (event.id !== chosen) continue;
      ctx.strokeStyle = colours.chosen;
      ctx.setLineDash([]);
      ctx.lineWidth = 1.5 * ratio;
      ctx.strokeRect(from - ratio, bbox.top - (EVENT_ROW + 2) * ratio, width + 2 * ratio, (EVENT_ROW + 2) * ratio);
    }
    ctx.restore();
    if (alarmRow) drawAlarms(store, colours, self, bbox.top - (EVENT_ROW + 3 + alarmRow / 2) * ratio);
  }

  /** Words of the alarms under the pointer, while it is in the rows above the curve. */
  function tell({ clientX, clientY }) {
    if (!plot) return;
    const { left, top } = plot.over.getBoundingClientRect();
    const text = alarmRow && clientY <= top ? wordsNear(store, plot, clientX - left) : "";
    words.hidden = !text;
    words.textContent = text;
    const [across, width] = [clientX - root.getBoundingClientRect().left, root.clientWidth];
    words.style.left = across < width / 2 ? `${across}px` : "";
    words.style.right = across < width / 2 ? "" : `${width - across}px`;
  }

  /** The page's place: a frame over the plot, moved without drawing the plot anew. */
  function place() {
    const { values } = store;
    if (!values.info) return;
    const page = pageSeconds(values);
    root.setAttribute("aria-valuemax", values.info.duration.toFixed(0));
    root.setAttribute("aria-valuenow", values.begin.toFixed(0));
    root.setAttribute("aria-valuetext", clock(values.begin, values.info.start));
    // shares, for the plot has no width yet while it is being made
    marker.style.left = `${(values.begin / values.info.duration) * 100}%`;
    marker.style.width = `max(2px, ${Math.min(1, page / values.info.duration) * 100}%)`;
  }

  async function fill() {
    const { id, detector } = store.values;
    const turn = ++asked;
    if (!id || !detector) return describe();
    try {
      const answer = await api.probability(id, Math.max(50, Math.round(root.clientWidth)));
      if (turn !== asked) return undefined;
      curve = answer;
      plot?.setData(series());
      describe();
      if (answer.progress < 1) setTimeout(() => turn === asked && fill(), AGAIN);
      else store.set({ progress: 1 });
    } catch (refusal) {
      if (turn === asked) say(refusal.message);
    }
    return undefined;
  }

  function describe() {
    const { detector } = store.values;
    if (!detector) note.textContent = "No detector: --detector shows the probability of a seizure here";
    else if (!curve) note.textContent = "";
    else if (curve.problem) note.textContent = `No probability by ${detector}: ${curve.problem}`;
    else {
      const done = curve.progress < 1 ? `, ${Math.floor(100 * curve.progress)} % of the recording so far` : "";
      note.textContent = `Probability of a seizure by ${detector}; threshold ${curve.threshold.toFixed(2)}${done}`;
    }
  }

  root.addEventListener("click", (event) => {
    if (!plot) return;
    const across = event.clientX - plot.over.getBoundingClientRect().left;
    goTo(store, plot.posToVal(across, "x") - pageSeconds(store.values) / 2);
  });
  root.addEventListener("pointermove", tell);
  root.addEventListener("pointerleave", () => (words.hidden = true));
  root.addEventListener("keydown", (event) => {
    const pages = { ArrowDown: -1, ArrowUp: 1 }[event.key];
    if (!pages) return;
    event.preventDefault();
    turnPage(store, pages);
  });
  store.on(["id"], () => {
    curve = null;
    asked++;
  });
  store.on(["info"], () => {
    rebuild();
    if (store.values.info) fill();
  });
  store.on(["plotLeft"], rebuild);
  store.on(["begin", "timebase", "plotWidth"], place);
  store.on(["events", "chosen", "draft"], () => plot?.redraw(false));
  store.on(["alarms"], () => {
    if (plot && Boolean(alarmRow) === alarmsOf(store.values).length > 0) plot.redraw(false);
    else rebuild();
  });
  onScheme(() => {
    colours = readColours();
    plot?.redraw(false);
  });
  new ResizeObserver(() => {
    if (!plot) return rebuild();
    if (plot.width === root.clientWidth) return undefined;
    plot.setSize({ width: root.clientWidth, height: root.clientHeight });
    return place();
  }).observe(root);
  return { fill };
}

const INCREMENTS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 14400, 21600, 43200, 86400];
