import type { RefObject } from "preact";
import type { Door } from "../access/turnstile";
import type { Observed } from "../player/observed";
import { WaitingRoom } from "./waiting_room";
import { quality } from "./words";

interface Properties {
  video: RefObject<HTMLVideoElement>;
  seen: Observed;
  door: Door | null;
  title: string | null;
  problem: string | null;
}

export function Stage({ video, seen, door, title, problem }: Properties) {
  const isOutside = door !== null && (door.state === "queued" || door.state === "full" || door.state === "refused");
  const isAway = seen.state === "reconnecting";
  const isLoading = door?.state === "asking" || seen.state === "loading" || seen.state === "stalled";
  const message = problem ?? seen.message ?? (seen.state === "stalled" ? "Waiting for data …" : null);
  const muted = video.current?.muted && seen.state === "playing";
  return (
    <section class="stage" aria-label="Player">
      <div class="screen">
        <video ref={video} controls={!isOutside} playsInline muted autoPlay />
        {isAway && !isOutside && (
          <div class="outage" role="alert">
            <div class="spinner" aria-hidden="true" />
            <p>The programme is interrupted. It goes on here by itself.</p>
          </div>
        )}
        {isLoading && !isOutside && <div class="spinner" aria-hidden="true" />}
        {muted && (
          <button type="button" class="unmute" onClick={() => (video.current!.muted = false)}>
            Sound on
          </button>
        )}
        {isOutside && <WaitingRoom door={door} isInPlayer={seen.isSlate} />}
        {message && !isOutside && !isAway && (
          <p class="message" role="alert">
            {message}
          </p>
        )}
      </div>
      <div class="caption">
        <h1>{title ?? "No channel"}</h1>
        <span>{quality(seen)}</span>
      </div>
    </section>
  );
}
