// The lists that the API serves: the channels of the event and the cache nodes that a viewer may choose.

export interface Channel {
  id: string;
  title: string;
  playbackUrl: string;
  /** It must be bought; this page has no login. */
  isLocked: boolean;
  /** What is on. */
  now: string;
}

interface ListedChannel {
  id: string;
  title?: string;
  playback_url: string;
  state?: "free" | "locked" | "owned";
  now?: string;
}

/** Throws an Error whose message can be shown. */
export async function loadChannels(signal: AbortSignal): Promise<Channel[]> {
  const list = (await fetchList("/api/v1/channels", "channels", signal)) as ListedChannel[];
  return list.map((c) => ({
    id: c.id,
    title: c.title || c.id,
    playbackUrl: c.playback_url,
    isLocked: c.state === "locked",
    now: c.now ?? "",
  }));
}

export interface Cache {
  id: string;
  url: string;
}

/** The cache nodes that a viewer may choose. */
export async function loadCaches(signal: AbortSignal): Promise<Cache[]> {
  const list = (await fetchList("/api/v1/caches", "caches", signal)) as Cache[];
  return list.map(({ id, url }) => ({ id, url }));
}

/** The URLs of the cache nodes in the order to try. The chosen one is first; without one, `viewer` selects the first, which spreads viewers. */
export function cacheUrls(caches: Cache[], chosen: string | null, viewer: number): string[] {
  const first = chosen ? caches.findIndex((c) => c.id === chosen) : caches.length ? viewer % caches.length : 0;
  return [...caches.slice(Math.max(0, first)), ...caches.slice(0, Math.max(0, first))].map((c) => c.url);
}

async function fetchList(path: string, member: string, signal: AbortSignal): Promise<unknown[]> {
  let response: Response;
  try {
    response = await fetch(path, { signal, headers: { Accept: "application/json" } });
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new Error("The server cannot be reached. Trying again.");
  }
  if (!response.ok) throw new Error(`The server answered ${response.status} instead of its list of ${member}.`);
  const body = (await response.json().catch(() => null)) as Record<string, unknown> | null;
  const list = body?.[member];
  if (!Array.isArray(list)) throw new Error(`The server's list of ${member} cannot be read.`);
  return list as unknown[];
}

/** The playlist URL, with the cache node that the viewer chose (`?cache=` of this page). */
export function playlistUrl(playbackUrl: string, cache: string | null): string {
  const url = new URL(playbackUrl, location.href);
  if (cache) url.searchParams.set("cache", cache);
  return url.href;
}
