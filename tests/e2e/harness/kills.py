"""kill -9 while clients write."""
import threading
from concurrent.futures import ThreadPoolExecutor

from .waiting import wait_until


def until_killed(program, workers, work, answers):
    """Each worker repeats `work(worker, step)` until the process is gone. It is killed as soon as they have counted `answers` steps."""
    done, lock = [0], threading.Lock()

    def one(worker):
        step = 0
        try:
            while True:
                work(worker, step)
                step += 1
                with lock:
                    done[0] += 1
        except OSError:   # refused, reset, or cut within the response
            return

    with ThreadPoolExecutor(workers) as pool:
        running = [pool.submit(one, worker) for worker in range(workers)]
        wait_until(lambda: done[0] >= answers or any(work.done() for work in running), 30, f"{answers} answers")
        program.kill()
    for work in running:
        work.result()
    assert done[0] >= answers, "the workers ended before the kill"
    program.start(within=15)


def answered(response):
    """The response if it arrived as a whole, otherwise an OSError as for one that did not arrive."""
    if not response.complete:
        raise ConnectionError("cut")
    return response
