import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { AccessClient } from "../src/access/access_client";

// Fakes of the browser's interfaces that the access client uses. The time advances only when a test advances it.
interface ApiRequest {
  url: string;
  ticket: string | null;
}
let now = 0;
let isVisible = true;
let requests: ApiRequest[] = [];
let beacons: string[] = [];
let balancer: () => { status: number; body: object };
let queueStatus: object | null = null;
let timers: (() => void)[] = [];
const storage = new Map<string, string>();
let listeners: { name: string; listener: (event: object) => void }[] = [];

const listen = (name: string, listener: (event: object) => void, { signal }: { signal: AbortSignal }) => {
  const entry = { name, listener };
  listeners.push(entry);
  signal.addEventListener("abort", () => (listeners = listeners.filter((l) => l !== entry)));
};
class FakeWorker {
  onmessage: () => void = () => {};
  constructor() {
    timers.push(() => this.onmessage());
  }
  terminate() {}
}
const put = (name: string, value: unknown) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
Date.now = () => now;
put("Worker", FakeWorker);
put("addEventListener", listen);
put("document", { addEventListener: listen, get visibilityState() { return isVisible ? "visible" : "hidden"; } });
put("location", { href: "http://event/?channel=main" });
put("navigator", { sendBeacon: (url: string) => beacons.push(url) });
put("sessionStorage", {
  getItem: (key: string) => storage.get(key) ?? null,
  setItem: (key: string, value: string) => storage.set(key, value),
  removeItem: (key: string) => storage.delete(key),
});
put("fetch", (url: string, options: { body?: string }) => {
  requests.push({ url, ticket: options.body ? ((JSON.parse(options.body) as { ticket?: string }).ticket ?? null) : null });
  const response = url.includes("/queue/") ? { status: queueStatus ? 200 : 404, body: queueStatus } : balancer();
  return Promise.resolve({ status: response.status, json: () => Promise.resolve(response.body) });
});

const queued = (number: number, ahead: number) => ({
  status: 200,
  body: { status: "queued", ticket: `ticket-${number}`, lane: "general", number, ahead, eta_seconds: null, retry_after_seconds: 10 },
});
const granted = () => ({ status: 200, body: { status: "granted", session: "token", playback_url: "/live/main/index.m3u8?session=token" } });
const full = () => ({ status: 200, body: { status: "full", retry_after_seconds: 60 } });
const settled = async () => {
  for (let i = 0; i < 20; ++i) await setImmediate();
};
const opened = async (open = (client: AccessClient) => client.start()) => {
  const client = new AccessClient("main", "/live/main/index.m3u8", () => [], () => {});
  open(client);
  await settled();
  return client;
};
const passes = async (seconds: number) => {
  now += seconds * 1000;
  for (const tick of timers) tick();
  await settled();
};
const happens = async (name: string, event: object = {}) => {
  for (const { listener } of listeners.filter((l) => l.name === name)) listener(event);
  await settled();
};
const accessRequests = () => requests.filter((a) => a.url === "/api/v1/access");

beforeEach(() => {
  now = 1_000_000;
  isVisible = true;
  [requests, beacons, timers, listeners] = [[], [], [], []];
  storage.clear();
  balancer = () => queued(20, 12);
  queueStatus = { open: true, refresh_seconds: 10, lease_seconds: 36, lanes: [{ name: "general", served: 5, waiting: 20 }] };
});

test("a page that is reloaded keeps its ticket and takes no other", async () => {
  await opened();
  await happens("pagehide");
  assert.deepEqual(beacons, [], "a waiting viewer has no session to end");
  const again = await opened();
  assert.deepEqual(accessRequests().map((a) => a.ticket), [null, "ticket-20"]);
  assert.equal(again.access.place?.number, 20);
});

test("a ticket is renewed within each lease, even when the queue status never makes the page ask the API", async () => {
  await opened();
  let renewedAt = now;
  for (let i = 0; i < 200; ++i) {
    const before = accessRequests().length;
    await passes(0.5);
    if (accessRequests().length === before) continue;
    assert.ok(now - renewedAt < 36_000, `not renewed for ${now - renewedAt} ms`);
    renewedAt = now;
  }
  assert.ok(now - renewedAt < 36_000 && accessRequests().length >= 3);
});

