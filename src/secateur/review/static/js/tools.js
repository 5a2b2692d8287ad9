/** How the EEG is shown: montage, sensitivity, timebase, filters; as fields, and by steps for keys. */
import { clock, parseClock } from "./format.js";
import { MILLIMETRE, SENSITIVITIES, TIMEBASES, goTo, pageSeconds } from "./view.js";
import { say } from "./saying.js";

const WORDS = { high: "High-pass", low: "Low-pass", notch: "Notch" };

export function createTools(store, form, interval) {
  const field = (name) => form.querySelector(`#${name}`);
  fill(field("sensitivity"), SENSITIVITIES.map((value) => [value, `${value} µV/mm`]));
  fill(field("timebase"), TIMEBASES.map(({ key, name }) => [key, name]));
  form.addEventListener("submit", (event) => event.preventDefault());

  for (const name of ["sensitivity", "high", "low", "notch"]) listen(name, Number);
  for (const name of ["montage", "timebase"]) listen(name, String);

  function listen(name, read) {
    field(name).addEventListener("change", () => {
      set(name, read(field(name).value));
      // after a click, keys are for the traces again; who tabs keeps the place
      if (!field(name).matches(":focus-visible")) field(name).blur();
    });
  }

  function set(name, value) {
    store.set({ [name]: value });
    if (name === "timebase") goTo(store, store.values.begin);
  }

  field("go-to").addEventListener("change", () => {
    const input = field("go-to");
    const { info } = store.values;
    const seconds = parseClock(input.value, info.start);
    if (seconds === null || seconds > info.duration) {
      const span = `${clock(0, info.start)} to ${clock(info.duration, info.start)}`;
      say(`${input.value} is no time of this recording, which goes from ${span}`);
      return;
    }
    input.value = "";
    input.blur();
    goTo(store, seconds);
  });

  store.on(["info"], () => {
    const { info } = store.values;
    if (!info) return;
    fill(field("montage"), info.montages.map(({ key, name }) => [key, name]));
    for (const name of ["high", "low", "notch"]) {
      fill(field(name), info.filters[name].map((value) => [value, value ? `${value} Hz` : "off"]));
    }
    render();
  });
  store.on(["montage", "sensitivity", "timebase", "high", "low", "notch"], render);
  store.on(["begin", "info", "timebase", "plotWidth"], () => {
    const { info, begin, plotWidth } = store.values;
    if (!info) return;
    const page = pageSeconds(store.values);
    const speed = plotWidth ? ` · ${Math.round(plotWidth / page / MILLIMETRE)} mm/s` : "";
    const end = Math.min(info.duration, begin + page);
    interval.textContent = `${clock(begin, info.start, begin % 1 ? 1 : 0)} – ${clock(end, info.start, end % 1 ? 1 : 0)}${speed}`;
  });

  function render() {
    for (const name of ["montage", "sensitivity", "timebase", "high", "low", "notch"]) {
      field(name).value = String(store.values[name]);
    }
  }

  return {
    /** The next choice of a field in a direction; `round` starts again after the last. */
    step(name, direction, round = false) {
      const options = [...field(name).options];
      const at = options.findIndex(({ value }) => value === String(store.values[name])) + direction;
      const next = round ? options[(at + options.length) % options.length] : options[at];
      if (next === undefined) return;
      set(name, name === "timebase" ? next.value : Number(next.value));
      say(`${WORDS[name] ?? ""} ${next.textContent}`.trim()); // the field itself follows later
    },
    montage(number) {
      const montage = store.values.info.montages[number - 1];
      if (!montage) return say(`There are ${store.values.info.montages.length} montages`);
      store.set({ montage: montage.key });
      return say(montage.name);
    },
    focusGoTo: () => field("go-to").focus(),
  };
}

function fill(select, choices) {
  select.replaceChildren(...choices.map(([value, name]) => new Option(name, String(value))));
}
