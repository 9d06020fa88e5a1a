// Requests access to one channel for one viewer: asks the API for a session, keeps the ticket alive while the viewer is queued, and ends the
// session when the viewer leaves.
//
// States, and the party that causes each transition
//   asking    start() was called, or the session was lost                 (the page, the player)
//   queued    the API returned a ticket, or the player shows the slate    (the API, the player)
//   full      the queue is full; the request is repeated after the retry time of the response   (the API)
//   refused   the API refused for a reason that may pass                  (the API)
//   inside    there is a URL to play                                      (the API; without an API, the balancer's playlist URL decides)
//
// While the viewer is queued, the client polls the queue status, which is the same for all viewers, from a cache node. It asks the balancer
// when the turn is near and twice per lease; that keeps the ticket, in a hidden tab too. A tab that the browser froze, or that had no network,
// polls as soon as it runs again.

import { type Place, type QueueStatus, isCalled, parseQueueStatus, placeOf, updatedPlace, withJitter } from "./queue";

export interface AccessState {
  state: "asking" | "queued" | "full" | "refused" | "inside";
  url: string | null; // inside: the playlist to play
  place: Place | null; // queued
  aheadAtFirst: number;
  opensAt: number | null; // ms since 1970; queued before the opening
  nextAt: number; // ms since 1970: when the next request is due
  comeBackAt: number | null; // full
  text: string | null; // the server's reason for a refusal, or that the server cannot be reached
  notices: Record<string, number>; // queue statuses received, by host
}

interface ApiResponse {
  status: number;
  body: Record<string, unknown> | null;
}

const kTimeoutMs = 5000;
const kRefusedRetrySeconds = 15;
const kUnreachableRetrySeconds = 3;
const kMinIntervalMs = 3000; // between two requests that events of the page cause
const kSeed = Math.floor(Math.random() * 2 ** 31); // stands for the ticket's number while there is none

export class AccessClient {
  readonly access: AccessState = {
    state: "asking", url: null, place: null, aheadAtFirst: 0, opensAt: null, nextAt: 0, comeBackAt: null, text: null, notices: {},
  };
  private readonly timer = new Worker(new URL("./timer_worker.ts", import.meta.url), { type: "module" });
  private readonly abort = new AbortController();
  private readonly ticketKey: string;
  private readonly resumeKey: string;
  private ticket: string | null;
  private session: string | null = null;
  private status: QueueStatus | null = null;
  private answeredAt = 0; // by the API
  private requestedAt = 0; // from the API or a cache node
  private isBusy = false;
  private isInPlayer = false; // the player plays the ticket's own URL and changes from the slate to the programme without this class

