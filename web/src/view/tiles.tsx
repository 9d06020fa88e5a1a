import type { ComponentChildren } from "preact";
import type { Observed } from "../player/observed";
import { milliseconds, seconds } from "./words";

function Tile({ name, value, children }: { name: string; value: string; children?: ComponentChildren }) {
  return (
    <div class="tile">
      <dt>{name}</dt>
      <dd>
        {value}
        {children}
      </dd>
    </div>
  );
}

export function Tiles({ seen }: { seen: Observed }) {
  const { position, stalls, lastFragment } = seen;
  const waited = stalls.reduce((sum, stall) => sum + (stall.durationMs ?? 0), 0) / 1000;
  const through = position && position.last > position.first ? (position.shown - position.first) / (position.last - position.first) : 0;
  return (
    <dl class="tiles">
      <Tile name="Segment on screen" value={position ? String(position.shown) : "–"}>
        {position && (
          <small class="place" title={`The playlist lists segments ${position.first} to ${position.last}`}>
            {position.first}
            <progress value={through} max={1} aria-label="Position in the playlist" />
            {position.last}
          </small>
        )}
      </Tile>
      <Tile name="Buffer" value={seconds(seen.bufferSeconds)} />
      <Tile name="First byte" value={lastFragment ? milliseconds(lastFragment.firstByteMs) : "–"} />
      <Tile name="Stalls" value={String(stalls.length)}>
        <small>{stalls.length ? `${seconds(waited)} in all` : "none so far"}</small>
      </Tile>
    </dl>
  );
}
