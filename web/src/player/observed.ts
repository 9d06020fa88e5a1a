// What the player saw, for the page and for tests (`window.tribune`). Lists are bounded.

import type { CacheOutcome } from "./nodes";
import type { PlayerError } from "./words";

export interface FragmentSeen {
  at: number; // ms since the page opened
  sn: number;
  type: string; // main, audio
  level: number;
  url: string; // after redirects
  node: string;
  outcome: CacheOutcome;
  bytes: number;
  firstByteMs: number;
  totalMs: number;
  durationSeconds: number;
}

export interface Stall {
  at: number;
  durationMs: number | null; // null while it lasts
  bufferSeconds: number; // what was still there: with some left it was not the network
}

export type PlayerState = "idle" | "loading" | "playing" | "paused" | "stalled" | "reconnecting" | "failed";

export interface Position {
  first: number; // first and last MSN that the playlist lists, and the one on screen
  last: number;
  shown: number;
}

const kKept = 500;

export class Observed {
  state: PlayerState = "idle";
  channel: string | null = null;
  engine: "hls.js" | "native" | "none" = "none";
  message: string | null = null; // what to tell the viewer
  fragments: FragmentSeen[] = [];
  stalls: Stall[] = [];
  errors: PlayerError[] = [];
  levels: { height: number; bitrate: number }[] = [];
  level = -1;
  position: Position | null = null;
  behindLiveSeconds: number | null = null;
  bufferSeconds = 0;
  currentTime = 0;
  droppedFrames = 0;
  isSlate = false; // what is on screen is the waiting room's loop

  addFragment(fragment: FragmentSeen): void {
    keep(this.fragments, fragment);
  }
  addError(error: PlayerError): void {
    keep(this.errors, error);
  }
  beginStall(at: number, bufferSeconds: number): void {
    if (this.stalls.at(-1)?.durationMs !== null) keep(this.stalls, { at, durationMs: null, bufferSeconds });
  }
  endStall(at: number): void {
    const last = this.stalls.at(-1);
    if (last && last.durationMs === null) last.durationMs = at - last.at;
  }
  /** What carries the picture; a separate sound track is left out. */
  get pictures(): FragmentSeen[] {
    return this.fragments.filter((f) => f.type === "main");
  }
  get lastFragment(): FragmentSeen | undefined {
    return this.pictures.at(-1);
  }
  /** Node names in the order in which they first served. */
  get nodes(): string[] {
    return [...new Set(this.fragments.map((f) => f.node))];
  }
}

function keep<T>(list: T[], item: T): void {
  list.push(item);
  if (list.length > kKept) list.splice(0, list.length - kKept);
}
