import type { Observed } from "../player/observed";
import { seconds, stateInWords } from "./words";

export function Header({ seen }: { seen: Observed }) {
  return (
    <header>
      <a class="brand" href="/" aria-label="Tribune, start page">
        <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
          <path d="M6 23h20M8.5 18.5h15M11 14h10M13.5 9.5h5" stroke="currentColor" stroke-width="3" stroke-linecap="round" />
        </svg>
        <span>Tribune</span>
      </a>
      <p class={`pill state-${seen.state}`} role="status">
        <i aria-hidden="true" />
        {stateInWords(seen.state)}
        {seen.behindLiveSeconds !== null && <span>{seconds(seen.behindLiveSeconds)} behind live</span>}
      </p>
    </header>
  );
}
