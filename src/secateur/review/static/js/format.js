/** Seconds as people read them. */

const two = (number) => String(number).padStart(2, "0");

/** Seconds of the day of "HH:MM:SS"; null for none. */
export function secondsOfDay(start) {
  if (!start) return null;
  const [hours, minutes, seconds] = start.split(":").map(Number);
  return 3600 * hours + 60 * minutes + seconds;
}

/** `seconds` into the recording as the clock on the wall, or since its begin where it has no clock. */
export function clock(seconds, start, decimals = 0) {
  const first = secondsOfDay(start);
  const scale = 10 ** decimals;
  const ticks = Math.round((seconds + (first ?? 0)) * scale);
  const total = Math.floor(ticks / scale);
  const day = Math.floor(total / 86400);
  const hours = first === null ? Math.floor(total / 3600) : Math.floor(total / 3600) % 24;
  const fraction = decimals ? `.${String(ticks - total * scale).padStart(decimals, "0")}` : "";
  const text = `${two(hours)}:${two(Math.floor(total / 60) % 60)}:${two(total % 60)}${fraction}`;
  return first !== null && day > 0 ? `${text} +${day} d` : text;
}

/** Seconds into the recording that a typed time means; null for what is none. The same form as `clock`. */
export function parseClock(text, start) {
  const parts = text.trim().match(/^(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d+)?)(?:\s*\+(\d+)\s*d)?$/);
  if (!parts) return null;
  const [, hours, minutes, seconds, days] = parts;
  const total = 3600 * Number(hours ?? 0) + 60 * Number(minutes) + Number(seconds);
  const first = secondsOfDay(start);
  if (first === null) return total;
  if (days) return total + 86400 * Number(days) - first;
  return total >= first ? total - first : total + 86400 - first;
}

export function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const total = Math.round(seconds);
  if (total < 3600) return `${Math.floor(total / 60)} min ${two(total % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

export const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
