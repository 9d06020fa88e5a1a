// A worker that posts a message every 500 ms. Browsers slow the timers of a hidden page down to one per minute, which is too slow to renew a
// ticket; the timers of a worker are not slowed down.

setInterval(() => postMessage(null), 500);

export {};
