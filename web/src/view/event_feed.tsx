// What happened, newest first, in sentences: nodes that changed, stalls, interruptions. What the player repaired by itself at once, and what
// only repeats the line before, is left out; `window.tribune` has all of it.

import type { Observed } from "../player/observed";
import { seconds } from "./words";

const kShown = 8;

interface Happened {
  at: number;
  text: string;
  bad: boolean;
}

function happenings(seen: Observed): Happened[] {
  const list: Happened[] = [];
  let node = "";
  for (const fragment of seen.pictures) {
    if (fragment.node === node) continue;
    list.push({ at: fragment.at, bad: false, text: node ? `Moved from ${node} to ${fragment.node}.` : `First segment came from ${fragment.node}.` });
    node = fragment.node;
  }
  for (const stall of seen.stalls) {
    const text = stall.durationMs === null ? "Playback stopped and waits for data." : `Playback stopped for ${seconds(stall.durationMs / 1000)}.`;
    list.push({ at: stall.at, bad: true, text });
  }
  for (const error of seen.errors) if (error.fatal) list.push({ at: error.at, bad: true, text: error.text });
  const sorted = list.sort((a, b) => b.at - a.at);
  return sorted.filter((happened, i) => happened.text !== sorted[i + 1]?.text).slice(0, kShown);
}

export function EventFeed({ seen }: { seen: Observed }) {
  const list = happenings(seen);
  return (
    <section class="panel" aria-labelledby="feed">
      <h2 id="feed">What happened</h2>
      {list.length === 0 && <p class="note">Nothing yet.</p>}
      <ol class="feed">
        {list.map((h) => (
          <li key={`${h.at}-${h.text}`} class={h.bad ? "bad" : ""}>
            <time>{clock(h.at)}</time>
            {h.text}
          </li>
        ))}
      </ol>
    </section>
  );
}

function clock(at: number): string {
  return new Date(performance.timeOrigin + at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
}
