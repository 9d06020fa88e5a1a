// The queue's public status (GET /queue/{channel}) and what it means for one ticket. Values and pure functions.

/** Tickets taken before the opening get their place by lot. The server publishes the parameters; each page computes its own place. */
export interface Lottery {
  first: number;
  end: number;
  multiplier: number;
  offset: number;
}

export interface Lane {
  name: string;
  served: number; // every place up to this one was called
  waiting: number;
  rate: number | null; // places per second; null: not known
  lottery: Lottery | null;
}

export interface QueueStatus {
  isOpen: boolean;
  opensInSeconds: number | null;
  refreshSeconds: number;
  leaseSeconds: number; // a ticket that is not renewed for this long loses its place when its turn comes
  lanes: Lane[];
}

/** The place of one ticket in the queue. */
export interface Place {
  lane: string;
  number: number;
  ahead: number;
  etaSeconds: number | null; // null: not known
}

export function placeOf(number: number, lottery: Lottery | null): number {
  if (!lottery || number < lottery.first || number >= lottery.end) return number;
  const big = BigInt;
  const shifted = (big(lottery.multiplier) * big(number - lottery.first) + big(lottery.offset)) % big(lottery.end - lottery.first);
  return lottery.first + Number(shifted);
}

/** Whether the ticket's own place and every place before it were called. */
export function isCalled(place: Place, status: QueueStatus): boolean {
  const lane = status.lanes.find((l) => l.name === place.lane);
  return lane !== undefined && placeOf(place.number, lane.lottery) <= lane.served;
}

/**
 * The place after a newer status. Only the balancer knows how many tickets before this one were abandoned, so the number ahead is an upper
 * bound. `isRedrawn`: the lottery changed the place, so the number ahead may grow.
 */
export function updatedPlace(place: Place, status: QueueStatus, isRedrawn: boolean): Place {
  const lane = status.lanes.find((l) => l.name === place.lane);
  if (!lane) return place;
  const atMost = Math.max(0, placeOf(place.number, lane.lottery) - lane.served - 1);
  const ahead = isRedrawn ? atMost : Math.min(place.ahead, atMost);
  return { ...place, ahead, etaSeconds: status.isOpen && lane.rate ? Math.ceil((atMost + 1) / lane.rate) : null };
}

/** The interval plus 0 to 20 % of it, a fixed share for each number, so that pages that were opened together do not poll together. */
export function withJitter(seconds: number, number: number): number {
  const mixed = Math.imul(number ^ (number >>> 15), 0x9e3779b1) >>> 0;
  return seconds * (1 + (mixed % 201) / 1000);
}

/** Null when the body is not a queue status. */
export function parseQueueStatus(body: unknown): QueueStatus | null {
  const json = body as Record<string, unknown> | null;
  if (typeof json?.refresh_seconds !== "number" || !Array.isArray(json.lanes)) return null;
  const number = (value: unknown): number | null => (typeof value === "number" ? value : null);
  return {
    isOpen: json.open !== false,
    opensInSeconds: number(json.opens_in_seconds),
    refreshSeconds: json.refresh_seconds,
    leaseSeconds: number(json.lease_seconds) ?? json.refresh_seconds,
    lanes: (json.lanes as Record<string, unknown>[]).map((lane) => ({
      name: String(lane.name),
      served: number(lane.served) ?? 0,
      waiting: number(lane.waiting) ?? 0,
      rate: number(lane.rate),
      lottery: (lane.lottery as Lottery | undefined) ?? null,
    })),
  };
}
