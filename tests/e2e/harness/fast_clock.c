/* Stands before the clock and the waits of a process under test, so that its time runs faster than the machine's. TRIBUNE_TEST_CLOCK is
   "speed monotonic-ns realtime-ns": from that moment of each clock on, a second of the machine is `speed` seconds of the process. All
   processes with the same three numbers agree. CPU time is left alone, and so are waits without an end. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

static int64_t speed = 1, monotonic_base, realtime_base;

__attribute__((constructor)) static void read_settings(void) {
  const char* text = getenv("TRIBUNE_TEST_CLOCK");
  long long s = 1, m = 0, r = 0;
  if (text && sscanf(text, "%lld %lld %lld", &s, &m, &r) == 3 && s >= 1) {
    speed = s;
    monotonic_base = m;
    realtime_base = r;
  }
}

static void* next_of(const char* name) { return dlsym(RTLD_NEXT, name); }
#define NEXT(name) ((__typeof__(&name))next_of(#name))
/* Of functions that the library has in several versions, the one that programs are linked with today. */
#define NEXT_VERSION(name, version) ((__typeof__(&name))dlvsym(RTLD_NEXT, #name, version))

static int64_t ns_of(const struct timespec* t) { return t->tv_sec * SECOND + t->tv_nsec; }
static struct timespec timespec_of(int64_t ns) {
  struct timespec t = {ns / SECOND, ns % SECOND};
  return t;
}

static int is_fast(clockid_t clock) {
  return clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_BOOTTIME ||
         clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
}
static int64_t base_of(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? realtime_base : monotonic_base; }
static int64_t fast(clockid_t clock, int64_t ns) { return base_of(clock) + (ns - base_of(clock)) * speed; }
/* The machine's time at which the process's clock shows `ns`. */
static int64_t slow(clockid_t clock, int64_t ns) {
  const int64_t since = ns - base_of(clock);
  return base_of(clock) + (since >= 0 ? (since + speed - 1) / speed : since / speed);
}
static int64_t shorter(int64_t ns) { return ns <= 0 ? ns : (ns + speed - 1) / speed; }
static int shorter_ms(int ms) { return ms <= 0 ? ms : (int)((ms + speed - 1) / speed); }
/* Which clock an absolute time is of, where the call does not say: no machine runs for thirty years. */
static clockid_t clock_of(const struct timespec* t) { return t->tv_sec > 1000000000 ? CLOCK_REALTIME : CLOCK_MONOTONIC; }

static int64_t now_of(clockid_t clock) {
  struct timespec t;
  syscall(SYS_clock_gettime, clock, &t);
  return fast(clock, ns_of(&t));
}

int clock_gettime(clockid_t clock, struct timespec* out) {
  static int (*real)(clockid_t, struct timespec*);
  if (!real) real = NEXT(clock_gettime);
  const int result = real(clock, out);
  if (result == 0 && is_fast(clock)) *out = timespec_of(fast(clock, ns_of(out)));
  return result;
}

int gettimeofday(struct timeval* out, void* zone) {
  (void)zone;
  const int64_t ns = now_of(CLOCK_REALTIME);
  out->tv_sec = ns / SECOND;
  out->tv_usec = ns % SECOND / 1000;
  return 0;
}

time_t time(time_t* out) {
  const time_t now = now_of(CLOCK_REALTIME) / SECOND;
  if (out) *out = now;
  return now;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec* wanted, struct timespec* left) {
  if (!is_fast(clock)) return NEXT(clock_nanosleep)(clock, flags, wanted, left);
  const struct timespec real = timespec_of(flags & TIMER_ABSTIME ? slow(clock, ns_of(wanted)) : shorter(ns_of(wanted)));
  const int result = NEXT(clock_nanosleep)(clock, flags, &real, left);
  if (result == EINTR && left && !(flags & TIMER_ABSTIME)) *left = timespec_of(ns_of(left) * speed);
  return result;
}

int nanosleep(const struct timespec* wanted, struct timespec* left) {
  const int result = clock_nanosleep(CLOCK_MONOTONIC, 0, wanted, left);
  if (result == 0) return 0;
  errno = result;
  return -1;
}

