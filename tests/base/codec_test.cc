#include "base/codec.h"

#include <catch2/catch.hpp>

#include <limits>
#include <random>

namespace pfs {

TEST_CASE("a record reads back field by field", "[base]") {
  Encoder encoder;
  encoder.u8(1).u16(2).u24(3).u32(4).u40(5).u64(6).varint(7).signed_varint(-8).bytes("nine").raw("ten");
  Decoder decoder(encoder.str());
  CHECK(decoder.u8() == 1);
  CHECK(decoder.u16() == 2);
  CHECK(decoder.u24() == 3);
  CHECK(decoder.u32() == 4);
  CHECK(decoder.u40() == 5);
  CHECK(decoder.u64() == 6);
  CHECK(decoder.varint() == 7);
  CHECK(decoder.signed_varint() == -8);
  CHECK(decoder.bytes() == "nine");
  CHECK(decoder.left() == 3);
  CHECK(decoder.raw(3) == "ten");
  CHECK(decoder.finish("record"));
}

TEST_CASE("integers read back at the ends of their ranges", "[base]") {
  constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, kMax - 1, kMax}) {
    CHECK(Decoder(Encoder().varint(value).str()).varint() == value);
    CHECK(Decoder(Encoder().u64(value).str()).u64() == value);
  }
  for (const std::int64_t value : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1},
                                   std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    CHECK(Decoder(Encoder().signed_varint(value).str()).signed_varint() == value);
  }
  CHECK(Encoder().signed_varint(-1).size() == 1);
}

TEST_CASE("fixed integers sort as bytes as they do as numbers", "[base]") {
  CHECK(Encoder().u64(255).str() < Encoder().u64(256).str());
  CHECK(Encoder().u32(1).str() < Encoder().u32(0x01000000).str());
}

TEST_CASE("a field that does not fit makes the decoder fail for good", "[base]") {
  Decoder decoder(std::string_view("\x05yes", 4));
  CHECK(decoder.bytes().empty());
  CHECK_FALSE(decoder.ok());
  CHECK(decoder.u8() == 0);
  CHECK(decoder.left() == 0);
  CHECK(decoder.finish("record").error().code == Code::kCorrupt);
}

TEST_CASE("bytes left over are damage", "[base]") {
  Decoder decoder("ab");
  decoder.u8();
  CHECK(decoder.finish("record").error().code == Code::kCorrupt);
}

TEST_CASE("a varint over 64 bits is damage", "[base]") {
  CHECK(Decoder(std::string(9, '\xff') + '\x01').varint() == std::numeric_limits<std::uint64_t>::max());
  Decoder too_big(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10));
  CHECK(too_big.varint() == 0);
  CHECK_FALSE(too_big.ok());
  Decoder endless("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
  endless.varint();
  CHECK_FALSE(endless.ok());
}

TEST_CASE("bytes that nobody wrote are read without harm", "[base]") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 5000; ++round) {
    std::string bytes(random() % 40, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random());
    Decoder decoder(bytes);
    std::size_t before = decoder.left();
    while (decoder.ok() && decoder.left() > 0) {
      switch (random() % 6) {
        case 0: decoder.u8(); break;
        case 1: decoder.u24(); break;
        case 2: decoder.u64(); break;
        case 3: decoder.varint(); break;
        case 4: decoder.signed_varint(); break;
        default: decoder.bytes(); break;
      }
      REQUIRE(decoder.left() < before);
      before = decoder.left();
    }
    CHECK(decoder.finish("record").has_value() == decoder.ok());
  }
}

}  // namespace pfs
