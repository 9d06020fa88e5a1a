// The channels that this event offers, as the API lists them.

export interface Channel {
  id: string;
  title: string;
  playbackUrl: string;
}

interface ListedChannel {
  id: string;
  title?: string;
  playback_url: string;
}

/** Throws an Error whose message can be shown. */
export async function loadChannels(signal: AbortSignal): Promise<Channel[]> {
  const list = (await ask("/api/v1/channels", "channels", signal)) as ListedChannel[];
  return list.map((c) => ({ id: c.id, title: c.title || c.id, playbackUrl: c.playback_url }));
}

export interface Cache {
  id: string;
  url: string;
}

/** The caches that a viewer may ask for. */
export async function loadCaches(signal: AbortSignal): Promise<Cache[]> {
  const list = (await ask("/api/v1/caches", "caches", signal)) as Cache[];
  return list.map(({ id, url }) => ({ id, url }));
}

/** Their addresses; the one that the viewer named comes first. Else each viewer begins with another one. */
export function cacheUrls(caches: Cache[], named: string | null, viewer: number): string[] {
  const first = named ? caches.findIndex((c) => c.id === named) : caches.length ? viewer % caches.length : 0;
  return [...caches.slice(Math.max(0, first)), ...caches.slice(0, Math.max(0, first))].map((c) => c.url);
}

async function ask(path: string, member: string, signal: AbortSignal): Promise<unknown[]> {
  let answer: Response;
  try {
    answer = await fetch(path, { signal, headers: { Accept: "application/json" } });
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new Error("The server cannot be reached. Trying again.");
  }
  if (!answer.ok) throw new Error(`The server answered ${answer.status} instead of its list of ${member}.`);
  const body = (await answer.json().catch(() => null)) as Record<string, unknown> | null;
  const list = body?.[member];
  if (!Array.isArray(list)) throw new Error(`The server's list of ${member} cannot be read.`);
  return list;
}

/** The playlist URL, steered to a cache that the viewer named (`?cache=` of this page). */
export function playlistUrl(playbackUrl: string, cache: string | null): string {
  const url = new URL(playbackUrl, location.href);
  if (cache) url.searchParams.set("cache", cache);
  return url.href;
}
