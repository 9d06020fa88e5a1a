// A worker that ticks. Browsers slow the timers of a hidden page down to one a minute, too slow to keep a place in a queue; a worker's go on.

setInterval(() => postMessage(null), 500);

export {};
