// One viewer watching one channel: owns the hls.js instance (or the browser's own HLS), keeps `Observed` true, and comes
// back by itself when the network does.
//
// Lifetime
//   loading        watch() was called                                     (the page)
//   playing        frames advance; paused when the viewer wants it        (the video element)
//   stalled        frames wait for data                                   (the video element)
//   reconnecting   a fatal error; the source is loaded again after a wait (this class)
//   failed         nothing that waiting can repair                        (this class)
//   idle           stop() was called, or the viewer is not let in         (the page, the server)

import Hls, { type ErrorData, type FragLoadedData } from "hls.js";
import workerPath from "hls.js/dist/hls.worker.js?url";
import { servedBy } from "./nodes";
import { Observed } from "./observed";
import { inWords, problemOf } from "./words";

const kFirstRetryMs = 1000;
const kLongestRetryMs = 8000;

/** Retries a little sooner and longer than hls.js by itself: a balancer that restarts is back within seconds. */
const patient = (maxNumRetry: number, maxRetryDelayMs = 4000) => ({
  default: {
    maxTimeToFirstByteMs: 10000,
    maxLoadTimeMs: 20000,
    timeoutRetry: { maxNumRetry: 2, retryDelayMs: 0, maxRetryDelayMs: 0 },
    errorRetry: { maxNumRetry, retryDelayMs: 500, maxRetryDelayMs },
  },
});

export class PlayerSession {
  readonly observed = new Observed();
  private hls: Hls | null = null;
  private url = "";
  private retryMs = kFirstRetryMs;
  private retryTimer = 0;
  private hasPlayed = false;
  private readonly unlisten = new AbortController();

  /** `onRefused`: the server does not let this viewer in, or not any more; nothing is tried again here. */
  constructor(
    private readonly video: HTMLVideoElement,
    private readonly onChange: () => void,
    private readonly onRefused: () => void,
  ) {
    this.followVideo();
  }

  watch(channel: string, url: string): void {
    this.release();
    this.url = url;
    this.hasPlayed = false;
    this.observed.channel = channel;
    this.observed.message = null;
    this.enter("loading");
    if (Hls.isSupported()) this.openHls();
    else if (this.video.canPlayType("application/vnd.apple.mpegurl")) this.openNative();
    else {
      this.observed.message = "This browser plays neither HLS nor Media Source video. Please use a current one.";
      this.enter("failed");
    }
  }

  stop(): void {
    this.release();
    this.unlisten.abort();
    this.observed.state = "idle";
  }

  /** The session or the ticket that the playlists' own URLs name; null while there is none. */
  get pass(): string | null {
    const url = this.hls?.levels[this.hls.currentLevel]?.details?.url ?? "";
    return /\/~([^/]+)\//.exec(url)?.[1] ?? null;
  }

  /** Reads what only polling can tell; called a few times a second. */
  refresh(): void {
    const { observed, video, hls } = this;
    observed.currentTime = video.currentTime;
    observed.bufferSeconds = bufferedAhead(video);
    observed.droppedFrames = video.getVideoPlaybackQuality?.().droppedVideoFrames ?? 0;
    if (!hls) return;
    observed.level = hls.currentLevel;
    observed.behindLiveSeconds = hls.latency > 0 ? hls.latency : null;
    const details = hls.levels[hls.currentLevel]?.details;
    if (!details) return;
    const shown = details.fragments.find((f) => f && video.currentTime < f.start + f.duration)?.sn;
    observed.position = { first: details.startSN, last: details.endSN, shown: typeof shown === "number" ? shown : details.endSN };
  }

  private openHls(): void {
    this.observed.engine = "hls.js";
    const hls = new Hls({
      workerPath,
      manifestLoadPolicy: patient(4),
      playlistLoadPolicy: patient(6),
      // A dead node is passed over within two seconds; hls.js by itself may wait for eight, longer than a live buffer lasts.
      fragLoadPolicy: patient(40, 500),
      backBufferLength: 60,
    });
    this.hls = hls;
    hls.on(Hls.Events.MANIFEST_PARSED, (_, data) => {
      this.observed.levels = data.levels.map((l) => ({ height: l.height, bitrate: l.bitrate }));
      void this.play();
    });
    // What is listed counts until the first picture.
    hls.on(Hls.Events.LEVEL_LOADED, (_, { details }) => {
      if (!this.hasPlayed) this.observed.isSlate = details.fragments.some((f) => isSlate(f.url));
    });
    hls.on(Hls.Events.FRAG_CHANGED, (_, { frag }) => (this.observed.isSlate = isSlate(frag.url)));
    hls.on(Hls.Events.FRAG_LOADED, (_, data) => this.noteFragment(data));
    hls.on(Hls.Events.ERROR, (_, data) => this.noteError(data));
    hls.loadSource(this.url);
    hls.attachMedia(this.video);
  }

