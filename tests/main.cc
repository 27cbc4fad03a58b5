#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include <spdlog/spdlog.h>

int main(int argc, char** argv) {
  // what a test provokes on purpose is not worth a line
  spdlog::set_level(spdlog::level::critical);
  return Catch::Session().run(argc, argv);
}
