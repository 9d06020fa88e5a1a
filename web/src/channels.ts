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

/** The ids of the caches that a viewer may ask for. */
export async function loadCaches(signal: AbortSignal): Promise<string[]> {
  const list = (await ask("/api/v1/caches", "caches", signal)) as { id: string }[];
  return list.map((c) => c.id);
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
export function playlistUrl(channel: Channel, cache: string | null): string {
  const url = new URL(channel.playbackUrl, location.href);
  if (cache) url.searchParams.set("cache", cache);
  return url.href;
}
