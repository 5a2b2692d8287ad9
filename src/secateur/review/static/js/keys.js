/** Every key and what it does: one list that keys, and the dialog that tells them, are made from. */

const STORED = "secateur-letters";

/** `commands`: what keys do, by name. */
export function createKeys(commands, dialog) {
  const bindings = [
    ["A", ["a"], "Accept the chosen event", commands.accept],
    ["R", ["r"], "Reject it", commands.reject],
    ["N", ["n"], "Next event", commands.next],
    ["P", ["p"], "Previous event", commands.previous],
    ["B", ["b"], "Begin of the event: then ← → move it by 0.1 s, with Shift by 1 s", commands.begin],
    ["E", ["e"], "End of the event, likewise", commands.end],
    ["I", ["i"], "Add an event: what is selected, or the middle of the page", commands.add],
    ["C", ["c"], "Comment on the event (Ctrl+Enter when done, Esc to leave it)", commands.comment],
    ["U or Ctrl+Z", ["u", "Control+z"], "Undo", commands.undo],
    ["Shift+U or Ctrl+Y", ["Shift+U", "Control+y", "Control+Shift+Z"], "Redo", commands.redo],
    ["D", ["d"], "Done: gone through from begin to end, nothing is missing", commands.seen],
    ["→ ←", ["ArrowRight", "ArrowLeft"], "Next and previous page (also PgDn and PgUp)", commands.page],
    ["", ["PageDown", "PageUp"], "", commands.page],
    ["Shift+→ ←", ["Shift+ArrowRight", "Shift+ArrowLeft"], "One second on or back", commands.second],
    ["Home End", ["Home", "End"], "First and last page", commands.edge],
    ["+ −", ["+", "-", "=", "−"], "Larger and smaller traces", commands.sensitivity],
    ["T Shift+T", ["t", "Shift+T"], "More and fewer seconds on the page", commands.timebase],
    ["1 … 9", [..."123456789"], "Montage", commands.montage],
    ["H Shift+H", ["h", "Shift+H"], "High-pass filter up and down", commands.high],
    ["L Shift+L", ["l", "Shift+L"], "Low-pass filter up and down", commands.low],
    ["F", ["f"], "Notch filter", commands.notch],
    ["W", ["w"], "Why: attribution behind the traces", commands.why],
    ["S", ["s"], "List by time or by confidence", commands.sort],
    ["G", ["g"], "Go to a time", commands.goTo],
    ["O", ["o"], "All recordings", commands.overview],
    ["?", ["?", "Shift+?"], "These keys", commands.help],
    ["Esc", ["Escape"], "Leave a field, drop a selection", commands.escape],
  ];
  const byKey = new Map(bindings.flatMap(([, keys, , command]) => keys.map((key) => [key, command])));
  const letters = dialog.querySelector("#letters");
  letters.checked = localStorage.getItem(STORED) !== "off";
  letters.addEventListener("change", () => localStorage.setItem(STORED, letters.checked ? "on" : "off"));
  dialog.querySelector("tbody").replaceChildren(...bindings.filter(([name]) => name).map(keyRow));

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || dialog.open || event.altKey || event.metaKey) return;
    if (event.key !== "Escape" && occupied(event)) return;
    const key = nameOf(event);
    if (!letters.checked && [...key].length === 1 && key !== "?") return;
    const command = byKey.get(key);
    if (!command || (event.repeat && ONCE.has(key))) return;
    event.preventDefault();
    command(key, event);
  });
}

const ONCE = new Set([..."aricduwsgo?"]);
/** Keys that do nothing more while they are held. */

/** Does the element that has the focus need this key itself? */
function occupied(event) {
  const element = event.target;
  if (element.matches("textarea, select, input:not([type=checkbox])")) return true;
  const scrolls = element.matches(".scroll") && ["Home", "End", "PageUp", "PageDown"].includes(event.key);
  return scrolls;
}

function nameOf(event) {
  const key = event.key.length === 1 && !event.shiftKey ? event.key.toLowerCase() : event.key;
  const sign = key.length === 1 && key.toLowerCase() === key.toUpperCase();
  const shift = event.shiftKey && !sign ? "Shift+" : "";
  return `${event.ctrlKey ? "Control+" : ""}${shift}${key}`;
}

function keyRow([name, , meaning]) {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  const key = document.createElement("kbd");
  key.textContent = name;
  head.append(key);
  const cell = document.createElement("td");
  cell.textContent = meaning;
  line.append(head, cell);
  return line;
}
