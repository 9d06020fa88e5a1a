// Numbers and states as people read them.

import type { Observed, PlayerState } from "../player/observed";

const states: Record<PlayerState, string> = {
  idle: "Waiting",
  loading: "Loading",
  playing: "Live",
  paused: "Paused",
  stalled: "Waiting for data",
  reconnecting: "Reconnecting",
  failed: "Cannot play",
};

export const stateInWords = (state: PlayerState): string => states[state];

export const seconds = (value: number): string => `${value.toFixed(1)} s`;

export const milliseconds = (value: number): string => (value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`);

export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

export function quality(seen: Observed): string {
  const level = seen.levels[seen.level];
  if (!level) return "–";
  return level.height ? `${level.height}p` : `${Math.round(level.bitrate / 1000)} kbit/s`;
}

/** A colour class per node, by the order in which the nodes first served. */
export const colourOf = (nodes: string[], node: string): string => `node-${Math.max(0, nodes.indexOf(node)) % 5}`;
