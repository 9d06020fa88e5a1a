// One viewer at the door of one channel: asks the API for a session, keeps the place while the answer is "wait", and gives the session back
// when the viewer leaves.
//
// Lifetime
//   asking    start() was called, or the session was lost                 (the page, the player)
//   queued    the API, or the slate in the player, says so                 (the API)
//   full      even the queue is; asked again when it said to come back    (the API)
//   refused   for a reason that waiting may repair                         (the API)
//   inside    there is a URL to play                                       (the API; or nobody answers there, and the balancer's door decides)
//
// While it waits it reads the notice that is the same for everybody, from a cache node. The balancer hears of it when its turn is near,
// and twice in a lease, which keeps the place, in a hidden tab too. A tab that the browser froze, or that had no network, looks again
// as soon as it is back.

import { type Notice, type Place, isCalled, moved, placeOf, readNotice, spread } from "./queue";

export interface Door {
  state: "asking" | "queued" | "full" | "refused" | "inside";
  url: string | null; // inside: what to play
  place: Place | null; // queued
  aheadAtFirst: number;
  opensAt: number | null; // ms since 1970; queued before the opening
  nextAt: number; // ms since 1970: when this page looks again
  comeBackAt: number | null; // full
  text: string | null; // the server's own words: why it refused, or that it cannot be reached
  notices: Record<string, number>; // where notices were read, and how many
}

interface Answer {
  status: number;
  body: Record<string, unknown> | null;
}

const kTimeoutMs = 5000;
const kRefusedRetrySeconds = 15;
const kAwayRetrySeconds = 3;
const kTooSoonMs = 3000; // what was answered so lately is not asked again at once
const kSeed = Math.floor(Math.random() * 2 ** 31); // stands for the ticket's number while there is none

export class Turnstile {
  readonly door: Door = {
    state: "asking", url: null, place: null, aheadAtFirst: 0, opensAt: null, nextAt: 0, comeBackAt: null, text: null, notices: {},
  };
  private readonly metronome = new Worker(new URL("./metronome.ts", import.meta.url), { type: "module" });
  private readonly abort = new AbortController();
  private readonly storageKey: string;
  private readonly seatKey: string;
  private ticket: string | null;
  private session: string | null = null;
  private notice: Notice | null = null;
  private heardAt = 0;
  private lookedAt = 0; // or asked
  private isBusy = false;
  private isInPlayer = false; // the player has the ticket's URL and turns by itself

