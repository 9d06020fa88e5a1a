#include "web/web_role.h"

#include <memory>
#include <mutex>
#include <string>

#include "net/server/gzip.h"
#include "web/site.h"

namespace tribune::web {
namespace {

constexpr std::string_view kComponent = "web";

struct WebSettings {
  std::string folder = "web/dist";
};

const config::Section<WebSettings>& web_section() {
  static const auto section =
      config::Section<WebSettings>(
          "web", "The role that serves the viewer page, and /api/docs with the description of the API.")
          .text("folder", &WebSettings::folder,
                "Directory with the built pages: every file in it is read into memory at the start and on SIGHUP. The "
                "path is relative to the working directory of the process.",
                config::check_not_empty, "not empty");
  return section;
}

/// Any thread for the handlers and describe(); the rest on the main thread.
class WebRole final : public runtime::Role {
 public:
  WebRole(const config::Settings& settings, runtime::Services& services)
      : folder_(settings.get<WebSettings>(kComponent).folder), log_(services.log) {}

  std::string_view name() const override { return kComponent; }

  std::vector<runtime::Route> front_routes() override {
    const auto serve = [this](runtime::Worker&, std::unique_ptr<net::Exchange> exchange, const http::PathParameters&) {
      exchange->reply(current()->answer(exchange->request()));
    };
    return {{{http::Method::get}, "/", serve}, {{http::Method::get}, "/{path...}", serve}};
  }

  base::Status start() override { return load(folder_); }

  base::Status reload(const config::Settings& settings) override {
    const auto& folder = settings.get<WebSettings>(kComponent).folder;
    if (auto loaded = load(folder); !loaded) return loaded;
    folder_ = folder;
    return {};
  }

  base::Status ready() const override { return {}; }

  void describe(base::json::Writer& out) const override {
    const auto site = current();
    out.member("files", std::uint64_t{site ? site->files() : 0})
        .member("bytes", std::uint64_t{site ? site->bytes() : 0});
  }

 private:
  std::shared_ptr<const Site> current() const {
    const std::lock_guard lock(mutex_);
    return site_;
  }

  base::Status load(const std::string& folder) {
    auto loaded = Site::load(folder, net::gzip);
    if (!loaded) return tl::unexpected(loaded.error());
    log_.info(kComponent, "page_loaded",
              {{"folder", folder}, {"files", (*loaded)->files()}, {"bytes", (*loaded)->bytes()}});
    const std::lock_guard lock(mutex_);
    site_.swap(*loaded);
    return {};
  }

  std::string folder_;
  base::Log& log_;
  mutable std::mutex mutex_;  // guards site_
  std::shared_ptr<const Site> site_;
};

}  // namespace

const std::string& folder_of(const config::Settings& settings) { return settings.get<WebSettings>(kComponent).folder; }

const runtime::RoleType& role_type() {
  static const runtime::RoleType type{
      kComponent,
      [](config::Schema& schema) { schema.add(web_section(), config::Presence::optional); },
      [](const config::Settings& settings, runtime::Services& services) -> std::unique_ptr<runtime::Role> {
        return std::make_unique<WebRole>(settings, services);
      },
  };
  return type;
}

}  // namespace tribune::web
