// The last events of playback, newest first: changes of the cache node, stalls, fatal errors. Errors from which the player recovered by itself,
// and repetitions of the same line, are left out; `window.tribune` lists all of them.

import type { PlaybackStats } from "../player/playback_stats";
import { formatSeconds } from "./format";

const kMaxEntries = 8;

interface FeedEntry {
  at: number;
  text: string;
  bad: boolean;
}

function feedEntries(stats: PlaybackStats): FeedEntry[] {
  const list: FeedEntry[] = [];
  let node = "";
  for (const fragment of stats.videoFragments) {
    if (fragment.node === node) continue;
    list.push({ at: fragment.at, bad: false, text: node ? `Moved from ${node} to ${fragment.node}.` : `First segment came from ${fragment.node}.` });
    node = fragment.node;
  }
  for (const stall of stats.stalls) {
    const text = stall.durationMs === null ? "Playback stopped and waits for data." : `Playback stopped for ${formatSeconds(stall.durationMs / 1000)}.`;
    list.push({ at: stall.at, bad: true, text });
  }
  for (const error of stats.errors) if (error.fatal) list.push({ at: error.at, bad: true, text: error.text });
  const sorted = list.sort((a, b) => b.at - a.at);
  return sorted.filter((entry, i) => entry.text !== sorted[i + 1]?.text).slice(0, kMaxEntries);
}

export function EventFeed({ stats }: { stats: PlaybackStats }) {
  const list = feedEntries(stats);
  return (
    <section class="panel" aria-labelledby="feed">
      <h2 id="feed">What happened</h2>
      {list.length === 0 && <p class="note">Nothing yet.</p>}
      <ol class="feed">
        {list.map((entry) => (
          <li key={`${entry.at}-${entry.text}`} class={entry.bad ? "bad" : ""}>
            <time>{formatTime(entry.at)}</time>
            {entry.text}
          </li>
        ))}
      </ol>
    </section>
  );
}

function formatTime(at: number): string {
  return new Date(performance.timeOrigin + at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
}
