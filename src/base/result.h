#pragma once

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/error.h"

namespace pfs {

/// A value or an Error; the one way in which functions of ours fail.
///
/// The member names are those of std::expected, so that it can take this type's place once every
/// supported compiler has it. Not thread-safe, as any value.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(const T& value) : state_(std::in_place_index<0>, value) {}          // NOLINT(google-explicit-constructor)
  Result(T&& value) : state_(std::in_place_index<0>, std::move(value)) {}    // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)
  template <class U>
    requires(std::is_convertible_v<U &&, T> && !std::is_same_v<std::remove_cvref_t<U>, T> &&
             !std::is_same_v<std::remove_cvref_t<U>, Error> &&
             !std::is_same_v<std::remove_cvref_t<U>, Result<T>>)
  Result(U&& value)  // NOLINT(google-explicit-constructor): a shared_ptr<Derived> is a shared_ptr<Base>
      : state_(std::in_place_index<0>, std::forward<U>(value)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  Error& error() & { return std::get<1>(state_); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

  template <class U>
  T value_or(U&& other) const& {
    return has_value() ? value() : static_cast<T>(std::forward<U>(other));
  }

  /// `f(value)`, which returns a Result, or this error.
  template <class F>
  auto and_then(F&& f) && -> std::invoke_result_t<F, T&&> {
    if (has_value()) return std::invoke(std::forward<F>(f), std::move(*this).value());
    return std::move(*this).error();
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool has_value() const { return !error_; }
  explicit operator bool() const { return has_value(); }

  Error& error() & { return *error_; }
  const Error& error() const& { return *error_; }
  Error&& error() && { return *std::move(error_); }

 private:
  std::optional<Error> error_;
};

}  // namespace pfs

#define PFS_CONCAT_INNER(a, b) a##b
#define PFS_CONCAT(a, b) PFS_CONCAT_INNER(a, b)

/// Returns the expression's error to our caller, if it failed.
#define PFS_TRY(expression)                                                           \
  do {                                                                                \
    if (auto pfs_try_result = (expression); !pfs_try_result) {                        \
      return std::move(pfs_try_result).error();                                       \
    }                                                                                 \
  } while (false)

/// `PFS_TRY_ASSIGN(auto x, f())`: the value of the expression, or its error to our caller.
#define PFS_TRY_ASSIGN(declaration, expression) \
  PFS_TRY_ASSIGN_INNER(PFS_CONCAT(pfs_result_, __LINE__), declaration, expression)
#define PFS_TRY_ASSIGN_INNER(result, declaration, expression) \
  auto result = (expression);                                 \
  if (!result) return std::move(result).error();              \
  declaration = std::move(result).value()
