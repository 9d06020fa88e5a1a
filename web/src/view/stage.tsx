import type { RefObject } from "preact";
import type { Observed } from "../player/observed";
import { quality } from "./words";

interface Properties {
  video: RefObject<HTMLVideoElement>;
  seen: Observed;
  title: string | null;
  problem: string | null;
}

export function Stage({ video, seen, title, problem }: Properties) {
  const message = problem ?? seen.message ?? (seen.state === "stalled" ? "Waiting for data …" : null);
  const muted = video.current?.muted && seen.state === "playing";
  return (
    <section class="stage" aria-label="Player">
      <div class="screen">
        <video ref={video} controls playsInline muted autoPlay />
        {(seen.state === "loading" || seen.state === "stalled") && <div class="spinner" aria-hidden="true" />}
        {muted && (
          <button type="button" class="unmute" onClick={() => (video.current!.muted = false)}>
            Sound on
          </button>
        )}
        {message && (
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