  /** `playbackUrl` is what a player opens without the API; `nodes` returns the cache nodes' URLs, the preferred one first. */
  constructor(
    private readonly channel: string,
    private readonly playbackUrl: string,
    private readonly nodes: () => string[],
    private readonly onChange: () => void,
  ) {
    this.ticketKey = `tribune.ticket.${channel}`;
    // WHY "seat": a key that is renamed would lose the sessions of tabs that reload across an upgrade.
    this.resumeKey = `tribune.seat.${channel}`;
    this.ticket = sessionStorage.getItem(this.ticketKey);
    this.timer.onmessage = () => void this.tick();
    const { signal } = this.abort;
    addEventListener("pagehide", () => this.leave(), { signal });
    addEventListener("pageshow", (event) => event.persisted && this.restored(), { signal });
    addEventListener("online", () => this.refreshSoon(), { signal });
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.refreshSoon(), { signal });
  }

  /** Asks for a session. A tab that had one before a reload resumes it; when it has ended, the player reports it through onSessionLost(). */
  start(): void {
    const resumeUrl = sessionStorage.getItem(this.resumeKey);
    sessionStorage.removeItem(this.resumeKey);
    this.session = resumeUrl && new URL(resumeUrl, location.href).searchParams.get("session");
    if (this.session) return this.update({ state: "inside", url: resumeUrl });
    this.update({ state: "asking", nextAt: 0 });
    void this.tick();
  }

  /** Opens the playlist without the API. The balancer decides and may return its slate. A stored ticket is sent with the URL. */
  openWithoutApi(): void {
    const url = new URL(this.playbackUrl, location.href);
    if (this.ticket) url.searchParams.set("session", this.ticket);
    this.update({ state: "inside", url: url.href });
  }

  /** The browser shows the page again from its back/forward cache. The session was ended when the page was hidden. */
  private restored(): void {
    if (sessionStorage.getItem(this.resumeKey)) this.start();
    else this.onSessionLost();
  }

  /** The session has ended. */
  onSessionLost(): void {
    this.session = null;
    this.isInPlayer = false;
    const isTooSoon = Date.now() - this.answeredAt < kMinIntervalMs;
    this.update({ state: "asking", url: null, place: null, nextAt: isTooSoon ? Date.now() + kMinIntervalMs : 0 });
    void this.tick();
  }

  /** `token`: the token in the player's own URLs, a session or, while the player shows the slate, a ticket. Only a session is ended later. */
  onPlayerToken(token: string, isSlate: boolean): void {
    if (!isSlate) this.session ??= token;
    if (isSlate === this.isInPlayer) return;
    this.isInPlayer = isSlate;
    this.storeTicket(isSlate ? token : null);
    this.update(isSlate ? { state: "queued", nextAt: 0 } : { state: "inside", place: null });
    void this.tick();
  }

  /** The page became visible or the network came back, so what the page shows may be old. A full queue keeps its own retry time. */
  private refreshSoon(): void {
    if (this.access.state === "full" || !Number.isFinite(this.access.nextAt)) return;
    this.update({ nextAt: Math.min(this.access.nextAt, Math.max(Date.now(), this.requestedAt + kMinIntervalMs)) });
    void this.tick();
  }

  stop(): void {
    this.leave();
    this.abort.abort();
    this.timer.terminate();
  }

  private isStopped(): boolean {
    return this.abort.signal.aborted;
  }

  /** Ends the session. The URL is stored, so a reload resumes the session; a ticket stays stored and expires unless it is renewed. */
  private leave(): void {
    if (!this.session) return;
    const resumeUrl = new URL(this.access.url ?? this.playbackUrl, location.href);
    resumeUrl.searchParams.set("session", this.session);
    sessionStorage.setItem(this.resumeKey, resumeUrl.href);
    navigator.sendBeacon(`/api/v1/access/${encodeURIComponent(this.session)}/stop`);
    this.session = null;
  }

  private async tick(): Promise<void> {
    if (this.isBusy || this.isStopped() || this.access.state === "inside" || Date.now() < this.access.nextAt) return;
    this.isBusy = true;
    this.requestedAt = Date.now();
    try {
      const isStatusEnough = this.access.place !== null && !this.isRenewalDue() && (await this.pollStatus());
      if (!isStatusEnough) await this.requestAccess();
    } catch {
      // Stopped, or the network is down: the next tick retries.
    } finally {
      this.isBusy = false;
      if (!this.isStopped()) this.onChange();
    }
  }

  private isRenewalDue(): boolean {
    return this.status !== null && Date.now() - this.answeredAt > (this.status.leaseSeconds * 1000) / 2;
  }

  /** Updates the place from the queue status. False when the API has to be asked: no server has the status, or the turn is near. */
  private async pollStatus(): Promise<boolean> {
    const status = await this.fetchStatus();
    const { place } = this.access;
    if (!status || !place) return false;
    const isRedrawn = this.isRedrawn(place, status);
    this.status = status;
    const updated = updatedPlace(place, status, isRedrawn);
    const isNear = updated.ahead === 0 || isCalled(updated, status) || (updated.etaSeconds !== null && updated.etaSeconds < status.refreshSeconds);
    this.update({
      place: updated,
      aheadAtFirst: isRedrawn ? updated.ahead : this.access.aheadAtFirst,
      opensAt: status.isOpen || status.opensInSeconds === null ? null : Date.now() + status.opensInSeconds * 1000,
      text: null,
      nextAt: Date.now() + 1000 * withJitter(status.refreshSeconds, place.number),
    });
    return !isNear;
  }

  private isRedrawn(place: Place, status: QueueStatus): boolean {
    const lottery = (of: QueueStatus | null) => of?.lanes.find((l) => l.name === place.lane)?.lottery ?? null;
    return this.status !== null && placeOf(place.number, lottery(this.status)) !== placeOf(place.number, lottery(status));
  }

  /** From the first server that has it: the cache nodes in their order, then the server of this page. */
  private async fetchStatus(): Promise<QueueStatus | null> {
    for (const base of [...this.nodes(), ""]) {
      const response = await this.call(`${base.replace(/\/$/, "")}/queue/${this.channel}`).catch(() => null);
      this.abort.signal.throwIfAborted();
      const status = response?.status === 200 ? parseQueueStatus(response.body) : null;
      if (!status) continue;
      const { host } = new URL(base || location.href, location.href);
      this.access.notices[host] = (this.access.notices[host] ?? 0) + 1;
      return status;
    }
    return null;
  }

  private async requestAccess(): Promise<void> {
    const body = JSON.stringify({ channel: this.channel, ...(this.ticket ? { ticket: this.ticket } : {}) });
    const response = await this.call("/api/v1/access", { method: "POST", body, headers: { "Content-Type": "application/json" } }).catch(() => null);
    this.abort.signal.throwIfAborted();
    if (this.access.state === "inside") return; // the player changed to the programme during the request
    if (!response || response.status >= 500 || response.status === 404) return this.onUnreachable();
    if (response.status === 200 && response.body) return this.onDecision(response.body);
    if (this.ticket && response.status === 403 && !this.isInPlayer) {
      this.storeTicket(null); // it has expired or belongs to a former event: ask for a new one
      return this.update({ state: "asking", place: null, nextAt: Date.now() });
    }
    const text = [response.body?.detail, response.body?.title].find((t) => typeof t === "string") ?? `The server answered ${response.status}`;
    this.update({ state: "refused", place: null, text, nextAt: Date.now() + 1000 * withJitter(kRefusedRetrySeconds, kSeed) });
  }

  private onDecision(decision: Record<string, unknown>): void {
    const retrySeconds = typeof decision.retry_after_seconds === "number" ? decision.retry_after_seconds : kUnreachableRetrySeconds;
    this.answeredAt = Date.now();
    if (decision.status === "granted") {
      this.storeTicket(null);
      this.session = String(decision.session);
      this.status = null;
      if (this.isInPlayer) this.update({ nextAt: Number.POSITIVE_INFINITY, text: null }); // the player changes to the programme
      else this.update({ state: "inside", place: null, text: null, url: new URL(String(decision.playback_url), location.href).href });
    } else if (decision.status === "queued") {
      const isNew = this.access.place?.number !== decision.number;
      const place: Place = {
        lane: String(decision.lane), number: Number(decision.number), ahead: Number(decision.ahead),
        etaSeconds: typeof decision.eta_seconds === "number" ? decision.eta_seconds : null,
      };
      this.storeTicket(String(decision.ticket));
      this.update({
        state: "queued", place, text: null, comeBackAt: null, aheadAtFirst: isNew ? place.ahead : this.access.aheadAtFirst,
        nextAt: isNew ? Date.now() : Date.now() + 1000 * retrySeconds, // the queue status has more, for example when the event opens
      });
    } else {
      const comeBackAt = Date.now() + 1000 * withJitter(retrySeconds, kSeed);
      this.update({ state: "full", place: null, text: null, comeBackAt, nextAt: comeBackAt });
    }
  }

  /** The balancer keeps the place of a ticket. A viewer without one opens the playlist, where the balancer decides. */
  private onUnreachable(): void {
    if (!this.ticket && this.access.state === "asking") return this.openWithoutApi();
    this.update({ text: "The server cannot be reached. Trying again.", nextAt: Date.now() + 1000 * withJitter(kUnreachableRetrySeconds, kSeed) });
  }

  private storeTicket(ticket: string | null): void {
    this.ticket = ticket;
    if (ticket) sessionStorage.setItem(this.ticketKey, ticket);
    else sessionStorage.removeItem(this.ticketKey);
  }

  private async call(url: string, options: RequestInit = {}): Promise<ApiResponse> {
    const response = await fetch(url, { ...options, signal: AbortSignal.timeout(kTimeoutMs) });
    return { status: response.status, body: (await response.json().catch(() => null)) as ApiResponse["body"] };
  }

  private update(change: Partial<AccessState>): void {
    Object.assign(this.access, change);
    this.onChange();
  }
}
