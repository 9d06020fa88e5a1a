import type { Channel } from "../api";

interface Properties {
  channels: Channel[] | null;
  chosen: Channel | null;
  problem: string | null;
  onChoose: (channel: Channel) => void;
}

export function ChannelList({ channels, chosen, problem, onChoose }: Properties) {
  return (
    <section class="panel" aria-labelledby="channels">
      <h2 id="channels">Channels</h2>
      {problem && <p class="note bad">{problem}</p>}
      {!channels && !problem && <p class="note">Loading the channels …</p>}
      <ul class="channels">
        {channels?.map((channel) => (
          <li key={channel.id}>
            <button type="button" disabled={channel.isLocked} aria-pressed={channel.id === chosen?.id} onClick={() => onChoose(channel)}>
              <b>{channel.title}</b>
              <small>{channel.isLocked ? "Paid: for accounts that have bought it" : channel.now || channel.id}</small>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
