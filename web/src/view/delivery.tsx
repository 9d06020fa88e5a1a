// The cache node that served the last segment, a choice of cache nodes, and a chart of the download times of the last segments.

import type { LoadedFragment, PlaybackStats } from "../player/playback_stats";
import { formatBytes, formatMilliseconds, nodeColourClass } from "./format";

const kMaxBars = 48;
const kHeight = 84;
const outcomes = { hit: "from its cache", fill: "fetched from the origin just now", unknown: "" } as const;

interface Properties {
  stats: PlaybackStats;
  caches: string[];
  cache: string | null; // null: the balancer chooses
  onCache: (cache: string | null) => void;
}

export function Delivery({ stats, caches, cache, onCache }: Properties) {
  const last = stats.lastFragment;
  const { nodes } = stats;
  return (
    <section class="panel delivery" aria-labelledby="delivery">
      <div class="from">
        <h2 id="delivery">Last segment from</h2>
        {last ? (
          <p class={`node ${nodeColourClass(nodes, last.node)}`}>
            <b>{last.node}</b>
            <span>
              segment {last.sn}, {formatBytes(last.bytes)} in {formatMilliseconds(last.totalMs)}
              {outcomes[last.outcome] && `, ${outcomes[last.outcome]}`}
            </span>
          </p>
        ) : (
          <p class="note">
            {stats.engine === "native" ? "This browser plays HLS by itself and does not report segments." : "No segment has arrived yet."}
          </p>
        )}
        {(caches.length > 0 || cache) && (
          <fieldset class="choice">
            <legend>Cache to use</legend>
            {[null, ...new Set(cache ? [...caches, cache] : caches)].map((id) => (
              <label key={id}>
                <input type="radio" name="cache" checked={id === cache} onChange={() => onCache(id)} />
                <span>{id ?? "Automatic"}</span>
              </label>
            ))}
          </fieldset>
        )}
      </div>
      <Chart fragments={stats.videoFragments} nodes={nodes} />
    </section>
  );
}

function Chart({ fragments, nodes }: { fragments: LoadedFragment[]; nodes: string[] }) {
  const shown = fragments.slice(-kMaxBars);
  const slowest = Math.max(20, ...shown.map((f) => f.totalMs));
  return (
    <figure>
      <svg viewBox={`0 0 ${kMaxBars * 10} ${kHeight}`} preserveAspectRatio="none" role="img" aria-label="Time that each segment took to arrive">
        <line x1="0" x2={kMaxBars * 10} y1={kHeight - 0.5} y2={kHeight - 0.5} class="axis" />
        {shown.map((f, i) => {
          const height = Math.max(3, (f.totalMs / slowest) * (kHeight - 8));
          return (
            <rect
              key={`${f.type}-${f.level}-${f.sn}-${f.at}`}
              class={`${nodeColourClass(nodes, f.node)} ${f.outcome}`}
              x={(kMaxBars - shown.length + i) * 10 + 1}
              y={kHeight - height}
              width={8}
              height={height}
              rx={1.5}
            >
              <title>{`segment ${f.sn} from ${f.node}: ${formatMilliseconds(f.totalMs)}, ${formatBytes(f.bytes)}`}</title>
            </rect>
          );
        })}
      </svg>
      <figcaption>
        <span>Arrival of the last {shown.length || "–"} segments, tallest {formatMilliseconds(slowest)}</span>
        {nodes.map((node) => (
          <span key={node} class={`key ${nodeColourClass(nodes, node)}`}>
            {node}
          </span>
        ))}
        {shown.some((f) => f.outcome === "fill") && <span class="key filled">fetched from the origin</span>}
      </figcaption>
    </figure>
  );
}
