#pragma once

#include <wick/core/check.h>
#include <wick/nn/module.h>
#include <iosfwd>
#include <memory>
#include <type_traits>
#include <utility>

namespace wick::nn {

/// A shared_ptr to a module that is called like a function and copied like a reference. WICK_MODULE
/// makes one for each module class. `Net net = nullptr;` is empty; using it throws ValueError.
template <class Contained>
class ModuleHolder {
 public:
  using ContainedType = Contained;

  ModuleHolder() : impl_(make_default()) {}
  ModuleHolder(std::nullptr_t) {}  // NOLINT: implicit, as in LibTorch
  ModuleHolder(std::shared_ptr<Contained> module) : impl_(std::move(module)) {}  // NOLINT
  /// Forwards to the constructor of the module.
  template <class Head, class... Tail>
  requires(!(std::is_base_of_v<ModuleHolder, std::remove_cvref_t<Head>> && sizeof...(Tail) == 0) &&
           !std::is_convertible_v<Head, std::shared_ptr<Contained>> &&
           !std::is_same_v<std::remove_cvref_t<Head>,
                           std::nullptr_t>) explicit ModuleHolder(Head&& head, Tail&&... tail)
      : impl_(std::make_shared<Contained>(std::forward<Head>(head), std::forward<Tail>(tail)...)) {}

  explicit operator bool() const noexcept { return static_cast<bool>(impl_); }
  bool is_empty() const noexcept { return !impl_; }
  Contained* operator->() const { return get(); }
  Contained& operator*() const { return *get(); }
  const std::shared_ptr<Contained>& ptr() const {
    WICK_CHECK(ValueError, impl_, "Accessing empty ModuleHolder; construct a module into it first");
    return impl_;
  }
  Contained* get() const {
    WICK_CHECK(ValueError, impl_, "Accessing empty ModuleHolder; construct a module into it first");
    return impl_.get();
  }
  /// forward(...) of the module.
  template <class... Args>
  decltype(auto) operator()(Args&&... args) const {
    return get()->forward(std::forward<Args>(args)...);
  }
  template <class Index>
  decltype(auto) operator[](Index&& index) const {
    return (*get())[std::forward<Index>(index)];
  }

 private:
  static std::shared_ptr<Contained> make_default() {
    static_assert(std::is_default_constructible_v<Contained>,
                  "this module has no default constructor: write `= nullptr` for an empty holder");
    return std::make_shared<Contained>();
  }
  std::shared_ptr<Contained> impl_;
};

template <class Contained>
std::ostream& operator<<(std::ostream& stream, const ModuleHolder<Contained>& module) {
  return stream << static_cast<const Module&>(*module);
}

}  // namespace wick::nn

/// `class Name` as the holder of `class Impl`.
#define WICK_MODULE_IMPL(Name, Impl)                    \
  class Name : public ::wick::nn::ModuleHolder<Impl> {  \
   public:                                              \
    using ::wick::nn::ModuleHolder<Impl>::ModuleHolder; \
  }
/// WICK_MODULE(Net); after class NetImpl.
#define WICK_MODULE(Name) WICK_MODULE_IMPL(Name, Name##Impl)

/// A documented option with the name `name`: opt.name() reads it, opt.name(value) sets it and
/// returns the options, so that calls chain.
#define WICK_ARG(Type, name)                            \
 public:                                                \
  auto name(const Type& value)->decltype(*this) {       \
    name##_ = value;                                    \
    return *this;                                       \
  }                                                     \
  auto name(Type&& value)->decltype(*this) {            \
    name##_ = std::move(value);                         \
    return *this;                                       \
  }                                                     \
  const Type& name() const noexcept { return name##_; } \
  Type& name() noexcept { return name##_; }             \
                                                        \
 private:                                               \
  Type name##_ /* NOLINT */
