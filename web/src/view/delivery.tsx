// Where the segments come from: the node of the last one, and one bar for each of the last that arrived.

import type { FragmentSeen, Observed } from "../player/observed";
import { colourOf, milliseconds, size } from "./words";

const kBars = 48;
const kHeight = 84;
const outcomes = { hit: "from its cache", fill: "fetched from the origin just now", unknown: "" } as const;

interface Properties {
  seen: Observed;
  caches: string[];
  cache: string | null; // null: Tribune chooses
  onCache: (cache: string | null) => void;
}

export function Delivery({ seen, caches, cache, onCache }: Properties) {
  const last = seen.lastFragment;
  const { nodes } = seen;
  return (
    <section class="panel delivery" aria-labelledby="delivery">
      <div class="from">
        <h2 id="delivery">Last segment from</h2>
        {last ? (
          <p class={`node ${colourOf(nodes, last.node)}`}>
            <b>{last.node}</b>
            <span>
              segment {last.sn}, {size(last.bytes)} in {milliseconds(last.totalMs)}
              {outcomes[last.outcome] && `, ${outcomes[last.outcome]}`}
            </span>
          </p>
        ) : (
          <p class="note">
            {seen.engine === "native" ? "This browser plays HLS itself and does not tell." : "No segment has arrived yet."}
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
      <Chart fragments={seen.pictures} nodes={nodes} />
    </section>
  );
}

function Chart({ fragments, nodes }: { fragments: FragmentSeen[]; nodes: string[] }) {
  const shown = fragments.slice(-kBars);
  const slowest = Math.max(20, ...shown.map((f) => f.totalMs));
  return (
    <figure>
      <svg viewBox={`0 0 ${kBars * 10} ${kHeight}`} preserveAspectRatio="none" role="img" aria-label="Time that each segment took to arrive">
        <line x1="0" x2={kBars * 10} y1={kHeight - 0.5} y2={kHeight - 0.5} class="axis" />
        {shown.map((f, i) => {
          const height = Math.max(3, (f.totalMs / slowest) * (kHeight - 8));
          return (
            <rect
              key={`${f.type}-${f.level}-${f.sn}-${f.at}`}
              class={`${colourOf(nodes, f.node)} ${f.outcome}`}
              x={(kBars - shown.length + i) * 10 + 1}
              y={kHeight - height}
              width={8}
              height={height}
              rx={1.5}
            >
              <title>{`segment ${f.sn} from ${f.node}: ${milliseconds(f.totalMs)}, ${size(f.bytes)}`}</title>
            </rect>
          );
        })}
      </svg>
      <figcaption>
        <span>Arrival of the last {shown.length || "–"} segments, tallest {milliseconds(slowest)}</span>
        {nodes.map((node) => (
          <span key={node} class={`key ${colourOf(nodes, node)}`}>
            {node}
          </span>
        ))}
        {shown.some((f) => f.outcome === "fill") && <span class="key filled">fetched from the origin</span>}
      </figcaption>
    </figure>
  );
}
