#include "api/account_credentials.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "api/entitled_channels.h"
#include "base/bytes.h"
#include "base/ed25519.h"
#include "base/encoding.h"
#include "base/text_file.h"

namespace tribune::api {
namespace {

constexpr std::size_t kMaxKeyFileBytes = 16 * 1024;
constexpr std::size_t kVerifiedTokensPerWorker = 65'536;  // about 250 bytes each, and up to 2 KiB with channels
constexpr std::string_view kBearer = "Bearer ";

tl::unexpected<base::Error> key_file_error(std::string text) {
  return base::failure(base::ErrorKind::io, base::Fault::tribune, std::move(text));
}

/// Writes the file under another name first, so that a killed process leaves no half of it.
base::Status make_key_file(const std::string& directory, const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return key_file_error(fmt::format("cannot create {}: {}", directory, error.message()));
  const auto text = "a1 " + base::to_base64url(base::generate_seed()) + "\n";
  const auto draft = path + ".new";
  ::unlink(draft.c_str());
  const base::File file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  // WHY link(): unlike rename(), it never replaces a key.
  const bool is_written = file.fd() >= 0 &&
                          ::write(file.fd(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                          ::fsync(file.fd()) == 0 && ::link(draft.c_str(), path.c_str()) == 0;
  const int error_number = errno;
  ::unlink(draft.c_str());
  errno = error_number;
  if (!is_written) return key_file_error(fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  const base::File folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.fd() >= 0) ::fsync(folder.fd());
  return {};
}

/// One line of the file; nullopt when it is wrong.
std::optional<contracts::AccountKeySeed> seed_of_line(std::string_view line) {
  const auto space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  auto seed = base::from_base64url(line.substr(space + 1));
  if (!seed || seed->size() != base::kSeedBytes) return std::nullopt;
  return contracts::AccountKeySeed{std::string(line.substr(0, space)), std::move(*seed)};
}

std::optional<std::string_view> bearer_token(const http::Request& request) {
  const auto field = request.headers.first("Authorization");
  const bool is_bearer =
      field && field->size() > kBearer.size() && http::equals_ignoring_case(field->substr(0, kBearer.size()), kBearer);
  return is_bearer ? std::optional(field->substr(kBearer.size())) : std::nullopt;
}

}  // namespace

base::Result<std::vector<contracts::AccountKeySeed>> account_key_seeds(const std::string& directory,
                                                                       bool may_make_one) {
  const auto path = directory + "/account_keys";
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 && errno == ENOENT) {
    if (!may_make_one)
      return key_file_error(path +
                            " is missing, and there are accounts: restore it, or write a new key into it, which "
                            "logs all devices out");
    if (auto made = make_key_file(directory, path); !made) return tl::unexpected(made.error());
  }
  const auto text = base::read_text_file(path, kMaxKeyFileBytes);
  if (!text) return key_file_error(path + ": " + text.error().text);
  std::vector<contracts::AccountKeySeed> seeds;
  std::string_view rest = *text;
  for (int number = 1; !rest.empty(); ++number) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const auto line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty() || line.starts_with('#')) continue;
    auto seed = seed_of_line(line);
    if (!seed)
      return base::failure(base::ErrorKind::invalid_input, base::Fault::client,
                           fmt::format("{} line {}: expected an id and 43 characters of base64url", path, number));
    seeds.push_back(std::move(*seed));
  }
  if (const auto wrong = contracts::wrong_seeds(seeds); !wrong.empty())
    return base::failure(base::ErrorKind::invalid_input, base::Fault::client, path + ": " + wrong);
  return seeds;
}

base::Result<std::unique_ptr<AccountCredentials>> AccountCredentials::make(
    const std::vector<contracts::AccountKeySeed>& seeds, std::size_t workers) {
  auto signer = contracts::AccountTokenSigner::make(seeds);
  if (!signer) return tl::unexpected(signer.error());
  auto secrets = TokenSecrets::make(seeds);
  if (!secrets) return tl::unexpected(secrets.error());
  return std::unique_ptr<AccountCredentials>(new AccountCredentials(std::move(*signer), std::move(*secrets), workers));
}

bool names_account_token(const http::Request& request) {
  const auto token = bearer_token(request);
  return token && contracts::looks_like_account_token(*token);
}

AccountCredentials::AccountCredentials(contracts::AccountTokenSigner signer, TokenSecrets secrets, std::size_t workers)
    : signer_(std::move(signer)), secrets_(std::move(secrets)), keys_(signer_.keys()) {
  for (std::size_t i = 0; i < workers; ++i)
    verified_.push_back(std::make_unique<contracts::VerifiedTokens>(kVerifiedTokensPerWorker));
}

AccessToken AccountCredentials::access_token(accounts::AccountId account, accounts::DeviceId device,
                                             const std::vector<shop::Entitlement>& entitlements,
                                             const accounts::AccountSettings& settings, base::WallTime now) const {
  const auto issued = base::unix_seconds(now);
  const auto lifetime = std::chrono::duration_cast<std::chrono::seconds>(settings.access_lifetime);
  contracts::AccountClaims claims{account, device, issued, issued + lifetime.count()};
  set_entitled_channels(claims, entitlements);
  return {signer_.sign(claims), base::WallTime(std::chrono::seconds(claims.expires))};
}

TokenTexts AccountCredentials::tokens_for(const accounts::LoggedIn& login,
                                          const std::vector<shop::Entitlement>& entitlements,
                                          const accounts::AccountSettings& settings, base::WallTime now) const {
  const auto& device = login.device;
  TokenTexts texts;
  texts.access = access_token(device.account, device.id, entitlements, settings, now);
  texts.refresh = secrets_.write_refresh_token({device.account, device.id, device.generation});
  texts.refresh_expires = device.refreshed + settings.refresh_lifetime;
  texts.device = secrets_.write_known_device({device.account, device.id});
  return texts;
}

base::Result<std::shared_ptr<const contracts::AccountClaims>> AccountCredentials::read(const http::Request& request,
                                                                                       std::size_t worker,
                                                                                       base::WallTime now,
                                                                                       std::chrono::milliseconds skew) {
  const auto token = bearer_token(request);
  if (!token) return base::failure(base::ErrorKind::not_found, base::Fault::client, "the request has no access token");
  return verified_[worker]->read(keys_, *token, now, skew);
}

}  // namespace tribune::api
