// Shown over the player while the viewer waits: the number of people ahead, the estimated waiting time, and when the page polls next.

import type { ComponentChildren } from "preact";
import type { AccessState } from "../access/access_client";
import { formatWaitingTime } from "./format";

const formatTime = (at: number): string => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const secondsUntil = (at: number): number => Math.max(0, Math.ceil((at - Date.now()) / 1000));

/** `isInPlayer`: the player shows the slate, so the waiting room covers only its lower edge. */
export function WaitingRoom({ access, isInPlayer }: { access: AccessState; isInPlayer: boolean }) {
  return (
    <div class={isInPlayer ? "room low" : "room"} role="status" aria-label="Waiting room">
      {access.state === "full" ? <Full access={access} /> : access.state === "refused" ? <Refused access={access} /> : <Queued access={access} isInPlayer={isInPlayer} />}
      {access.text && access.state !== "refused" && <p class="bad">{access.text}</p>}
    </div>
  );
}

function Queued({ access, isInPlayer }: { access: AccessState; isInPlayer: boolean }) {
  const { place, opensAt } = access;
  if (!place) return <p class="room-line">{isInPlayer ? "You are in the queue. The programme starts here when it is your turn." : "Loading your place …"}</p>;
  const progress = access.aheadAtFirst > 0 ? 1 - place.ahead / access.aheadAtFirst : place.ahead === 0 ? 1 : 0;
  return (
    <>
      <p class="room-title">You are in the queue</p>
      <p class="room-ahead">
        {place.ahead === 0 ? <b>You are next</b> : <><b>{place.ahead.toLocaleString("en")}</b> {place.ahead === 1 ? "person is" : "people are"} before you</>}
      </p>
      <progress value={progress} max={1} aria-label="Progress through the queue" />
      <dl>
        <Fact name="Your position">{(place.ahead + 1).toLocaleString("en")}</Fact>
        {opensAt === null ? <Fact name="Waiting time">{formatWaitingTime(place.etaSeconds)}</Fact> : <Fact name="Opens at">{formatTime(opensAt)}</Fact>}
        <Fact name="Next look">{Number.isFinite(access.nextAt) ? `in ${secondsUntil(access.nextAt)} s` : "your turn"}</Fact>
      </dl>
      <p class="room-line">
        {opensAt === null ? "The programme starts here when it is your turn. Keep this page open." : "The places of all viewers who are here before then are drawn by lot."}
      </p>
    </>
  );
}

function Full({ access }: { access: AccessState }) {
  return (
    <>
      <p class="room-title">The queue is full</p>
      <p class="room-ahead">
        Come back at <b>{formatTime(access.comeBackAt ?? Date.now())}</b>
      </p>
      <p class="room-line">This page tries again in {secondsUntil(access.nextAt)} s.</p>
    </>
  );
}

function Refused({ access }: { access: AccessState }) {
  return (
    <>
      <p class="room-title">You cannot watch now</p>
      <p class="room-ahead">{access.text}</p>
      <p class="room-line">This page tries again in {secondsUntil(access.nextAt)} s.</p>
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
