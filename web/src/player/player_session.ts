// Plays one channel for one viewer: owns the hls.js instance (or uses the browser's own HLS), updates `PlaybackStats`, and
// reconnects when the network is back.
//
// States, and the party that causes each transition
//   loading        watch() was called                                     (the page)
//   playing        frames advance; paused when the viewer pauses          (the video element)
//   stalled        frames wait for data                                   (the video element)
//   reconnecting   a fatal error; the source is loaded again after a wait (this class)
//   failed         a retry cannot help                                    (this class)
//   idle           stop() was called, or the server refused the viewer    (the page, the server)

import Hls, { type ErrorData, type FragLoadedData, type RetryConfig } from "hls.js";
import workerPath from "hls.js/dist/hls.worker.js?url";
import { servedBy } from "./cache_status";
import { errorMessage, problemDetail } from "./error_messages";
import { PlaybackStats } from "./playback_stats";

const kFirstRetryMs = 1000;
const kMaxRetryMs = 8000;

/** Also retries what got no response, as from a dead node. hls.js does not: it treats such a segment of a live stream as a gap and skips it. */
const isRetried: NonNullable<RetryConfig["shouldRetry"]> = (config, count, _isTimeout, response, retry) =>
  retry || (response?.code === 0 && count < (config?.maxNumRetry ?? 0));

/** Retries sooner and more often than the defaults of hls.js: a balancer that restarts is back within seconds. */
const loadPolicy = (maxNumRetry: number, maxRetryDelayMs = 4000) => ({
  default: {
    maxTimeToFirstByteMs: 10000,
    maxLoadTimeMs: 20000,
    timeoutRetry: { maxNumRetry: 2, retryDelayMs: 0, maxRetryDelayMs: 0 },
    errorRetry: { maxNumRetry, retryDelayMs: 500, maxRetryDelayMs, shouldRetry: isRetried },
  },
});

export class PlayerSession {
  readonly stats = new PlaybackStats();
  private hls: Hls | null = null;
  private url = "";
  private retryMs = kFirstRetryMs;
  private retryTimer = 0;
  private hasPlayed = false;
  private readonly listeners = new AbortController();

  /** `onRefused`: the server refuses this viewer, or no longer accepts the session; this class does not retry. */
  constructor(
    private readonly video: HTMLVideoElement,
    private readonly onChange: () => void,
    private readonly onRefused: () => void,
  ) {
    this.observeVideo();
  }

  watch(channel: string, url: string): void {
    this.release();
    this.url = url;
    this.hasPlayed = false;
    this.stats.channel = channel;
    this.stats.message = null;
    this.enter("loading");
    if (Hls.isSupported()) this.openHls();
    else if (this.video.canPlayType("application/vnd.apple.mpegurl")) this.openNative();
    else {
      this.stats.message = "This browser supports neither HLS nor Media Source Extensions. Please use a current browser.";
      this.enter("failed");
    }
  }

  stop(): void {
    this.release();
    this.listeners.abort();
    this.stats.state = "idle";
  }

  /** The token in the playlists' URLs: a session or a ticket. Null while there is none. */
  get token(): string | null {
    const url = this.hls?.levels[this.hls.currentLevel]?.details?.url ?? "";
    return /\/~([^/]+)\//.exec(url)?.[1] ?? null;
  }

  /** Reads the values that have no event; called 4 times per second. */
  refresh(): void {
    const { stats, video, hls } = this;
    stats.currentTime = video.currentTime;
    stats.bufferSeconds = bufferedAhead(video);
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- Chromium before 80 lacks it
    stats.droppedFrames = video.getVideoPlaybackQuality?.().droppedVideoFrames ?? 0;
    if (!hls) return;
    stats.level = hls.currentLevel;
    stats.behindLiveSeconds = hls.latency > 0 ? hls.latency : null;
    const details = hls.levels[hls.currentLevel]?.details;
    if (!details) return;
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- hls.js leaves gaps while it merges a delta update
    const shown = details.fragments.find((f) => f && video.currentTime < f.start + f.duration)?.sn;
    stats.position = { first: details.startSN, last: details.endSN, shown: typeof shown === "number" ? shown : details.endSN };
  }

  private openHls(): void {
    this.stats.engine = "hls.js";
    const hls = new Hls({
      workerPath,
      manifestLoadPolicy: loadPolicy(4),
      playlistLoadPolicy: loadPolicy(6),
      // Playlists drop a dead node within 2 s. By default hls.js waits up to 8 s between retries, which is longer than a live buffer.
      fragLoadPolicy: loadPolicy(40, 500),
      backBufferLength: 60,
    });
    this.hls = hls;
    hls.on(Hls.Events.MANIFEST_PARSED, (_, data) => {
      this.stats.levels = data.levels.map((l) => ({ height: l.height, bitrate: l.bitrate }));
      void this.play();
    });
    // Before the first frame, the listed fragments decide.
    hls.on(Hls.Events.LEVEL_LOADED, (_, { details }) => {
      if (!this.hasPlayed) this.stats.isSlate = details.fragments.some((f) => isSlate(f.url));
    });
    hls.on(Hls.Events.FRAG_CHANGED, (_, { frag }) => (this.stats.isSlate = isSlate(frag.url)));
    hls.on(Hls.Events.FRAG_LOADED, (_, data) => this.onFragment(data));
    hls.on(Hls.Events.ERROR, (_, data) => this.onError(data));
    hls.loadSource(this.url);
    hls.attachMedia(this.video);
  }