  /** `bareUrl` is what a player opens without the API; `nodes` are the cache nodes' URLs, the nearest first. */
  constructor(
    private readonly channel: string,
    private readonly bareUrl: string,
    private readonly nodes: () => string[],
    private readonly onChange: () => void,
  ) {
    this.storageKey = `tribune.ticket.${channel}`;
    this.seatKey = `tribune.seat.${channel}`;
    this.ticket = sessionStorage.getItem(this.storageKey);
    this.metronome.onmessage = () => void this.tick();
    const { signal } = this.abort;
    addEventListener("pagehide", () => this.leave(), { signal });
    addEventListener("pageshow", (event) => event.persisted && this.isShownAgain(), { signal });
    addEventListener("online", () => this.isBack(), { signal });
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.isBack(), { signal });
  }

  /** Asks for a session. Who had one in this tab a moment ago goes on with it; when it is over, the player says that it is lost. */
  start(): void {
    const seat = sessionStorage.getItem(this.seatKey);
    sessionStorage.removeItem(this.seatKey);
    this.session = seat && new URL(seat, location.href).searchParams.get("session");
    if (this.session) return this.enter({ state: "inside", url: seat });
    this.enter({ state: "asking", nextAt: 0 });
    void this.tick();
  }

  /** Without the API: the balancer's door decides, and may show its slate. Who has a place goes back to it. */
  openBare(): void {
    const url = new URL(this.bareUrl, location.href);
    if (this.ticket) url.searchParams.set("session", this.ticket);
    this.enter({ state: "inside", url: url.href });
  }

  /** From the browser's memory, where it had left. */
  private isShownAgain(): void {
    if (sessionStorage.getItem(this.seatKey)) this.start();
    else this.lost();
  }

  /** The session has ended. */
  lost(): void {
    this.session = null;
    this.isInPlayer = false;
    const isSoon = Date.now() - this.heardAt < kTooSoonMs;
    this.enter({ state: "asking", url: null, place: null, nextAt: isSoon ? Date.now() + kTooSoonMs : 0 });
    void this.tick();
  }

  /** What the player's own URLs name: its session, or the ticket while it watches the slate. Only a session is given back. */
  playerHas(pass: string, isSlate: boolean): void {
    if (!isSlate) this.session ??= pass;
    if (isSlate === this.isInPlayer) return;
    this.isInPlayer = isSlate;
    this.keepTicket(isSlate ? pass : null);
    this.enter(isSlate ? { state: "queued", nextAt: 0 } : { state: "inside", place: null });
    void this.tick();
  }

  /** Somebody looks at the page, or the network is there, again: what it shows may be old. A full queue said itself when to come back. */
  private isBack(): void {
    if (this.door.state === "full" || !Number.isFinite(this.door.nextAt)) return;
    this.enter({ nextAt: Math.min(this.door.nextAt, Math.max(Date.now(), this.lookedAt + kTooSoonMs)) });
    void this.tick();
  }

  stop(): void {
    this.leave();
    this.abort.abort();
    this.metronome.terminate();
  }

  /** A ticket is kept, for a page that is opened again; who stays away is not heard, and loses it. So is a session, for some seconds. */
  private leave(): void {
    if (!this.session) return;
    const seat = new URL(this.door.url ?? this.bareUrl, location.href);
    seat.searchParams.set("session", this.session);
    sessionStorage.setItem(this.seatKey, seat.href);
    navigator.sendBeacon(`/api/v1/access/${encodeURIComponent(this.session)}/stop`);
    this.session = null;
  }

  private async tick(): Promise<void> {
    if (this.isBusy || this.abort.signal.aborted || this.door.state === "inside" || Date.now() < this.door.nextAt) return;
    this.isBusy = true;
    this.lookedAt = Date.now();
    try {
      const wasSeen = this.door.place !== null && !this.mustBeHeard() && (await this.look());
      if (!wasSeen) await this.ask();
    } catch {
      // stopped, or the network is away: the next tick is due
    } finally {
      this.isBusy = false;
      if (!this.abort.signal.aborted) this.onChange();
    }
  }

  private mustBeHeard(): boolean {
    return this.notice !== null && Date.now() - this.heardAt > (this.notice.leaseSeconds * 1000) / 2;
  }

  /** Reads the notice. False when that is not enough: nobody has it, or the turn is near. */
  private async look(): Promise<boolean> {
    const notice = await this.readNotice();
    const { place } = this.door;
    if (!notice || !place) return false;
    const isRedrawn = this.isRedrawn(place, notice);
    this.notice = notice;
    const now = moved(place, notice, isRedrawn);
    const isNear = now.ahead === 0 || isCalled(now, notice) || (now.etaSeconds !== null && now.etaSeconds < notice.refreshSeconds);
    this.enter({
      place: now,
      aheadAtFirst: isRedrawn ? now.ahead : this.door.aheadAtFirst,
      opensAt: notice.isOpen || notice.opensInSeconds === null ? null : Date.now() + notice.opensInSeconds * 1000,
      text: null,
      nextAt: Date.now() + 1000 * spread(notice.refreshSeconds, place.number),
    });
    return !isNear;
  }

  private isRedrawn(place: Place, notice: Notice): boolean {
    const lottery = (of: Notice | null) => of?.lanes.find((l) => l.name === place.lane)?.lottery ?? null;
    return this.notice !== null && placeOf(place.number, lottery(this.notice)) !== placeOf(place.number, lottery(notice));
  }

  /** From the first that has it: the cache nodes, each viewer beginning with another one, then this server. */
  private async readNotice(): Promise<Notice | null> {
    for (const base of [...this.nodes(), ""]) {
      const answer = await this.call(`${base.replace(/\/$/, "")}/queue/${this.channel}`).catch(() => null);
      this.abort.signal.throwIfAborted();
      const notice = answer?.status === 200 ? readNotice(answer.body) : null;
      if (!notice) continue;
      const { host } = new URL(base || location.href, location.href);
      this.door.notices[host] = (this.door.notices[host] ?? 0) + 1;
      return notice;
    }
    return null;
  }

  private async ask(): Promise<void> {
    const body = JSON.stringify({ channel: this.channel, ...(this.ticket ? { ticket: this.ticket } : {}) });
    const answer = await this.call("/api/v1/access", { method: "POST", body, headers: { "Content-Type": "application/json" } }).catch(() => null);
    this.abort.signal.throwIfAborted();
    if (this.door.state === "inside") return; // the player turned meanwhile
    if (!answer || answer.status >= 500 || answer.status === 404) return this.unanswered();
    if (answer.status === 200 && answer.body) return this.answered(answer.body);
    if (this.ticket && answer.status === 403 && !this.isInPlayer) {
      this.keepTicket(null); // it was called in vain or is of a former event: a new place is better than none
      return this.enter({ state: "asking", place: null, nextAt: Date.now() });
    }
    const reason = answer.body?.detail ?? answer.body?.title ?? `The server answered ${answer.status}`;
    this.enter({ state: "refused", place: null, text: String(reason), nextAt: Date.now() + 1000 * spread(kRefusedRetrySeconds, kSeed) });
  }

  private answered(told: Record<string, unknown>): void {
    const retrySeconds = typeof told.retry_after_seconds === "number" ? told.retry_after_seconds : kAwayRetrySeconds;
    this.heardAt = Date.now();
    if (told.status === "granted") {
      this.keepTicket(null);
      this.session = String(told.session);
      this.notice = null;
      if (this.isInPlayer) this.enter({ nextAt: Number.POSITIVE_INFINITY, text: null }); // it turns by itself
      else this.enter({ state: "inside", place: null, text: null, url: new URL(String(told.playback_url), location.href).href });
    } else if (told.status === "queued") {
      const isFirst = this.door.place?.number !== told.number;
      const place: Place = {
        lane: String(told.lane), number: Number(told.number), ahead: Number(told.ahead),
        etaSeconds: typeof told.eta_seconds === "number" ? told.eta_seconds : null,
      };
      this.keepTicket(String(told.ticket));
      this.enter({
        state: "queued", place, text: null, comeBackAt: null, aheadAtFirst: isFirst ? place.ahead : this.door.aheadAtFirst,
        nextAt: isFirst ? Date.now() : Date.now() + 1000 * retrySeconds, // the notice says more, for example when the event opens
      });
    } else {
      const comeBackAt = Date.now() + 1000 * spread(retrySeconds, kSeed);
      this.enter({ state: "full", place: null, text: null, comeBackAt, nextAt: comeBackAt });
    }
  }

  /** The place is kept at the balancer. Who has none tries its door. */
  private unanswered(): void {
    if (!this.ticket && this.door.state === "asking") return this.openBare();
    this.enter({ text: "The server cannot be reached. Trying again.", nextAt: Date.now() + 1000 * spread(kAwayRetrySeconds, kSeed) });
  }

  private keepTicket(ticket: string | null): void {
    this.ticket = ticket;
    if (ticket) sessionStorage.setItem(this.storageKey, ticket);
    else sessionStorage.removeItem(this.storageKey);
  }

  private async call(url: string, options: RequestInit = {}): Promise<Answer> {
    const answer = await fetch(url, { ...options, signal: AbortSignal.timeout(kTimeoutMs) });
    return { status: answer.status, body: (await answer.json().catch(() => null)) as Answer["body"] };
  }

  private enter(change: Partial<Door>): void {
    Object.assign(this.door, change);
    this.onChange();
  }
}
