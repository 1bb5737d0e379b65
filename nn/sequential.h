#pragma once

#include <wick/nn/holder.h>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace wick::nn {

/// Modules that are called one after the other: y = m_n(... m_1(x)). Takes holders, shared_ptrs and
/// modules by value whose forward takes and returns one Tensor; names are "0", "1", ... unless
/// given.
class WICK_API SequentialImpl : public Module {
 public:
  SequentialImpl() = default;
  template <class... Modules>
  requires(sizeof...(Modules) > 0) explicit SequentialImpl(Modules&&... modules) {
    (push_back(std::forward<Modules>(modules)), ...);
  }

  /// Throws ValueError when empty.
  Tensor forward(const Tensor& x);
  template <class M>
  void push_back(M&& module) {
    push_back(std::to_string(size()), std::forward<M>(module));
  }
  template <class M>
  void push_back(const std::string& name, M&& module) {
    using Plain = std::remove_cvref_t<M>;
    if constexpr (requires { typename Plain::ContainedType; }) {
      add(name, module.ptr(), &call<typename Plain::ContainedType>);
    } else if constexpr (std::is_base_of_v<Module, Plain>) {
      add(name, std::make_shared<Plain>(std::forward<M>(module)), &call<Plain>);
    } else {
      using Pointee = typename Plain::element_type;  // a shared_ptr to a module
      add(name, module, &call<Pointee>);
    }
  }
  /// Appends the modules of another Sequential (shared).
  void extend(const SequentialImpl& other);

  size_t size() const noexcept { return calls_.size(); }
  bool is_empty() const noexcept { return calls_.empty(); }
  /// Throws IndexError.
  std::shared_ptr<Module> ptr(size_t index) const;
  std::shared_ptr<Module> operator[](size_t index) const { return ptr(index); }
  /// The module as an M; throws ValueError if it is another type.
  template <class M>
  M& at(size_t index) const {
    M* module = dynamic_cast<M*>(ptr(index).get());
    WICK_CHECK(ValueError, module, "Sequential: module ", index, " is a ", ptr(index)->name(),
               ", not the type asked for");
    return *module;
  }
  std::vector<std::shared_ptr<Module>>::const_iterator begin() const { return modules_.begin(); }
  std::vector<std::shared_ptr<Module>>::const_iterator end() const { return modules_.end(); }

  std::shared_ptr<Module> clone(const std::optional<Device>& device = std::nullopt) const override;
  void pretty_print(std::ostream& stream) const override;

 private:
  using Call = Tensor (*)(Module&, const Tensor&);
  template <class M>
  static Tensor call(Module& module, const Tensor& x) {
    static_assert(std::is_convertible_v<decltype(std::declval<M&>().forward(x)), Tensor>,
                  "Sequential: forward() must take one Tensor and return one");
    return static_cast<M&>(module).forward(x);
  }
  void add(const std::string& name, std::shared_ptr<Module> module, Call call);

  std::vector<std::shared_ptr<Module>> modules_;
  std::vector<Call> calls_;
};
WICK_MODULE(Sequential);

}  // namespace wick::nn
