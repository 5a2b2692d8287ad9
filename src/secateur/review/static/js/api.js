/** The server's answers. Whatever is refused comes as one line. */

export class Refusal extends Error {
  constructor(message, status, body) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

async function ask(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (failure) {
    if (failure.name === "AbortError") throw failure;
    throw new Refusal("The server no longer answers: start secateur review again", 0, null);
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  throw new Refusal(body?.error ?? `${response.status} ${response.statusText}`, response.status, body);
}

const query = (parts) => new URLSearchParams(parts).toString();
const recording = (id) => `api/recordings/${encodeURIComponent(id)}`;
const json = async (address, options) => (await ask(address, options)).json();

export const recordings = () => json("api/recordings");
export const agreement = () => json("api/agreement");
export const info = (id) => json(recording(id));
export const events = (id) => json(`${recording(id)}/events`);
export const alarms = (id) => json(`${recording(id)}/alarms`);
export const probability = (id, points) => json(`${recording(id)}/probability?${query({ points })}`);
export const attribution = (id, parts, signal) =>
  json(`${recording(id)}/attribution?${query(parts)}`, { signal });
/** `known`: the versions that are shown, `since` of the events and `alarms` of the alarms. */
export const changes = (id, known, signal) =>
  json(`${recording(id)}/changes?${query(known)}`, { signal });

export const act = (id, body) =>
  json(`${recording(id)}/acts`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });

/** A stretch of every trace: the header, and `values`, int16 in the header's unit, trace after trace. */
export async function traces(id, parts, signal) {
  const response = await ask(`${recording(id)}/traces?${query(parts)}`, { signal });
  const buffer = await response.arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { ...header, values: new Int16Array(buffer, 4 + length) };
}
