/** One page of EEG on a canvas: grid, events, lost stretches, attribution, traces, scale bar. */
import { clock } from "./format.js";
import { MILLIMETRE } from "./view.js";
import { hatching } from "./colours.js";

const LOST = -32768;
const TOP = 34;
const CLOCK = 16;
/** Height of the clock times, over which no trace runs. */
const BOTTOM = 8;
const LEAST = 11;
/** Pixels from trace to trace: where there are more than fit, the panel scrolls. */
const GAP = 0.45;
/** Between groups of traces, in heights of a trace. */

/** Pixels that so many traces need. */
export const leastHeight = (traces) => TOP + BOTTOM + LEAST * traces.length;

/** Where the traces stand: the plot's edges and every trace's zero line, CSS pixels. */
export function layout(width, height, traces) {
  const left = Math.min(84, 14 + 6.6 * Math.max(4, ...traces.map(({ label }) => label.length)));
  const begins = traces.map((trace, at) => at > 0 && trace.group !== traces[at - 1].group);
  // channels as recorded may come in any order: then there is nothing to set apart
  const grouped = begins.filter(Boolean).length < new Set(traces.map(({ group }) => group)).size;
  const steps = begins.map((begin) => (begin && grouped ? 1 + GAP : 1));
  const total = steps.reduce((sum, step) => sum + step, 0) || 1;
  const lane = (height - TOP - BOTTOM) / total;
  let below = TOP - lane / 2;
  const centres = steps.map((step) => Math.round((below += step * lane)) + 0.5);
  return { left, top: TOP, right: width - 1, bottom: height - BOTTOM, lane, centres };
}

/** `scene`: what `panel.js` gathers of the store, `place` its layout; `scale` is device pixels a CSS pixel. */
export function drawPage(context, scene, place, colours, scale) {
  const { canvas } = context;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.fillStyle = colours.paper;
  context.fillRect(0, 0, canvas.width, canvas.height);
  const pixels = (place.right - place.left) / scene.seconds;
  const x = (seconds) => place.left + (seconds - scene.begin) * pixels;
  const page = { context, scene, place, colours, x, pixels };
  context.save();
  context.beginPath();
  context.rect(place.left, 0, place.right - place.left, canvas.height);
  context.clip();
  drawEvents(page);
  drawSelection(page);
  drawAttribution(page);
  drawGrid(page);
  drawLost(page);
  context.save();
  context.beginPath();
  context.rect(place.left, CLOCK, place.right - place.left, canvas.height);
  context.clip();
  for (const trace of scene.traces.keys()) drawTrace(page, trace);
  context.restore();
  drawEventEdges(page);
  drawClock(page);
  context.restore();
  drawLabels(page);
  drawScaleBar(page);
}

function drawGrid({ context, scene, place, colours, x, pixels }) {
  const step = pixels > 200 ? 0.2 : pixels >= 14 ? 1 : pixels > 5 ? 5 : 10;
  for (let index = Math.ceil(scene.begin / step); index * step <= scene.begin + scene.seconds; index++) {
    const strong = step < 1 ? index % 5 === 0 : (index * step) % (step === 1 ? 5 : 6 * step) === 0;
    context.fillStyle = strong ? colours["grid-strong"] : colours.grid;
    context.fillRect(Math.round(x(index * step)), place.top, 1, place.bottom - place.top);
  }
}

function drawClock({ context, scene, place, colours, x, pixels }) {
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = colours.soft;
  context.textBaseline = "alphabetic";
  const every = [1, 2, 5, 10, 15, 30, 60].find((step) => step * pixels >= 66) ?? 60;
  for (let time = Math.ceil(scene.begin / every) * every; time <= scene.begin + scene.seconds; time += every) {
    context.fillRect(Math.round(x(time)), place.top - 5, 1, 5);
    const text = clock(time, scene.start);
    const from = x(time) + 3;
    if (from + context.measureText(text).width <= place.right) context.fillText(text, from, 11);
  }
}

function drawEvents({ context, scene, place, colours, x }) {
  for (const { onset, duration, verdict, chosen } of scene.events) {
    const width = Math.max(2, x(onset + duration) - x(onset));
    context.globalAlpha = scene.attribution ? 0.05 : chosen ? 0.14 : 0.09;
    context.fillStyle = colours[verdict];
    context.fillRect(x(onset), place.top, width, place.bottom - place.top);
    context.globalAlpha = 1;
  }
}

function drawEventEdges({ context, scene, place, colours, x }) {
  context.font = "600 11px system-ui, sans-serif";
  context.textBaseline = "alphabetic";
  for (const { onset, duration, verdict, chosen, machine } of scene.events) {
    const [from, to] = [x(onset), x(onset + duration)];
    context.fillStyle = colours[verdict];
    context.fillRect(from, place.top - 4, Math.max(2, to - from), 4);
    const visible = Math.max(from, place.left);
    if (to - visible > 54) context.fillText(verdict, visible + 4, place.top - 8);
    if (!chosen) continue;
    context.fillStyle = colours.chosen;
    context.fillRect(from - 0.75, place.top - 4, 1.5, place.bottom - place.top + 4);
    context.fillRect(to - 0.75, place.top - 4, 1.5, place.bottom - place.top + 4);
    const moved = machine && (machine.onset !== onset || machine.duration !== duration);
    if (moved) drawMachine(context, place, colours, [x(machine.onset), x(machine.onset + machine.duration)]);
  }
}

/** What the detector had said, as dashed lines, where a person has moved the event. */
function drawMachine(context, place, colours, edges) {
  context.save();
  context.strokeStyle = colours.soft;
  context.setLineDash([4, 4]);
  context.beginPath();
  for (const edge of edges) {
    context.moveTo(edge, place.top);
    context.lineTo(edge, place.bottom);
  }
  context.stroke();
  context.restore();
}

