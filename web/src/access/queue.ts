// What the shared notice about a queue (GET /queue/{channel}) means for one ticket. Values and pure functions.

/** Who came before the opening has a place by lot; the server draws it, and everybody works out the own one. */
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
  rate: number | null; // places a second; null: not known
  lottery: Lottery | null;
}

export interface Notice {
  isOpen: boolean;
  opensInSeconds: number | null;
  refreshSeconds: number;
  leaseSeconds: number; // who is not heard for so long has no place when the turn comes
  lanes: Lane[];
}

/** One ticket in the line. */
export interface Place {
  lane: string;
  number: number;
  ahead: number;
  etaSeconds: number | null; // null: nobody knows
}

export function placeOf(number: number, lottery: Lottery | null): number {
  if (!lottery || number < lottery.first || number >= lottery.end) return number;
  const big = BigInt;
  const shifted = (big(lottery.multiplier) * big(number - lottery.first) + big(lottery.offset)) % big(lottery.end - lottery.first);
  return lottery.first + Number(shifted);
}

/** Whether every place up to the ticket's own was called. */
export function isCalled(place: Place, notice: Notice): boolean {
  const lane = notice.lanes.find((l) => l.name === place.lane);
  return lane !== undefined && placeOf(place.number, lane.lottery) <= lane.served;
}

/** The place as a newer notice has it. Some of those before may have left, which only the balancer knows, so the line is at most so long. */
export function moved(place: Place, notice: Notice, isRedrawn: boolean): Place {
  const lane = notice.lanes.find((l) => l.name === place.lane);
  if (!lane) return place;
  const atMost = Math.max(0, placeOf(place.number, lane.lottery) - lane.served - 1);
  const ahead = isRedrawn ? atMost : Math.min(place.ahead, atMost);
  return { ...place, ahead, etaSeconds: notice.isOpen && lane.rate ? Math.ceil((atMost + 1) / lane.rate) : null };
}

/** The interval and up to a fifth of it, always the same for one number, so that those who came together do not ask together for ever. */
export function spread(seconds: number, number: number): number {
  const mixed = Math.imul(number ^ (number >>> 15), 0x9e3779b1) >>> 0;
  return seconds * (1 + (mixed % 201) / 1000);
}

/** Null for what is no notice. */
export function readNotice(body: unknown): Notice | null {
  const told = body as Record<string, unknown> | null;
  if (typeof told?.refresh_seconds !== "number" || !Array.isArray(told.lanes)) return null;
  const number = (value: unknown): number | null => (typeof value === "number" ? value : null);
  return {
    isOpen: told.open !== false,
    opensInSeconds: number(told.opens_in_seconds),
    refreshSeconds: told.refresh_seconds,
    leaseSeconds: number(told.lease_seconds) ?? told.refresh_seconds,
    lanes: (told.lanes as Record<string, unknown>[]).map((lane) => ({
      name: String(lane.name),
      served: number(lane.served) ?? 0,
      waiting: number(lane.waiting) ?? 0,
      rate: number(lane.rate),
      lottery: (lane.lottery as Lottery | undefined) ?? null,
    })),
  };
}

/** A waiting time for people; it is no promise, so it is never given to the second. */
export function waitInWords(seconds: number | null): string {
  if (seconds === null) return "not known yet";
  if (seconds < 60) return "under a minute";
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 90) return `about ${minutes} min`;
  return `about ${Math.round(minutes / 30) / 2} h`;
}
