#pragma once

#include <string>

#include <CLI/App.hpp>

namespace pfs::cli {

/// pfs(1), made of the grammar, as roff. Source: man(7).
std::string manual_page(const CLI::App& app, const std::string& version);

}  // namespace pfs::cli
