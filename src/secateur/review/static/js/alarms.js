/** What live detection told: ticks for the strip, and a folded table from which one goes to each alarm. */
import { clock, count } from "./format.js";
import { say } from "./saying.js";
import { reveal } from "./view.js";

export const ALARM_ROW = 8;
/** Height of the row of ticks, pixels. */
const NEAR = 6;
/** Pixels from a tick within which its words are shown. */
const MOST_WORDS = 3;
const MARKS = { opened: "▼", technical: "✕" };

export const alarmsOf = (values) => values.alarms?.alarms ?? [];

/** A filled triangle for each seizure that opened, a cross for what is technical. `middle`: of the row, device pixels. */
export function drawAlarms(store, colours, plot, middle) {
  const { ctx } = plot;
  const unit = (uPlot.pxRatio * ALARM_ROW) / 8;
  const drawn = new Set();
  ctx.save();
  ctx.lineWidth = 1.5 * unit;
  for (const { kind, seconds } of alarmsOf(store.values)) {
    const at = Math.round(plot.valToPos(seconds, "x", true));
    if (seconds > store.values.info.duration || drawn.has(kind + at)) continue;
    drawn.add(kind + at);
    ctx.fillStyle = colours.ink;
    ctx.strokeStyle = colours.threshold;
    ctx.beginPath();
    if (kind === "opened") {
      ctx.moveTo(at - 4 * unit, middle - 3.5 * unit);
      ctx.lineTo(at + 4 * unit, middle - 3.5 * unit);
      ctx.lineTo(at, middle + 3.5 * unit);
      ctx.fill();
    } else {
      ctx.moveTo(at - 3 * unit, middle - 3 * unit);
      ctx.lineTo(at + 3 * unit, middle + 3 * unit);
      ctx.moveTo(at + 3 * unit, middle - 3 * unit);
      ctx.lineTo(at - 3 * unit, middle + 3 * unit);
      ctx.stroke();
    }
  }
  ctx.restore();
}

/** The words of the alarms whose ticks stand at `across`, CSS pixels from the plot's left edge; "" for none. */
export function wordsNear(store, plot, across) {
  const distance = ({ seconds }) => Math.abs(plot.valToPos(seconds, "x") - across);
  const near = alarmsOf(store.values).filter((alarm) => distance(alarm) <= NEAR);
  near.sort((a, b) => distance(a) - distance(b));
  const lines = near.slice(0, MOST_WORDS).map((alarm) => sentence(store, alarm));
  if (near.length > MOST_WORDS) lines.push(`and ${near.length - MOST_WORDS} more, which the table has`);
  return lines.join("\n");
}

export function createAlarmTable(store, details) {
  const body = details.querySelector("tbody");
  const summary = details.querySelector("summary span");
  const note = details.querySelector("p");
  let stale = true;

  function describe() {
    const { alarms } = store.values;
    details.hidden = !alarms?.version;
    if (!alarms) return;
    summary.textContent = ` (${alarms.alarms.length})`;
    const { left_out: earlier, damaged, problem } = alarms;
    const parts = ["▼ a seizure, ✕ technical"];
    if (earlier) parts.push(`${count(earlier, "earlier alarm")} left out`);
    if (damaged) parts.push(`${count(damaged, "damaged line")} passed over`);
    if (problem) parts.push(problem);
    note.textContent = parts.join("; ");
  }

  /** Rows are made only while they can be seen: there may be thousands. */
  function fill() {
    if (!stale || !details.open || !store.values.info) return;
    stale = false;
    const focused = document.activeElement?.closest?.("#alarms tr")?.dataset.alarm;
    body.replaceChildren(...alarmsOf(store.values).map((alarm, at) => row(store, alarm, at)));
    if (focused) body.rows[Number(focused)]?.querySelector("button").focus({ preventScroll: true });
  }

  body.addEventListener("click", (event) => {
    const alarm = alarmsOf(store.values)[event.target.closest("tr")?.dataset.alarm];
    if (!alarm) return;
    reveal(store, alarm.seconds, alarm.seconds);
    say(sentence(store, alarm));
  });
  details.addEventListener("toggle", fill);
  store.on(["alarms", "info"], () => {
    stale = true;
    describe();
    fill();
  });
}

const sentence = (store, { seconds, words }) => `${clock(seconds, store.values.info.start)}: ${words}`;

function row(store, { seconds, kind, trouble, words, channels }, at) {
  const line = document.createElement("tr");
  line.dataset.alarm = at;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = clock(seconds, store.values.info.start);
  const head = document.createElement("th");
  head.scope = "row";
  head.append(button);
  const mark = document.createElement("span");
  mark.className = `alarm-mark ${kind}`;
  mark.setAttribute("aria-hidden", "true");
  mark.textContent = MARKS[kind];
  const about = cell("");
  about.append(mark, ` ${kind === "opened" ? "seizure" : trouble}`);
  const names = kind === "opened" && channels.length ? ` (${channels.join(", ")})` : "";
  line.append(head, about, cell(words + names));
  return line;
}

function cell(text) {
  const element = document.createElement("td");
  element.className = "words";
  element.textContent = text;
  return element;
}
