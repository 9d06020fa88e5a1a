#include "base/ed25519.h"

#include <doctest/doctest.h>

#include "base/encoding.h"
#include "base/keyed_hash.h"

using namespace tribune::base;

namespace {

/// RFC 8032 section 7.1.
struct Vector {
  const char* name;
  const char* seed;
  const char* public_key;
  const char* message;
  const char* signature;
};

constexpr Vector kVectors[] = {
    {"test 1", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
     "655141438e7a100b"},
    {"test 2", "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
     "b00d291612bb0c00"},
    {"test 3", "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
     "c027beceea1ec40a"},
    {"test SHA(abc)", "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e"
     "2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17a"
     "d9bef1177331a704"},
};

std::string bytes(const char* hex) { return *from_hex(hex); }

PrivateSigningKey sample_key() { return *PrivateSigningKey::from_seed(std::string(kSeedBytes, 's')); }

}  // namespace

TEST_CASE("the vectors of RFC 8032 are signed and verified") {
  for (const auto& vector : kVectors) {
    CAPTURE(vector.name);
    const auto key = PrivateSigningKey::from_seed(bytes(vector.seed));
    REQUIRE(key);
    CHECK(to_hex(key->public_key()) == vector.public_key);
    CHECK(to_hex(key->sign(bytes(vector.message))) == vector.signature);
    CHECK(is_public_key(bytes(vector.public_key)));
    CHECK(verify_signature(bytes(vector.public_key), bytes(vector.message), bytes(vector.signature)));
  }
}

TEST_CASE("a signature is valid for its own message, key and bits only") {
  const auto key = sample_key();
  const auto signature = key.sign("message");
  CHECK(verify_signature(key.public_key(), "message", signature));
  CHECK_FALSE(verify_signature(key.public_key(), "messagf", signature));
  CHECK_FALSE(verify_signature(key.public_key(), "", signature));
  CHECK_FALSE(verify_signature(bytes(kVectors[0].public_key), "message", signature));
  for (std::size_t bit = 0; bit < kSignatureBytes * 8; ++bit) {
    auto changed = signature;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    CHECK_FALSE(verify_signature(key.public_key(), "message", changed));
  }
}

TEST_CASE("signatures and keys of another length are refused") {
  const auto key = sample_key();
  const auto signature = key.sign("message");
  CHECK_FALSE(verify_signature(key.public_key(), "message", signature.substr(1)));
  CHECK_FALSE(verify_signature(key.public_key(), "message", signature + '\0'));
  CHECK_FALSE(verify_signature(key.public_key().substr(1), "message", signature));
  CHECK_FALSE(verify_signature(key.public_key() + '\0', "message", signature));
  CHECK_FALSE(verify_signature("", "message", ""));
  CHECK_FALSE(is_public_key(""));
  CHECK_FALSE(is_public_key(key.public_key() + '\0'));
  CHECK_FALSE(PrivateSigningKey::from_seed("short"));
  CHECK_FALSE(PrivateSigningKey::from_seed(std::string(kSeedBytes + 1, 's')));
}

TEST_CASE("a signature whose S is not below the order of the group is refused") {
  // S + L is the same number modulo L: without the check each signature would have a second form.
  const std::string order = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  const auto key = sample_key();
  auto signature = key.sign("message");
  unsigned carry = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    carry += static_cast<unsigned char>(signature[32 + i]) + static_cast<unsigned char>(order[i]);
    signature[32 + i] = static_cast<char>(carry & 0xff);
    carry >>= 8;
  }
  CHECK(carry == 0);
  CHECK_FALSE(verify_signature(key.public_key(), "message", signature));
}

TEST_CASE("points of small order and non-canonical points are no keys, and verify nothing") {
  for (const char* point : {
           "0100000000000000000000000000000000000000000000000000000000000000",  // the neutral element
           "0000000000000000000000000000000000000000000000000000000000000000",  // of order 4
           "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // of order 2
           "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",  // of order 8
           "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // the neutral element, not canonical
           "0200000000000000000000000000000000000000000000000000000000000000",  // not on the curve
       }) {
    CAPTURE(point);
    CHECK_FALSE(is_public_key(bytes(point)));
    // With a neutral key, R = S·B with S = 0 would satisfy the equation for every message.
    const auto neutral = bytes("0100000000000000000000000000000000000000000000000000000000000000");
    CHECK_FALSE(verify_signature(bytes(point), "message", neutral + std::string(32, '\0')));
  }
}

TEST_CASE("a key can be moved, and signs as before") {
  auto first = sample_key();
  const auto signature = first.sign("message");
  auto second = std::move(first);
  CHECK(second.sign("message") == signature);
  auto third = *PrivateSigningKey::from_seed(generate_seed());
  third = std::move(second);
  CHECK(third.sign("message") == signature);
  CHECK(third.public_key() == sample_key().public_key());
}

TEST_CASE("generated seeds have the size of a seed and differ") {
  CHECK(generate_seed().size() == kSeedBytes);
  CHECK(generate_seed() != generate_seed());
}

TEST_CASE("a derived secret depends on the seed, the context and the number") {
  const std::string seed(kSeedBytes, 's');
  const auto secret = derive_secret(seed, "tribunex", 1);
  CHECK(secret.size() == 32);
  CHECK(secret == derive_secret(seed, "tribunex", 1));
  CHECK(secret != derive_secret(seed, "tribunex", 2));
  CHECK(secret != derive_secret(seed, "tribuney", 1));
  CHECK(secret != derive_secret(std::string(kSeedBytes, 't'), "tribunex", 1));
  CHECK(secret != seed);
  CHECK(derive_secret("short", "tribunex", 1).empty());
}

TEST_CASE("a keyed hash depends on the text and on the object") {
  const KeyedHash one, two;
  CHECK(one("text") == one("text"));
  CHECK(one("text") != one("texu"));
  CHECK(one("") != one(std::string_view("\0", 1)));
  CHECK(one("text") != two("text"));
}
