import type { ComponentChildren } from "preact";
import type { PlaybackStats } from "../player/playback_stats";
import { formatMilliseconds, formatSeconds } from "./format";

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

export function StatTiles({ stats }: { stats: PlaybackStats }) {
  const { position, stalls, lastFragment } = stats;
  const stalledSeconds = stalls.reduce((sum, stall) => sum + (stall.durationMs ?? 0), 0) / 1000;
  const progress = position && position.last > position.first ? (position.shown - position.first) / (position.last - position.first) : 0;
  return (
    <dl class="tiles">
      <Tile name="Segment on screen" value={position ? String(position.shown) : "–"}>
        {position && (
          <small class="place" title={`The playlist lists segments ${position.first} to ${position.last}`}>
            {position.first}
            <progress value={progress} max={1} aria-label="Position in the playlist" />
            {position.last}
          </small>
        )}
      </Tile>
      <Tile name="Buffer" value={formatSeconds(stats.bufferSeconds)} />
      <Tile name="First byte" value={lastFragment ? formatMilliseconds(lastFragment.firstByteMs) : "–"} />
      <Tile name="Stalls" value={String(stalls.length)}>
        <small>{stalls.length ? `${formatSeconds(stalledSeconds)} in all` : "none so far"}</small>
      </Tile>
    </dl>
  );
}
