// Which cache node served a segment, and whether it had the segment in its cache.

export type CacheOutcome = "hit" | "fill" | "unknown";

export interface Served {
  url: string; // after redirects
  node: string;
  outcome: CacheOutcome;
}

/** The first member of Cache-Status (RFC 9211) is the cache nearest to the origin, the last one nearest to the viewer. */
export function parseCacheStatus(field: string | null): { node: string; outcome: CacheOutcome } | null {
  if (!field) return null;
  const nearest = field.slice(field.lastIndexOf(",") + 1).trim();
  const [name, ...parameters] = nearest.split(";").map((part) => part.trim());
  if (!name) return null;
  const node = name.replace(/^"|"$/g, "");
  if (parameters.includes("hit")) return { node, outcome: "hit" };
  if (parameters.some((p) => p.startsWith("fwd"))) return { node, outcome: "fill" };
  return { node, outcome: "unknown" };
}

/** `details` is the request object of hls.js. Its URL is the one after redirects, so its host is the node. */
export function servedBy(url: string, details: unknown): Served {
  const header = (name: string): string | null => {
    if (details instanceof XMLHttpRequest) {
      // Reading a header that is not exposed logs an error to the console; reading the list of exposed headers does not.
      const exposed = details.getAllResponseHeaders().toLowerCase();
      return exposed.includes(`${name}:`) ? details.getResponseHeader(name) : null;
    }
    return details instanceof Response ? details.headers.get(name) : null;
  };
  const finalUrl =
    (details instanceof XMLHttpRequest && details.responseURL) || (details instanceof Response && details.url) || url;
  const status = parseCacheStatus(header("cache-status"));
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