unsigned sleep(unsigned seconds) {
  const struct timespec wanted = {seconds, 0};
  struct timespec left = {0, 0};
  return nanosleep(&wanted, &left) == 0 ? 0 : (unsigned)left.tv_sec;
}

int poll(struct pollfd* fds, nfds_t count, int ms) {
  static int (*real)(struct pollfd*, nfds_t, int);
  if (!real) real = NEXT(poll);
  return real(fds, count, shorter_ms(ms));
}

int ppoll(struct pollfd* fds, nfds_t count, const struct timespec* wanted, const sigset_t* mask) {
  if (!wanted) return NEXT(ppoll)(fds, count, NULL, mask);
  const struct timespec real = timespec_of(shorter(ns_of(wanted)));
  return NEXT(ppoll)(fds, count, &real, mask);
}

int select(int count, fd_set* readable, fd_set* writable, fd_set* failed, struct timeval* wanted) {
  if (!wanted) return NEXT(select)(count, readable, writable, failed, NULL);
  const int64_t ns = shorter(wanted->tv_sec * SECOND + wanted->tv_usec * 1000LL);
  struct timeval real = {ns / SECOND, ns % SECOND / 1000};
  return NEXT(select)(count, readable, writable, failed, &real);
}

int epoll_wait(int fd, struct epoll_event* events, int most, int ms) {
  static int (*real)(int, struct epoll_event*, int, int);
  if (!real) real = NEXT(epoll_wait);
  return real(fd, events, most, shorter_ms(ms));
}

int epoll_pwait(int fd, struct epoll_event* events, int most, int ms, const sigset_t* mask) {
  return NEXT(epoll_pwait)(fd, events, most, shorter_ms(ms), mask);
}

int epoll_pwait2(int fd, struct epoll_event* events, int most, const struct timespec* wanted, const sigset_t* mask) {
  if (!wanted) return NEXT(epoll_pwait2)(fd, events, most, NULL, mask);
  const struct timespec real = timespec_of(shorter(ns_of(wanted)));
  return NEXT(epoll_pwait2)(fd, events, most, &real, mask);
}

int timerfd_settime(int fd, int flags, const struct itimerspec* wanted, struct itimerspec* before) {
  struct itimerspec real = *wanted;
  const int64_t value = ns_of(&wanted->it_value);
  if (value) {
    const int64_t at = flags & TFD_TIMER_ABSTIME ? slow(clock_of(&wanted->it_value), value) : shorter(value);
    real.it_value = timespec_of(at > 0 ? at : 1);
  }
  real.it_interval = timespec_of(shorter(ns_of(&wanted->it_interval)));
  return NEXT(timerfd_settime)(fd, flags, &real, before);
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const struct timespec* until) {
  static int (*real)(pthread_cond_t*, pthread_mutex_t*, const struct timespec*);
  if (!real) real = NEXT_VERSION(pthread_cond_timedwait, "GLIBC_2.3.2");
  const struct timespec at = timespec_of(slow(clock_of(until), ns_of(until)));
  return real(condition, mutex, &at);
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const struct timespec* until) {
  static int (*real)(pthread_cond_t*, pthread_mutex_t*, clockid_t, const struct timespec*);
  if (!real) real = NEXT(pthread_cond_clockwait);
  const struct timespec at = timespec_of(slow(clock, ns_of(until)));
  return real(condition, mutex, clock, &at);
}

int pthread_mutex_timedlock(pthread_mutex_t* mutex, const struct timespec* until) {
  const struct timespec at = timespec_of(slow(CLOCK_REALTIME, ns_of(until)));
  return NEXT(pthread_mutex_timedlock)(mutex, &at);
}

int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const struct timespec* until) {
  const struct timespec at = timespec_of(slow(clock, ns_of(until)));
  return NEXT(pthread_mutex_clocklock)(mutex, clock, &at);
}

int sem_timedwait(sem_t* semaphore, const struct timespec* until) {
  const struct timespec at = timespec_of(slow(CLOCK_REALTIME, ns_of(until)));
  return NEXT(sem_timedwait)(semaphore, &at);
}

int sem_clockwait(sem_t* semaphore, clockid_t clock, const struct timespec* until) {
  const struct timespec at = timespec_of(slow(clock, ns_of(until)));
  return NEXT(sem_clockwait)(semaphore, clock, &at);
}
