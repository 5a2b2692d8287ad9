/** All recordings, and how far reviewer and detector agree. */
import * as api from "./api.js";
import { duration } from "./format.js";
import { say } from "./saying.js";

export async function showOverview(root, listing) {
  root.querySelector("#recordings tbody").replaceChildren(...listing.recordings.map(recordingRow));
  try {
    const agreement = await api.agreement();
    root.querySelector("#agreement tbody").replaceChildren(...agreement.recordings.map(agreementRow));
    root.querySelector("#agreement tfoot").replaceChildren(agreementRow({ ...agreement, name: "All recordings" }));
  } catch (refusal) {
    say(refusal.message);
  }
}

function recordingRow({ id, name, duration: seconds, events, reviewed, complete, problem }) {
  const first = problem ? name : link(id, name);
  const numbers = problem ? ["–", "–", "–"] : [duration(seconds), number(events), number(reviewed)];
  return row(first, numbers, problem ?? remark(events, complete));
}

/** Whether its reviewed table counts where labels or references are read. */
function remark(events, complete) {
  if (complete) return "Reviewed to the end";
  return events === 0 ? "No events: D says that you have gone through it" : "";
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
