// The only file that includes prometheus-cpp.
#include "base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <mutex>

namespace tribune::base {

void Counter::add(double by) { counter_->Increment(by); }
double Counter::value() const { return counter_->Value(); }
void Gauge::set(double value) { gauge_->Set(value); }
void Gauge::add(double by) { gauge_->Increment(by); }
double Gauge::value() const { return gauge_->Value(); }
void Histogram::observe(double value) { histogram_->Observe(value); }

struct Metrics::Inner {
  std::mutex mutex;  // guards `refreshers`; the registry has its own
  std::vector<std::function<void()>> refreshers;
  prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};
};

namespace {

prometheus::Labels labels_of(MetricLabels labels) {
  prometheus::Labels map;
  for (const auto& [name, value] : labels) map.emplace(name, value);
  return map;
}

}  // namespace

Metrics::Metrics() : inner_(std::make_unique<Inner>()) {}
Metrics::~Metrics() = default;

Counter Metrics::counter(std::string_view name, std::string_view help, MetricLabels labels) {
  auto& family = prometheus::BuildCounter().Name(std::string(name)).Help(std::string(help)).Register(inner_->registry);
  return Counter(&family.Add(labels_of(labels)));
}

Gauge Metrics::gauge(std::string_view name, std::string_view help, MetricLabels labels) {
  auto& family = prometheus::BuildGauge().Name(std::string(name)).Help(std::string(help)).Register(inner_->registry);
  return Gauge(&family.Add(labels_of(labels)));
}

Histogram Metrics::histogram(std::string_view name, std::string_view help, const std::vector<double>& upper_bounds,
                             MetricLabels labels) {
  auto& family =
      prometheus::BuildHistogram().Name(std::string(name)).Help(std::string(help)).Register(inner_->registry);
  return Histogram(&family.Add(labels_of(labels), upper_bounds));
}

void Metrics::before_scrape(std::function<void()> refresh) {
  const std::lock_guard lock(inner_->mutex);
  inner_->refreshers.push_back(std::move(refresh));
}

std::string Metrics::scrape() {
  std::vector<std::function<void()>> refreshers;
  {
    const std::lock_guard lock(inner_->mutex);
    refreshers = inner_->refreshers;
  }
  for (const auto& refresh : refreshers) refresh();
  return prometheus::TextSerializer().Serialize(inner_->registry.Collect());
}

const std::vector<double>& latency_buckets() {
  static const std::vector<double> buckets = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                              0.1,    0.25,  0.5,    1,     2.5,  5,     10};
  return buckets;
}

}  // namespace tribune::base
