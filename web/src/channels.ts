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
export async function loadChannels(signal?: AbortSignal): Promise<Channel[]> {
  let answer: Response;
  try {
    answer = await fetch("/api/v1/channels", { signal, headers: { Accept: "application/json" } });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new Error("The server cannot be reached.");
  }
  if (!answer.ok) throw new Error(`The server answered ${answer.status} instead of the channel list.`);
  const body: unknown = await answer.json().catch(() => null);
  const list = Array.isArray(body) ? body : (body as { channels?: unknown } | null)?.channels;
  if (!Array.isArray(list)) throw new Error("The server's channel list cannot be read.");
  return (list as ListedChannel[]).map((c) => ({ id: c.id, title: c.title || c.id, playbackUrl: c.playback_url }));
}

/** The playlist URL, steered to a cache that the viewer named (`?cache=` of this page). */
export function playlistUrl(channel: Channel, cache: string | null): string {
  const url = new URL(channel.playbackUrl, location.href);
  if (cache) url.searchParams.set("cache", cache);
  return url.href;
}
