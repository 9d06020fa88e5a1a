import type { RefObject } from "preact";
import type { AccessState } from "../access/access_client";
import type { PlaybackStats } from "../player/playback_stats";
import { formatQuality } from "./format";
import { WaitingRoom } from "./waiting_room";

interface Properties {
  video: RefObject<HTMLVideoElement>;
  stats: PlaybackStats;
  access: AccessState | null;
  title: string | null;
  problem: string | null;
}

export function PlayerView({ video, stats, access, title, problem }: Properties) {
  const isWaiting = access !== null && (access.state === "queued" || access.state === "full" || access.state === "refused");
  const isReconnecting = stats.state === "reconnecting";
  const isLoading = access?.state === "asking" || stats.state === "loading" || stats.state === "stalled";
  const message = problem ?? stats.message ?? (stats.state === "stalled" ? "Waiting for data …" : null);
  const isMuted = video.current?.muted && stats.state === "playing";
  const unmute = () => {
    if (video.current) video.current.muted = false;
  };
  return (
    <section class="player" aria-label="Player">
      <div class="screen">
        <video ref={video} controls={!isWaiting} playsInline muted autoPlay />
        {isReconnecting && !isWaiting && (
          <div class="outage" role="alert">
            <div class="spinner" aria-hidden="true" />
            <p>The programme is interrupted. It continues here without a reload.</p>
          </div>
        )}
        {isLoading && !isWaiting && <div class="spinner" aria-hidden="true" />}
        {isMuted && (
          <button type="button" class="unmute" onClick={unmute}>
            Sound on
          </button>
        )}
        {isWaiting && <WaitingRoom access={access} isInPlayer={stats.isSlate} />}
        {message && !isWaiting && !isReconnecting && (
          <p class="message" role="alert">
            {message}
          </p>
        )}
      </div>
      <div class="caption">
        <h1>{title ?? "No channel"}</h1>
        <span>{formatQuality(stats)}</span>
      </div>
    </section>
  );
}