  private openNative(): void {
    this.stats.engine = "native";
    this.video.src = this.url;
    void this.play();
  }

  /** Browsers allow autoplay only without sound; the viewer turns the sound on. */
  private async play(): Promise<void> {
    try {
      await this.video.play();
    } catch (cause) {
      if ((cause as DOMException).name !== "NotAllowedError") return;
      this.video.muted = true;
      await this.video.play().catch(() => this.enter("paused"));
    }
  }

  private onFragment({ frag, networkDetails }: FragLoadedData): void {
    if (typeof frag.sn !== "number") return; // an init section
    const { start, first, end } = frag.stats.loading;
    const served = servedBy(frag.url, networkDetails);
    this.stats.addFragment({
      at: Math.round(performance.now()),
      sn: frag.sn,
      type: frag.type,
      level: frag.level,
      url: served.url,
      node: served.node,
      outcome: served.outcome,
      bytes: frag.stats.total || frag.stats.loaded,
      firstByteMs: first - start,
      totalMs: end - start,
      durationSeconds: frag.duration,
    });
    this.retryMs = kFirstRetryMs;
    if (this.stats.state === "reconnecting") this.enter(this.video.paused ? "paused" : "playing");
    this.onChange();
  }

  private onError(data: ErrorData): void {
    const status = data.response?.code || null;
    const text = errorMessage(data.details, status, problemDetail(data.response?.data ?? responseText(data.networkDetails)));
    const at = Math.round(performance.now());
    this.stats.addError({ at, type: data.type, details: data.details, fatal: data.fatal, status, text, bufferSeconds: bufferedAhead(this.video) });
    if (data.fatal) this.recover(data, status, text);
    this.onChange();
  }

  private recover(data: ErrorData, status: number | null, text: string): void {
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && data.details !== Hls.ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR) {
      this.hls?.recoverMediaError();
      return;
    }
    if (data.details === Hls.ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR) {
      this.stats.message = text;
      this.enter("failed");
      return;
    }
    if (status === 403 && /^(manifest|level|audioTrack)Load/.test(data.details)) {
      this.release();
      this.enter("idle");
      return this.onRefused();
    }
    this.stats.message = `${text} Trying again.`;
    this.enter("reconnecting");
    clearTimeout(this.retryTimer);
    // After a playlist or segment that could not be loaded, loading continues and the last frame stays. After any other error the channel is
    // opened again.
    const canResume = data.type === Hls.ErrorTypes.NETWORK_ERROR && /^(level|audioTrack|frag|key)Load(Error|TimeOut)$/.test(data.details);
    this.retryTimer = window.setTimeout(() => {
      if (canResume && this.hls) return this.hls.startLoad();
      this.hls?.destroy();
      this.openHls();
    }, this.retryMs);
    this.retryMs = Math.min(this.retryMs * 2, kMaxRetryMs);
  }

  private observeVideo(): void {
    const on = (event: keyof HTMLVideoElementEventMap, listener: () => void) =>
      this.video.addEventListener(event, listener, { signal: this.listeners.signal });
    const now = () => Math.round(performance.now());
    on("playing", () => {
      this.hasPlayed = true;
      this.stats.endStall(now());
      this.stats.message = null;
      this.enter("playing");
    });
    on("pause", () => this.enter("paused"));
    on("waiting", () => {
      if (!this.hasPlayed || this.video.seeking) return;
      this.stats.beginStall(now(), bufferedAhead(this.video));
      if (this.stats.state !== "reconnecting") this.enter("stalled");
    });
    on("error", () => {
      if (this.stats.engine !== "native") return;
      this.stats.message = "The browser could not play this channel. Trying again.";
      this.enter("reconnecting");
      clearTimeout(this.retryTimer);
      this.retryTimer = window.setTimeout(() => this.openNative(), this.retryMs);
      this.retryMs = Math.min(this.retryMs * 2, kMaxRetryMs);
    });
  }

  private enter(state: PlaybackStats["state"]): void {
    this.stats.state = state;
    this.onChange();
  }

  private release(): void {
    clearTimeout(this.retryTimer);
    this.hls?.destroy();
    this.hls = null;
    if (this.stats.engine === "native") this.video.removeAttribute("src");
  }
}

/** Whether a segment belongs to the slate that the balancer serves to a queued viewer instead of the programme. */
function isSlate(url: string): boolean {
  return new URL(url, location.href).pathname.startsWith("/slate/");
}

function bufferedAhead(video: HTMLVideoElement): number {
  const { buffered, currentTime } = video;
  for (let i = 0; i < buffered.length; ++i) {
    if (currentTime >= buffered.start(i) - 0.1 && currentTime <= buffered.end(i)) return buffered.end(i) - currentTime;
  }
  return 0;
}

function responseText(details: unknown): string | null {
  if (!(details instanceof XMLHttpRequest)) return null;
  return details.responseType === "" || details.responseType === "text" ? details.responseText : null;
}