  private openNative(): void {
    this.observed.engine = "native";
    this.video.src = this.url;
    void this.play();
  }

  /** Browsers start video by themselves only without sound; the viewer turns it on. */
  private async play(): Promise<void> {
    try {
      await this.video.play();
    } catch (cause) {
      if ((cause as DOMException).name !== "NotAllowedError") return;
      this.video.muted = true;
      await this.video.play().catch(() => this.enter("paused"));
    }
  }

  private noteFragment({ frag, networkDetails }: FragLoadedData): void {
    if (typeof frag.sn !== "number") return; // an init section
    const { start, first, end } = frag.stats.loading;
    const served = servedBy(frag.url, networkDetails);
    this.observed.addFragment({
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
    if (this.observed.state === "reconnecting") this.enter(this.video.paused ? "paused" : "playing");
    this.onChange();
  }

  private noteError(data: ErrorData): void {
    const status = data.response?.code || null;
    const text = inWords(data.details, status, problemOf(data.response?.data ?? responseText(data.networkDetails)));
    const at = Math.round(performance.now());
    this.observed.addError({ at, type: data.type, details: data.details, fatal: data.fatal, status, text, bufferSeconds: bufferedAhead(this.video) });
    if (data.fatal) this.recover(data, status, text);
    this.onChange();
  }

  private recover(data: ErrorData, status: number | null, text: string): void {
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && data.details !== "manifestIncompatibleCodecsError") {
      this.hls?.recoverMediaError();
      return;
    }
    if (data.details === "manifestIncompatibleCodecsError") {
      this.observed.message = text;
      this.enter("failed");
      return;
    }
    if (status === 403 && /^(manifest|level|audioTrack)Load/.test(data.details)) {
      this.release();
      this.enter("idle");
      return this.onRefused();
    }
    this.observed.message = `${text} Trying again.`;
    this.enter("reconnecting");
    clearTimeout(this.retryTimer);
    // A playlist or segment that could not be loaded is asked for again, and the last picture stays; all else opens the channel anew.
    const canGoOn = data.type === Hls.ErrorTypes.NETWORK_ERROR && /^(level|audioTrack|frag|key)Load(Error|TimeOut)$/.test(data.details);
    this.retryTimer = window.setTimeout(() => {
      if (canGoOn && this.hls) return this.hls.startLoad();
      this.hls?.destroy();
      this.openHls();
    }, this.retryMs);
    this.retryMs = Math.min(this.retryMs * 2, kLongestRetryMs);
  }

  private followVideo(): void {
    const on = (event: keyof HTMLVideoElementEventMap, act: () => void) =>
      this.video.addEventListener(event, act, { signal: this.unlisten.signal });
    const now = () => Math.round(performance.now());
    on("playing", () => {
      this.hasPlayed = true;
      this.observed.endStall(now());
      this.observed.message = null;
      this.enter("playing");
    });
    on("pause", () => this.enter("paused"));
    on("waiting", () => {
      if (!this.hasPlayed || this.video.seeking) return;
      this.observed.beginStall(now(), bufferedAhead(this.video));
      if (this.observed.state !== "reconnecting") this.enter("stalled");
    });
    on("error", () => {
      if (this.observed.engine !== "native") return;
      this.observed.message = "The browser could not play this channel. Trying again.";
      this.enter("reconnecting");
      clearTimeout(this.retryTimer);
      this.retryTimer = window.setTimeout(() => this.openNative(), this.retryMs);
      this.retryMs = Math.min(this.retryMs * 2, kLongestRetryMs);
    });
  }

  private enter(state: Observed["state"]): void {
    this.observed.state = state;
    this.onChange();
  }

  private release(): void {
    clearTimeout(this.retryTimer);
    this.hls?.destroy();
    this.hls = null;
    if (this.observed.engine === "native") this.video.removeAttribute("src");
  }
}

/** Whether a segment is of the waiting room that the balancer shows instead of the programme. */
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
