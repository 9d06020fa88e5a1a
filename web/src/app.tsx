// The viewer page: channels, the player, and where the segments come from. `window.tribune` shows tests what it saw.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type Channel, loadCaches, loadChannels, playlistUrl } from "./channels";
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
  }
}

const kRefreshMs = 250;
const kChannelRetryMs = 2000;
const query = new URLSearchParams(location.search);
const nothing = new Observed();

export function App() {
  const video = useRef<HTMLVideoElement>(null);
  const session = useRef<PlayerSession | null>(null);
  const [channels, setChannels] = useState<Channel[] | null>(null);
  const [listError, setListError] = useState<string | null>(null);
  const [chosen, setChosen] = useState<Channel | null>(null);
  const [caches, setCaches] = useState<string[]>([]);
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

  useEffect(() => {
    if (!chosen || !video.current) return;
    const own = new PlayerSession(video.current, changed);
    session.current = own;
    window.tribune = own.observed;
    own.watch(chosen.id, playlistUrl(chosen, cache));
    document.title = `${chosen.title} · Tribune`;
    const timer = window.setInterval(() => {
      own.refresh();
      changed();
    }, kRefreshMs);
    return () => {
      clearInterval(timer);
      own.stop();
      session.current = null;
    };
  }, [chosen, cache]);

  const seen = session.current?.observed ?? nothing;
  return (
    <>
      <Header seen={seen} />
      <main>
        <div class="watch">
          <Stage video={video} seen={seen} title={chosen?.title ?? null} problem={listError} />
          <Tiles seen={seen} />
          <Delivery seen={seen} caches={caches} cache={cache} onCache={setCache} />
        </div>
        <aside>
          <ChannelList channels={channels} chosen={chosen} onChoose={setChosen} problem={listError} />
          <EventFeed seen={seen} />
        </aside>
      </main>
    </>
  );
}
