import type { AccessState } from "../access/access_client";
import type { PlaybackStats } from "../player/playback_stats";
import { formatSeconds, stateLabel } from "./format";

export function Header({ stats, access }: { stats: PlaybackStats; access: AccessState | null }) {
  const isWaiting = access?.state === "queued" || access?.state === "full";
  return (
    <header>
      <a class="brand" href="/" aria-label="Tribune, start page">
        <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
          <path d="M6 23h20M8.5 18.5h15M11 14h10M13.5 9.5h5" stroke="currentColor" stroke-width="3" stroke-linecap="round" />
        </svg>
        <span>Tribune</span>
      </a>
      <p class={`pill state-${isWaiting ? "queued" : stats.state}`} role="status">
        <i aria-hidden="true" />
        {isWaiting ? "In the queue" : stateLabel(stats.state)}
        {!isWaiting && stats.behindLiveSeconds !== null && <span>{formatSeconds(stats.behindLiveSeconds)} behind live</span>}
      </p>
    </header>
  );
}
