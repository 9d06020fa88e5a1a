// The viewer page: channels, the waiting room, the player, and the source of the segments. Tests read its state from `window.tribune` and
// `window.tribuneDoor`.
//
//   /?channel=ID      the channel to play first
//   &cache=ID         the cache node to use
//   &room=slate       opens the playlist without the API, as a player without an app does; a queued viewer then sees the slate in the video

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { AccessClient, type AccessState } from "./access/access_client";
import { type Cache, type Channel, cacheUrls, loadCaches, loadChannels, playlistUrl } from "./api";
import { PlaybackStats } from "./player/playback_stats";
import { PlayerSession } from "./player/player_session";
import { ChannelList } from "./view/channel_list";
import { Delivery } from "./view/delivery";
import { EventFeed } from "./view/event_feed";
import { Header } from "./view/header";
import { PlayerView } from "./view/player_view";
import { StatTiles } from "./view/stat_tiles";

declare global {
  interface Window {
    tribune: PlaybackStats;
    tribuneDoor: AccessState;
  }
}

const kRefreshMs = 250;
const kChannelRetryMs = 2000;
const query = new URLSearchParams(location.search);
const kNoStats = new PlaybackStats();
const kViewer = Math.floor(Math.random() * 2 ** 16); // spreads viewers over the cache nodes

/** The title of the browser's tab. It shows the place in the queue, because a waiting viewer may look at another tab. */
function tabTitle(title: string, access: AccessState | null): string {
  const position = access?.state === "queued" && access.place ? `${access.place.ahead} ahead · ` : "";
  return `${position}${title} · Tribune`;
}

export function App() {
  const video = useRef<HTMLVideoElement>(null);
  const session = useRef<PlayerSession | null>(null);
  const accessClient = useRef<AccessClient | null>(null);
  const statusUrls = useRef<string[]>([]);
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
        const open = list.filter((c) => !c.isLocked);
        setChosen(open.find((c) => c.id === query.get("channel")) ?? open[0] ?? null);
      } catch (cause) {
        if (abort.signal.aborted) return;
        setListError((cause as Error).message);
        timer = window.setTimeout(load, kChannelRetryMs);
      }
    };
    void load();
    loadCaches(abort.signal).then(setCaches, () => setCaches([])); // without the list the page offers no choice
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, []);

  statusUrls.current = cacheUrls(caches, cache, kViewer);

  useEffect(() => {
    if (!chosen) return;
    const own = new AccessClient(chosen.id, chosen.playbackUrl, () => statusUrls.current, changed);
    accessClient.current = own;
    window.tribuneDoor = own.access;
    if (query.get("room") === "slate") own.openWithoutApi();
    else own.start();
    const timer = window.setInterval(changed, kRefreshMs); // updates the countdowns
    return () => {
      clearInterval(timer);
      own.stop();
      accessClient.current = null;
    };
  }, [chosen, changed]);

  const access = accessClient.current?.access ?? null;
  const url = access?.url ?? null;
  useEffect(() => {
    if (!chosen || !video.current || !url) return;
    const own = new PlayerSession(video.current, changed, () => accessClient.current?.onSessionLost());
    session.current = own;
    window.tribune = own.stats;
    own.watch(chosen.id, playlistUrl(url, cache));
    const timer = window.setInterval(() => {
      own.refresh();
      const { token, stats } = own;
      if (token) accessClient.current?.onPlayerToken(token, stats.isSlate);
      changed();
    }, kRefreshMs);
    return () => {
      clearInterval(timer);
      own.stop();
      session.current = null;
    };
    // WHY without `chosen`: its new URL comes with the next state of the access client; until then `url` is that of the former channel.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [url, cache, changed]);

  if (chosen) document.title = tabTitle(chosen.title, access);
  const stats = session.current?.stats ?? kNoStats;
  const showsPlayback = url !== null || access === null || access.state === "asking";
  return (
    <>
      <Header stats={stats} access={access} />
      <main>
        <div class="watch">
          <PlayerView video={video} stats={stats} access={access} title={chosen?.title ?? null} problem={listError} />
          {showsPlayback && <StatTiles stats={stats} />}
          {showsPlayback && <Delivery stats={stats} caches={caches.map((c) => c.id)} cache={cache} onCache={setCache} />}
        </div>
        <aside>
          <ChannelList channels={channels} chosen={chosen} onChoose={setChosen} problem={listError} />
          <EventFeed stats={stats} />
        </aside>
      </main>
    </>
  );
}
