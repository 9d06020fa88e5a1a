// Text for numbers, durations and states.

import type { PlaybackStats, PlayerState } from "../player/playback_stats";

const stateLabels: Record<PlayerState, string> = {
  idle: "Waiting",
  loading: "Loading",
  playing: "Live",
  paused: "Paused",
  stalled: "Waiting for data",
  reconnecting: "Reconnecting",
  failed: "Cannot play",
};

export const stateLabel = (state: PlayerState): string => stateLabels[state];

export const formatSeconds = (value: number): string => `${value.toFixed(1)} s`;

export const formatMilliseconds = (value: number): string => (value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`);

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

export function formatQuality(stats: PlaybackStats): string {
  const level = stats.levels[stats.level];
  if (!level) return "–";
  return level.height ? `${level.height}p` : `${Math.round(level.bitrate / 1000)} kbit/s`;
}

/** An estimated waiting time. It is rounded up to a minute or more, because an estimate to the second would look like a promise. */
export function formatWaitingTime(seconds: number | null): string {
  if (seconds === null) return "not known yet";
  if (seconds < 60) return "under a minute";
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 90) return `about ${minutes} min`;
  return `about ${Math.round(minutes / 30) / 2} h`;
}

/** The CSS class with the node's colour: 5 colours, in the order in which the nodes first served. */
export const nodeColourClass = (nodes: string[], node: string): string => `node-${Math.max(0, nodes.indexOf(node)) % 5}`;
