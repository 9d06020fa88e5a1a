// Error messages for viewers, from the errors of hls.js and the problem documents of the server.

export interface PlayerError {
  at: number; // ms since the page opened
  type: string;
  details: string;
  fatal: boolean;
  status: number | null;
  text: string;
  bufferSeconds: number; // left in the buffer
}

const messages: Record<string, string> = {
  manifestLoadError: "The channel's playlist could not be loaded",
  manifestLoadTimeOut: "The channel's playlist did not arrive in time",
  manifestParsingError: "The channel's playlist cannot be read",
  manifestIncompatibleCodecsError: "This browser cannot decode any quality of the channel",
  levelLoadError: "A playlist of this quality could not be loaded",
  levelLoadTimeOut: "A playlist of this quality did not arrive in time",
  levelParsingError: "A playlist of this quality cannot be read",
  levelEmptyError: "A playlist of this quality is empty",
  audioTrackLoadError: "A playlist of the sound track could not be loaded",
  audioTrackLoadTimeOut: "A playlist of the sound track did not arrive in time",
  fragLoadError: "A segment could not be loaded",
  fragLoadTimeOut: "A segment did not arrive in time",
  fragParsingError: "A segment is damaged",
  keyLoadError: "A decryption key could not be loaded",
  bufferAppendError: "The browser did not accept a segment",
  bufferStalledError: "The picture is waiting for data",
  bufferSeekOverHole: "A gap in the stream was skipped",
  bufferNudgeOnStall: "The picture had stopped and was moved on",
};

/** One sentence. `problem`: the server's explanation (RFC 9457), if any. */
export function errorMessage(details: string, status: number | null, problem: string | null): string {
  const known = messages[details] ?? `Playback reported "${details}"`;
  if (problem) return `${known}: ${problem.replace(/\.$/, "")}.`;
  if (status) return `${known} (status ${status}).`;
  return `${known}.`;
}

/** The `detail` or `title` of a problem document. */
export function problemDetail(body: unknown): string | null {
  if (typeof body !== "string" || !body.startsWith("{")) return null;
  try {
    const problem = JSON.parse(body) as { detail?: string; title?: string };
    return problem.detail ?? problem.title ?? null;
  } catch {
    return null;
  }
}
