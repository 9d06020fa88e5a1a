import type { Door } from "../access/turnstile";
import type { Observed } from "../player/observed";
import { seconds, stateInWords } from "./words";

export function Header({ seen, door }: { seen: Observed; door: Door | null }) {
  const waits = door?.state === "queued" || door?.state === "full";
  return (
    <header>
      <a class="brand" href="/" aria-label="Tribune, start page">
        <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
          <path d="M6 23h20M8.5 18.5h15M11 14h10M13.5 9.5h5" stroke="currentColor" stroke-width="3" stroke-linecap="round" />
        </svg>
        <span>Tribune</span>
      </a>
      <p class={`pill state-${waits ? "queued" : seen.state}`} role="status">
        <i aria-hidden="true" />
        {waits ? "In the queue" : stateInWords(seen.state)}
        {!waits && seen.behindLiveSeconds !== null && <span>{seconds(seen.behindLiveSeconds)} behind live</span>}
      </p>
    </header>
  );
}