test("a tab that becomes visible polls the queue at once, but at most every 3 seconds", async () => {
  await opened();
  await passes(0);
  await passes(4);
  const before = requests.length;
  isVisible = false;
  await happens("visibilitychange");
  assert.equal(requests.length, before, "hidden: nothing new to show");
  isVisible = true;
  await happens("visibilitychange");
  assert.equal(requests.length, before + 1);
  await happens("visibilitychange");
  await happens("online");
  assert.equal(requests.length, before + 1, "it has just polled");
  await passes(3);
  assert.equal(requests.length, before + 2);
});

test("a tab that was frozen beyond its lease asks the API as soon as it runs again", async () => {
  await opened();
  await passes(0);
  now += 120_000; // no tick
  await happens("visibilitychange");
  assert.equal(accessRequests().at(-1)?.ticket, "ticket-20");
});

test("after a full queue the request is repeated at the announced time, and not before", async () => {
  balancer = full;
  const { access } = await opened();
  assert.equal(access.state, "full");
  const comeBackAt = access.comeBackAt ?? 0;
  assert.ok(comeBackAt >= now + 60_000 && comeBackAt <= now + 72_000);
  balancer = () => queued(7, 0);
  await passes(55);
  await happens("visibilitychange");
  await happens("online");
  assert.equal(accessRequests().length, 1);
  now = comeBackAt;
  await passes(0);
  assert.equal(accessRequests().length, 2);
  assert.equal(access.state, "queued");
});

test("a viewer who leaves ends the session, once", async () => {
  balancer = granted;
  const client = await opened();
  assert.equal(client.access.state, "inside");
  await happens("pagehide");
  client.stop();
  assert.deepEqual(beacons, ["/api/v1/access/token/stop"]);
  assert.deepEqual([...storage.keys()], ["tribune.seat.main"]);
});

test("a page that is restored from the back/forward cache resumes its session", async () => {
  balancer = granted;
  const client = await opened();
  await happens("pagehide");
  await happens("pageshow", { persisted: true });
  assert.equal(client.access.state, "inside");
  await happens("pagehide");
  assert.equal(accessRequests().length, 1);
  assert.equal(beacons.length, 2);
});

test("a page that is reloaded resumes its session, and asks for another only when that one has ended", async () => {
  balancer = granted;
  await opened();
  await happens("pagehide");
  const again = await opened();
  assert.equal(again.access.state, "inside");
  assert.equal(again.access.url, "http://event/live/main/index.m3u8?session=token");
  assert.equal(accessRequests().length, 1);
  balancer = () => queued(20, 12);
  again.onSessionLost();
  await settled();
  assert.equal(again.access.state, "queued");
  assert.equal((await opened()).access.state, "queued", "the stored session is tried once");
});

test("a viewer who waits inside the player keeps the place after a reload too", async () => {
  const client = await opened((client) => client.openWithoutApi());
  client.onPlayerToken("ticket-20", true);
  await settled();
  await happens("pagehide");
  assert.deepEqual(beacons, []);
  const again = await opened((client) => client.openWithoutApi());
  assert.equal(again.access.url, "http://event/live/main/index.m3u8?session=ticket-20");
  again.onPlayerToken("ticket-20", true);
  again.onPlayerToken("ticket-20", false);
  await happens("pagehide");
  assert.deepEqual(beacons, ["/api/v1/access/ticket-20/stop"], "the programme was shown, so the token is a session");
  assert.deepEqual([...storage], [["tribune.seat.main", "http://event/live/main/index.m3u8?session=ticket-20"]]);
});

test("a ticket that became a session is not requested again", async () => {
  const client = await opened((client) => client.openWithoutApi());
  balancer = granted;
  client.onPlayerToken("ticket-20", true);
  await settled();
  assert.equal(accessRequests().length, 1);
  await happens("visibilitychange");
  await passes(60);
  assert.equal(accessRequests().length, 1, "the player changes to the programme by itself");
});

test("a ticket that expired after its call is replaced by a new one", async () => {
  await opened();
  balancer = () => (accessRequests().at(-1)?.ticket ? { status: 403, body: { title: "expired" } } : queued(90, 40));
  await happens("visibilitychange");
  await passes(40);
  await passes(1);
  assert.deepEqual(accessRequests().slice(-2).map((a) => a.ticket), ["ticket-20", null]);
  assert.equal(storage.get("tribune.ticket.main"), "ticket-90");
});
