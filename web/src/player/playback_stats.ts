// State and statistics of one player, for the page and for tests (`window.tribune`). Lists are bounded.

import type { CacheOutcome } from "./cache_status";
import type { PlayerError } from "./error_messages";

export interface LoadedFragment {
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
  bufferSeconds: number; // left in the buffer; above 0 the cause was not the network
}

export type PlayerState = "idle" | "loading" | "playing" | "paused" | "stalled" | "reconnecting" | "failed";

export interface Position {
  first: number; // media sequence numbers: the first and last of the playlist, and the one on screen
  last: number;
  shown: number;
}

const kMaxEntries = 500;

export class PlaybackStats {
  state: PlayerState = "idle";
  channel: string | null = null;
  engine: "hls.js" | "native" | "none" = "none";
  message: string | null = null; // shown to the viewer
  fragments: LoadedFragment[] = [];
  stalls: Stall[] = [];
  errors: PlayerError[] = [];
  levels: { height: number; bitrate: number }[] = [];
  level = -1;
  position: Position | null = null;
  behindLiveSeconds: number | null = null;
  bufferSeconds = 0;
  currentTime = 0;
  droppedFrames = 0;
  isSlate = false; // the slate of the waiting room is on screen

  addFragment(fragment: LoadedFragment): void {
    append(this.fragments, fragment);
  }
  addError(error: PlayerError): void {
    append(this.errors, error);
  }
  beginStall(at: number, bufferSeconds: number): void {
    if (this.stalls.at(-1)?.durationMs !== null) append(this.stalls, { at, durationMs: null, bufferSeconds });
  }
  endStall(at: number): void {
    const last = this.stalls.at(-1);
    if (last && last.durationMs === null) last.durationMs = at - last.at;
  }
  /** Fragments with video; those of a separate audio track are left out. */
  get videoFragments(): LoadedFragment[] {
    return this.fragments.filter((f) => f.type === "main");
  }
  get lastFragment(): LoadedFragment | undefined {
    return this.videoFragments.at(-1);
  }
  /** Node names in the order in which they first served. */
  get nodes(): string[] {
    return [...new Set(this.fragments.map((f) => f.node))];
  }
}

function append<T>(list: T[], item: T): void {
  list.push(item);
  if (list.length > kMaxEntries) list.splice(0, list.length - kMaxEntries);
}
