import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Turnstile } from "../src/access/turnstile";

// What a browser has, as far as the turnstile knows it; time stands until a test moves it.
interface Asked {
  url: string;
  ticket: string | null;
}
let now = 0;
let isVisible = true;
let asked: Asked[] = [];
let beacons: string[] = [];
let balancer: () => { status: number; body: object };
let notice: object | null = null;
let tickers: (() => void)[] = [];
const stored = new Map<string, string>();
let listeners: { name: string; act: (event: object) => void }[] = [];

const listen = (name: string, act: (event: object) => void, { signal }: { signal: AbortSignal }) => {
  const entry = { name, act };
  listeners.push(entry);
  signal.addEventListener("abort", () => (listeners = listeners.filter((l) => l !== entry)));
};
class Ticker {
  onmessage: () => void = () => {};
  constructor() {
    tickers.push(() => this.onmessage());
  }
  terminate() {}
}
const put = (name: string, value: unknown) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
Date.now = () => now;
put("Worker", Ticker);
put("addEventListener", listen);
put("document", { addEventListener: listen, get visibilityState() { return isVisible ? "visible" : "hidden"; } });
put("location", { href: "http://event/?channel=main" });
put("navigator", { sendBeacon: (url: string) => beacons.push(url) });
put("sessionStorage", {
  getItem: (key: string) => stored.get(key) ?? null,
  setItem: (key: string, value: string) => stored.set(key, value),
  removeItem: (key: string) => stored.delete(key),
});
put("fetch", async (url: string, options: { body?: string }) => {
  asked.push({ url, ticket: options.body ? (JSON.parse(options.body).ticket ?? null) : null });
  const answer = url.includes("/queue/") ? { status: notice ? 200 : 404, body: notice } : balancer();
  return { status: answer.status, json: async () => answer.body };
});

const queued = (number: number, ahead: number) => ({
  status: 200,
  body: { status: "queued", ticket: `ticket-${number}`, lane: "general", number, ahead, eta_seconds: null, retry_after_seconds: 10 },
});
const granted = () => ({ status: 200, body: { status: "granted", session: "token", playback_url: "/live/main/index.m3u8?session=token" } });
const full = () => ({ status: 200, body: { status: "full", retry_after_seconds: 60 } });
const settled = async () => {
  for (let i = 0; i < 20; ++i) await new Promise((done) => setImmediate(done));
};
const opened = async (open = (door: Turnstile) => door.start()) => {
  const turnstile = new Turnstile("main", "/live/main/index.m3u8", () => [], () => {});
  open(turnstile);
  await settled();
  return turnstile;
};
const passes = async (seconds: number) => {
  now += seconds * 1000;
  for (const tick of tickers) tick();
  await settled();
};
const happens = async (name: string, event: object = {}) => {
  for (const { act } of listeners.filter((l) => l.name === name)) act(event);
  await settled();
};
const toBalancer = () => asked.filter((a) => a.url === "/api/v1/access");

beforeEach(() => {
  now = 1_000_000;
  isVisible = true;
  [asked, beacons, tickers, listeners] = [[], [], [], []];
  stored.clear();
  balancer = () => queued(20, 12);
  notice = { open: true, refresh_seconds: 10, lease_seconds: 36, lanes: [{ name: "general", served: 5, waiting: 20 }] };
});

test("a page that is loaded again shows the ticket that it had, and takes no other", async () => {
  await opened();
  await happens("pagehide");
  assert.deepEqual(beacons, [], "who waits gives nothing back");
  const again = await opened();
  assert.deepEqual(toBalancer().map((a) => a.ticket), [null, "ticket-20"]);
  assert.equal(again.door.place?.number, 20);
});

test("the balancer hears of a ticket within each lease, however seldom the notice makes the page ask", async () => {
  await opened();
  let heard = now;
  for (let i = 0; i < 200; ++i) {
    const before = toBalancer().length;
    await passes(0.5);
    if (toBalancer().length === before) continue;
    assert.ok(now - heard < 36_000, `not heard for ${now - heard} ms`);
    heard = now;
  }
  assert.ok(now - heard < 36_000 && toBalancer().length >= 3);
});

