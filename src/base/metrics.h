#pragma once
// Counters, gauges and histograms, exported as Prometheus text. A user obtains a handle from the registry once, at
// construction. Names follow Prometheus: `tribune_<component>_<what>_<unit>[_total]`; labels have few values and never
// one that a client chooses.

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace tribune::base {

/// A handle; any thread.
class Counter {
 public:
  explicit Counter(prometheus::Counter* c) : counter_(c) {}
  void add(double by = 1);
  double value() const;

 private:
  prometheus::Counter* counter_;
};

/// A handle; any thread.
class Gauge {
 public:
  explicit Gauge(prometheus::Gauge* g) : gauge_(g) {}
  void set(double value);
  void add(double by);
  double value() const;

 private:
  prometheus::Gauge* gauge_;
};

/// A handle; any thread.
class Histogram {
 public:
  explicit Histogram(prometheus::Histogram* h) : histogram_(h) {}
  void observe(double value);

 private:
  prometheus::Histogram* histogram_;
};

using MetricLabels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/// Any thread; locks inside. The same name and labels return the same metric.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Counter counter(std::string_view name, std::string_view help, MetricLabels labels = {});
  Gauge gauge(std::string_view name, std::string_view help, MetricLabels labels = {});
  Histogram histogram(std::string_view name, std::string_view help, const std::vector<double>& upper_bounds,
                      MetricLabels labels = {});

  /// Called before each scrape, to set gauges that are cheaper to read than to maintain. Callbacks are never removed:
  /// capture only objects that live as long as the registry.
  void before_scrape(std::function<void()> refresh);

  /// The exposition text (content type `text/plain; version=0.0.4`).
  std::string scrape();

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

/// 0.5 ms to 10 s, for request and fill durations, in seconds.
const std::vector<double>& latency_buckets();

}  // namespace tribune::base
