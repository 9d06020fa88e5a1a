// Over the stage while the viewer waits: how many are before, how long that may take, and when this page looks again.

import type { ComponentChildren } from "preact";
import { waitInWords } from "../access/queue";
import type { Door } from "../access/turnstile";

const clock = (at: number): string => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const inSeconds = (at: number): number => Math.max(0, Math.ceil((at - Date.now()) / 1000));

/** `isInPlayer`: the slate runs behind it, so the room takes only the lower edge. */
export function WaitingRoom({ door, isInPlayer }: { door: Door; isInPlayer: boolean }) {
  return (
    <div class={isInPlayer ? "room low" : "room"} role="status" aria-label="Waiting room">
      {door.state === "full" ? <Full door={door} /> : door.state === "refused" ? <Refused door={door} /> : <Queued door={door} isInPlayer={isInPlayer} />}
      {door.text && door.state !== "refused" && <p class="bad">{door.text}</p>}
    </div>
  );
}

function Queued({ door, isInPlayer }: { door: Door; isInPlayer: boolean }) {
  const { place, opensAt } = door;
  if (!place) return <p class="room-line">{isInPlayer ? "You are in the queue. The programme starts here by itself." : "Asking for your place …"}</p>;
  const done = door.aheadAtFirst > 0 ? 1 - place.ahead / door.aheadAtFirst : place.ahead === 0 ? 1 : 0;
  return (
    <>
      <p class="room-title">You are in the queue</p>
      <p class="room-ahead">
        {place.ahead === 0 ? <b>You are next</b> : <><b>{place.ahead.toLocaleString("en")}</b> {place.ahead === 1 ? "person is" : "people are"} before you</>}
      </p>
      <progress value={done} max={1} aria-label="Way through the queue" />
      <dl>
        <Fact name="Your position">{(place.ahead + 1).toLocaleString("en")}</Fact>
        {opensAt === null ? <Fact name="Waiting time">{waitInWords(place.etaSeconds)}</Fact> : <Fact name="Opens at">{clock(opensAt)}</Fact>}
        <Fact name="Next look">{Number.isFinite(door.nextAt) ? `in ${inSeconds(door.nextAt)} s` : "your turn"}</Fact>
      </dl>
      <p class="room-line">
        {opensAt === null ? "The programme starts here by itself. Keep this page open." : "Everybody who is here by then gets a place by lot."}
      </p>
    </>
  );
}

function Full({ door }: { door: Door }) {
  return (
    <>
      <p class="room-title">The queue is full</p>
      <p class="room-ahead">
        Come back at <b>{clock(door.comeBackAt ?? Date.now())}</b>
      </p>
      <p class="room-line">This page asks again by itself in {inSeconds(door.nextAt)} s.</p>
    </>
  );
}

function Refused({ door }: { door: Door }) {
  return (
    <>
      <p class="room-title">You cannot watch now</p>
      <p class="room-ahead">{door.text}</p>
      <p class="room-line">This page asks again in {inSeconds(door.nextAt)} s.</p>
    </>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