test("a tab that is looked at again looks at the queue at once, but does not hammer it", async () => {
  await opened();
  await passes(0);
  await passes(4);
  const before = asked.length;
  isVisible = false;
  await happens("visibilitychange");
  assert.equal(asked.length, before, "hidden: nothing new to show");
  isVisible = true;
  await happens("visibilitychange");
  assert.equal(asked.length, before + 1);
  await happens("visibilitychange");
  await happens("online");
  assert.equal(asked.length, before + 1, "it has just looked");
  await passes(3);
  assert.equal(asked.length, before + 2);
});

test("a tab that was frozen beyond its lease asks the balancer as soon as it is back", async () => {
  await opened();
  await passes(0);
  now += 120_000; // no tick
  await happens("visibilitychange");
  assert.equal(toBalancer().at(-1)?.ticket, "ticket-20");
});

test("a full queue is asked again when it said, by itself, and not before", async () => {
  balancer = full;
  const { door } = await opened();
  assert.equal(door.state, "full");
  const comeBackAt = door.comeBackAt ?? 0;
  assert.ok(comeBackAt >= now + 60_000 && comeBackAt <= now + 72_000);
  balancer = () => queued(7, 0);
  await passes(55);
  await happens("visibilitychange");
  await happens("online");
  assert.equal(toBalancer().length, 1);
  now = comeBackAt;
  await passes(0);
  assert.equal(toBalancer().length, 2);
  assert.equal(door.state, "queued");
});

test("who watches and leaves gives the session back, once", async () => {
  balancer = granted;
  const turnstile = await opened();
  assert.equal(turnstile.door.state, "inside");
  await happens("pagehide");
  turnstile.stop();
  assert.deepEqual(beacons, ["/api/v1/access/token/stop"]);
  assert.deepEqual([...stored.keys()], ["tribune.seat.main"]);
});

test("a page that the browser shows again from its memory goes on with the session", async () => {
  balancer = granted;
  const turnstile = await opened();
  await happens("pagehide");
  await happens("pageshow", { persisted: true });
  assert.equal(turnstile.door.state, "inside");
  await happens("pagehide");
  assert.equal(toBalancer().length, 1);
  assert.equal(beacons.length, 2);
});

test("who watches and loads the page again goes on with the session, and asks for another only when it is over", async () => {
  balancer = granted;
  await opened();
  await happens("pagehide");
  const again = await opened();
  assert.equal(again.door.state, "inside");
  assert.equal(again.door.url, "http://event/live/main/index.m3u8?session=token");
  assert.equal(toBalancer().length, 1);
  balancer = () => queued(20, 12);
  again.lost();
  await settled();
  assert.equal(again.door.state, "queued");
  assert.equal((await opened()).door.state, "queued", "the seat is tried once");
});

test("who waits inside the player keeps the place over a reload too", async () => {
  const turnstile = await opened((door) => door.openBare());
  turnstile.playerHas("ticket-20", true);
  await settled();
  await happens("pagehide");
  assert.deepEqual(beacons, []);
  const again = await opened((door) => door.openBare());
  assert.equal(again.door.url, "http://event/live/main/index.m3u8?session=ticket-20");
  again.playerHas("ticket-20", true);
  again.playerHas("ticket-20", false);
  await happens("pagehide");
  assert.deepEqual(beacons, ["/api/v1/access/ticket-20/stop"], "the programme was there: now it is a session");
  assert.deepEqual([...stored], [["tribune.seat.main", "http://event/live/main/index.m3u8?session=ticket-20"]]);
});

test("a ticket that is a session now is not asked for once more", async () => {
  const turnstile = await opened((door) => door.openBare());
  balancer = granted;
  turnstile.playerHas("ticket-20", true);
  await settled();
  assert.equal(toBalancer().length, 1);
  await happens("visibilitychange");
  await passes(60);
  assert.equal(toBalancer().length, 1, "the player turns by itself");
});

test("a ticket that was called in vain is replaced by a new place", async () => {
  await opened();
  balancer = () => (toBalancer().at(-1)?.ticket ? { status: 403, body: { title: "expired" } } : queued(90, 40));
  await happens("visibilitychange");
  await passes(40);
  await passes(1);
  assert.deepEqual(toBalancer().slice(-2).map((a) => a.ticket), ["ticket-20", null]);
  assert.equal(stored.get("tribune.ticket.main"), "ticket-90");
});