function drawSelection({ context, scene, place, colours, x }) {
  if (!scene.selection) return;
  const { begin, end } = scene.selection;
  context.globalAlpha = 0.15;
  context.fillStyle = colours.link;
  context.fillRect(x(begin), place.top, x(end) - x(begin), place.bottom - place.top);
  context.globalAlpha = 1;
}

function drawLost({ context, scene, place, colours, x }) {
  const pattern = hatching(context, colours.lost);
  context.font = "11px system-ui, sans-serif";
  for (const [begin, end] of scene.lost) {
    if (end < scene.begin || begin > scene.begin + scene.seconds) continue;
    const from = Math.max(place.left, x(begin));
    const to = Math.min(place.right, x(end));
    context.fillStyle = pattern;
    context.fillRect(from, place.top, Math.max(1, to - from), place.bottom - place.top);
    if (to - from < 70) continue;
    context.fillStyle = colours.paper;
    context.fillRect(from + 4, place.bottom - 19, 64, 15);
    context.fillStyle = colours.soft;
    context.fillText("signal lost", from + 8, place.bottom - 8);
  }
}

/** Shares behind the traces: above the zero line for a seizure, below it against one. */
function drawAttribution({ context, scene, place, colours, x, pixels }) {
  const { attribution } = scene;
  if (!attribution) return;
  const most = Math.max(1e-9, ...attribution.values.flat().map(Math.abs));
  const width = attribution.step * pixels + 0.5;
  scene.traces.forEach(({ label }, at) => {
    const values = attribution.values[attribution.labels.indexOf(label)];
    if (!values) return;
    values.forEach((value, step) => {
      const share = value / most;
      if (Math.abs(share) < 0.04) return;
      const from = x(attribution.begin + step * attribution.step);
      context.globalAlpha = 0.12 + 0.5 * Math.abs(share);
      context.fillStyle = value > 0 ? colours.positive : colours.negative;
      const half = place.lane / 2;
      context.fillRect(from, place.centres[at] - (value > 0 ? half : 0), width, half);
    });
  });
  context.globalAlpha = 1;
}

/** Negative up, as in clinics: what is more positive stands lower on the canvas. */
function drawTrace({ context, scene, place, colours, x, pixels }, at) {
  const { label, side } = scene.traces[at];
  context.strokeStyle = colours[side] ?? colours.middle;
  context.lineWidth = 1;
  context.lineJoin = "round";
  context.beginPath();
  let drawing = false;
  for (const block of scene.blocks) {
    const row = block.labels.indexOf(label);
    if (row < 0) continue;
    const spread = block.kind === "extremes" ? 2 : 1;
    const size = block.points * spread;
    const values = block.values.subarray(row * size, (row + 1) * size);
    const step = (block.seconds / block.points) * pixels;
    const down = (MILLIMETRE * block.unit) / scene.sensitivity;
    const from = x(block.begin);
    const first = Math.max(0, Math.floor((place.left - from) / step) - 1);
    const last = Math.min(block.points, Math.ceil((place.right - from) / step) + 2);
    if (first > 0) drawing = false;
    for (let point = first; point < last; point++) {
      for (let part = 0; part < spread; part++) {
        const value = values[point * spread + part];
        if (value === LOST) {
          drawing = false;
          continue;
        }
        const across = from + (point + (part + 0.5) / spread - 0.5) * step;
        if (drawing) context.lineTo(across, place.centres[at] + value * down);
        else context.moveTo(across, place.centres[at] + value * down);
        drawing = true;
      }
    }
  }
  context.stroke();
}

function drawLabels({ context, scene, place, colours }) {
  context.textBaseline = "middle";
  context.textAlign = "right";
  const size = Math.max(9, Math.min(12, place.lane * 0.9));
  scene.traces.forEach(({ label, side }, at) => {
    const belongs = scene.channels.has(label);
    context.font = `${belongs ? "700 " : ""}${size}px system-ui, sans-serif`;
    context.fillStyle = colours[side] ?? colours.middle;
    context.fillText(label, place.left - 8, place.centres[at], place.left - 12);
  });
  context.textAlign = "left";
  context.fillStyle = colours["grid-strong"];
  context.fillRect(place.left - 1, place.top, 1, place.bottom - place.top);
}

/** A bar of 6 to 16 mm in round microvolts, and one second (or as much as fits) beside it. */
function drawScaleBar({ context, scene, place, colours, pixels }) {
  const steps = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
  const microvolts = steps.find((step) => step / scene.sensitivity >= 6) ?? 5000;
  const tall = (microvolts / scene.sensitivity) * MILLIMETRE;
  const seconds = [0.1, 0.2, 0.5, 1, 2, 5, 10].find((step) => step * pixels >= 60) ?? 10;
  const wide = seconds * pixels;
  const lines = [`${microvolts} µV`, `${seconds} s`];
  context.font = "11px system-ui, sans-serif";
  const text = Math.max(...lines.map((line) => context.measureText(line).width));
  const [right, bottom] = [place.right - 10, place.bottom - 10];
  const left = right - Math.max(wide, text + 8);
  context.globalAlpha = 0.88;
  context.fillStyle = colours.paper;
  context.fillRect(left - 8, bottom - Math.max(tall, 30) - 8, right - left + 14, Math.max(tall, 30) + 14);
  context.globalAlpha = 1;
  context.fillStyle = colours.ink;
  context.fillRect(left, bottom - tall, 1.5, tall);
  context.fillRect(left, bottom - 1.5, wide, 1.5);
  context.textBaseline = "alphabetic";
  context.fillText(lines[0], left + 6, bottom - 18);
  context.fillText(lines[1], left + 6, bottom - 5);
}
