// The viewer page: channels, the waiting room, the player, and where the segments come from. `window.tribune` and `window.tribuneDoor` show
// tests what it saw.
//
//   /?channel=ID      the channel to begin with
//   &cache=ID         the cache to ask for
//   &room=slate       opens the playlist without a session, as a bare player does: who must wait then waits inside the video

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type Door, Turnstile } from "./access/turnstile";
import { type Cache, type Channel, cacheUrls, loadCaches, loadChannels, playlistUrl } from "./channels";
import { Observed } from "./player/observed";
import { PlayerSession } from "./player/session";
import { ChannelList } from "./view/channel_list";
import { Delivery } from "./view/delivery";
import { EventFeed } from "./view/event_feed";
import { Header } from "./view/header";
import { Stage } from "./view/stage";
import { Tiles } from "./view/tiles";

declare global {
  interface Window {
    tribune: Observed;
    tribuneDoor: Door;
  }
}

const kRefreshMs = 250;
const kChannelRetryMs = 2000;
const query = new URLSearchParams(location.search);
const nothing = new Observed();
const kViewer = Math.floor(Math.random() * 2 ** 16); // spreads viewers over the caches

/** What the browser's tab says: who waits looks at other ones meanwhile. */
function tabTitle(title: string, door: Door | null): string {
  const waits = door?.state === "queued" && door.place ? `${door.place.ahead} ahead · ` : "";
  return `${waits}${title} · Tribune`;
}

export function App() {
  const video = useRef<HTMLVideoElement>(null);
  const session = useRef<PlayerSession | null>(null);
  const turnstile = useRef<Turnstile | null>(null);
  const queueAddresses = useRef<string[]>([]);
  const [channels, setChannels] = useState<Channel[] | null>(null);
  const [listError, setListError] = useState<string | null>(null);
  const [chosen, setChosen] = useState<Channel | null>(null);
  const [caches, setCaches] = useState<Cache[]>([]);
  const [cache, setCache] = useState<string | null>(query.get("cache"));
  const [, redraw] = useState(0);
  const changed = useCallback(() => redraw((n) => n + 1), []);

  useEffect(() => {
    const abort = new AbortController();
    let timer = 0;
    const load = async () => {
      try {
        const list = await loadChannels(abort.signal);
        setChannels(list);
        setListError(list.length ? null : "No channel is configured.");
        setChosen(list.find((c) => c.id === query.get("channel")) ?? list[0] ?? null);
      } catch (cause) {
        if (abort.signal.aborted) return;
        setListError((cause as Error).message);
        timer = window.setTimeout(load, kChannelRetryMs);
      }
    };
    void load();
    loadCaches(abort.signal).then(setCaches, () => setCaches([])); // without the list there is nothing to choose
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, []);

  queueAddresses.current = cacheUrls(caches, cache, kViewer);

  useEffect(() => {
    if (!chosen) return;
    const own = new Turnstile(chosen.id, chosen.playbackUrl, () => queueAddresses.current, changed);
    turnstile.current = own;
    window.tribuneDoor = own.door;
    if (query.get("room") === "slate") own.openBare();
    else own.start();
    const timer = window.setInterval(changed, kRefreshMs); // times run down
    return () => {
      clearInterval(timer);
      own.stop();
      turnstile.current = null;
    };
  }, [chosen]);

  const door = turnstile.current?.door ?? null;
  const url = door?.url ?? null;
  useEffect(() => {
    if (!chosen || !video.current || !url) return;
    const own = new PlayerSession(video.current, changed, () => turnstile.current?.lost());
    session.current = own;
    window.tribune = own.observed;
    own.watch(chosen.id, playlistUrl(url, cache));
    const timer = window.setInterval(() => {
      own.refresh();
      const { pass, observed } = own;
      if (pass) turnstile.current?.playerHas(pass, observed.isSlate);
      changed();
    }, kRefreshMs);
    return () => {
      clearInterval(timer);
      own.stop();
      session.current = null;
    };
  }, [url, cache]);

  if (chosen) document.title = tabTitle(chosen.title, door);
  const seen = session.current?.observed ?? nothing;
  const isInside = url !== null || door === null || door.state === "asking";
  return (
    <>
      <Header seen={seen} door={door} />
      <main>
        <div class="watch">
          <Stage video={video} seen={seen} door={door} title={chosen?.title ?? null} problem={listError} />
          {isInside && <Tiles seen={seen} />}
          {isInside && <Delivery seen={seen} caches={caches.map((c) => c.id)} cache={cache} onCache={setCache} />}
        </div>
        <aside>
          <ChannelList channels={channels} chosen={chosen} onChoose={setChosen} problem={listError} />
          <EventFeed seen={seen} />
        </aside>
      </main>
    </>
  );
}
