// Which cache node a segment came from, and what that node did to answer.

export type CacheOutcome = "hit" | "fill" | "unknown";

export interface Served {
  url: string; // after redirects
  node: string;
  outcome: CacheOutcome;
}

/** The first member of Cache-Status (RFC 9211) is the cache nearest to the origin, the last one nearest to the viewer. */
export function readCacheStatus(field: string | null): { node: string; outcome: CacheOutcome } | null {
  if (!field) return null;
  const nearest = field.split(",").pop()!.trim();
  const [name, ...parameters] = nearest.split(";").map((part) => part.trim());
  if (!name) return null;
  const node = name.replace(/^"|"$/g, "");
  if (parameters.includes("hit")) return { node, outcome: "hit" };
  if (parameters.some((p) => p.startsWith("fwd"))) return { node, outcome: "fill" };
  return { node, outcome: "unknown" };
}

/** `details` is the request that hls.js made; its URL is the one after redirects, so it names the node itself. */
export function servedBy(url: string, details: unknown): Served {
  const header = (name: string): string | null => {
    if (details instanceof XMLHttpRequest) {
      // Asking for a header that is not exposed logs an error in the console; the list of exposed ones is free to read.
      const exposed = details.getAllResponseHeaders().toLowerCase();
      return exposed.includes(`${name}:`) ? details.getResponseHeader(name) : null;
    }
    return details instanceof Response ? details.headers.get(name) : null;
  };
  const finalUrl =
    (details instanceof XMLHttpRequest && details.responseURL) || (details instanceof Response && details.url) || url;
  const status = readCacheStatus(header("cache-status"));
  return {
    url: finalUrl,
    node: status?.node ?? hostOf(finalUrl),
    outcome: status?.outcome ?? "unknown",
  };
}

export function hostOf(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return "unknown";
  }
}
