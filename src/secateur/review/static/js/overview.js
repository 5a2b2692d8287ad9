/** All recordings, and how far reviewer and detector agree. */
import * as api from "./api.js";
import { count, duration } from "./format.js";
import { say } from "./saying.js";

const UNFINISHED = { detection: "Detection goes on", live: "Live detection goes on", growing: "Is still growing" };

export async function showOverview(root, listing) {
  fill(root.querySelector("#recordings tbody"), listing.recordings.map(recordingRow));
  try {
    const agreement = await api.agreement();
    fill(root.querySelector("#agreement tbody"), agreement.recordings.map(agreementRow));
    fill(root.querySelector("#agreement tfoot"), [agreementRow({ ...agreement, name: "All recordings" })]);
    const { unfinished, unjudged } = agreement;
    root.querySelector("#agreement-unfinished").textContent = [
      unfinished ? `In ${count(unfinished, "recording")} detection has not come to the end: more events may come.` : "",
      unjudged ? `The detector could not judge ${count(unjudged, "recording")}: no part of the false alarms a day.` : "",
    ].join(" ");
  } catch (refusal) {
    say(refusal.message);
  }
}

/** Rows in place of those that were there; the focus stays on the link that had it. */
function fill(part, rows) {
  const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  part.replaceChildren(...rows);
  if (focused) part.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

/** A recording of which only the events can't be read can be looked at all the same. */
function recordingRow({ id, name, duration: seconds, events, reviewed, problem, ...state }) {
  const first = seconds == null ? name : link(id, name);
  const length = seconds == null ? "–" : duration(seconds);
  return row(first, [length, number(events), number(reviewed)], problem ?? remark(events, state));
}

/** That no events are known where the detector could not judge it, and how far the reviewer has come. */
function remark(events, state) {
  const { unjudged } = state;
  const words = [unjudged ? `Not judged by the detector: ${unjudged}` : "", progress(events, state)];
  return words.filter(Boolean).join(". ");
}

/** Whether its reviewed table counts where labels or references are read: where it is `complete`. */
function progress(events, { complete, seen, unfinished }) {
  if (unfinished) return UNFINISHED[unfinished];
  if (complete) return seen ? "Gone through to the end" : "All events judged";
  return events === 0 ? "No events: press D on its page once you have gone through it" : "";
}

function agreementRow(part) {
  const { id, name, hours, events, kept, moved, rejected, added, open } = part;
  const daily = part.false_alarms_a_day;
  const numbers = [hours?.toFixed(1), events, kept, moved, rejected, added, open].map(number);
  return row(id ? link(id, name) : name, [...numbers, daily == null ? "–" : daily.toFixed(1)]);
}

const number = (value) => (value == null ? "–" : String(value));

function link(id, name) {
  const element = document.createElement("a");
  element.href = `#recording=${encodeURIComponent(id)}`;
  element.textContent = name;
  return element;
}

function row(first, numbers, words) {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.className = "words";
  head.append(first);
  line.append(head, ...numbers.map((text) => cell(text)));
  if (words !== undefined) line.append(cell(words, "words"));
  return line;
}

function cell(text, kind = "") {
  const element = document.createElement("td");
  element.textContent = text;
  if (kind) element.className = kind;
  return element;
}
