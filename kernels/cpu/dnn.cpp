#include <wick/kernels/cpu/dnn.h>
#include <climits>

#if WICK_HAVE_ONEDNN

#include <omp.h>

#include <wick/kernels/cpu/scratch.h>
#include <array>
#include <memory>
#include <mutex>
#include <new>
#include <oneapi/dnnl/dnnl.hpp>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace wick::cpu::dnn {
namespace {

using dnnl::memory;
using dnnl::primitive_attr;
using Dims = memory::dims;
using Desc = memory::desc;

// ---- the library's surroundings
// --------------------------------------------------------------------

[[noreturn]] void fail(const char* op, dnnl_status_t status, const char* what) {
  if (status == dnnl_out_of_memory) {
    WICK_FAIL(OutOfMemoryError, op, ": oneDNN found no memory; use smaller batches");
  }
  WICK_FAIL(InternalError, op, ": oneDNN failed with status ", static_cast<int>(status), " (", what,
            ")");
}

/// Calls f; what oneDNN throws becomes an error of wick.
template <class F>
auto guarded(const char* op, const F& f) {
  try {
    return f();
  } catch (const dnnl::error& error) {
    fail(op, error.status, error.what());
  } catch (const std::bad_alloc&) {
    fail(op, dnnl_out_of_memory, "");
  }
}

/// Gives oneDNN, which asks OpenMP, wick's number of threads: both when it plans and when it runs.
class Threads {
 public:
  Threads() : saved_(omp_get_max_threads()), count_(num_threads()) {
    if (count_ != saved_) omp_set_num_threads(count_);
  }
  ~Threads() {
    if (count_ != saved_) omp_set_num_threads(saved_);
  }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  int count() const { return count_; }

 private:
  int saved_, count_;
};

const dnnl::engine& engine() {
  static const auto* engine = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *engine;
}

dnnl::stream& stream() {
  thread_local dnnl::stream stream(engine());
  return stream;
}

primitive_attr attributes() {
  primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

// ---- plans
// -----------------------------------------------------------------------------------------

/// A primitive with the reorders between the caller's layouts and its own. Immutable once made; any
/// number of threads may run it, since all memory of a run is the caller's or its Scratch.
class Plan {
 public:
  /// Adds an operand: as the caller has it and as the primitive wants it.
  void add(int arg, bool output, const Desc& user, const Desc& inner) {
    Operand operand{arg, output, user, inner, {}, {}, 0};
    if (user != inner) {
      const dnnl::reorder::primitive_desc pd(engine(), output ? inner : user, engine(),
                                             output ? user : inner, attributes());
      operand.reorder = dnnl::reorder(pd);
      operand.scratchpad = pd.scratchpad_desc();
      operand.offset = reserve(inner.get_size());
      scratchpad_bytes_ = std::max(scratchpad_bytes_, operand.scratchpad.get_size());
    }
    operands_.push_back(std::move(operand));
  }
  template <class Primitive, class PrimitiveDesc>
  void finish(const PrimitiveDesc& pd) {
    primitive_ = Primitive(pd);
    scratchpad_ = pd.scratchpad_desc();
    scratchpad_bytes_ = std::max(scratchpad_bytes_, scratchpad_.get_size());
    scratchpad_offset_ = reserve(scratchpad_bytes_);
  }

  /// Pointers in the order of add().
  void run(std::initializer_list<const void*> data) const {
    const Scratch scratch(bytes_);
    char* base = scratch.as<char>();
    std::unordered_map<int, memory> args;
    for (size_t i = 0; i < operands_.size(); ++i) {
      const Operand& operand = operands_[i];
      void* pointer = const_cast<void*>(data.begin()[i]);
      if (operand.reorder) pointer = base + operand.offset;
      args.emplace(operand.arg, memory(operand.inner, engine(), pointer));
      if (operand.reorder && !operand.output) reorder(operand, data.begin()[i], base);
    }
    args.emplace(DNNL_ARG_SCRATCHPAD, memory(scratchpad_, engine(), base + scratchpad_offset_));
    primitive_.execute(stream(), args);
    for (size_t i = 0; i < operands_.size(); ++i) {
      if (operands_[i].reorder && operands_[i].output) reorder(operands_[i], data.begin()[i], base);
    }
    stream().wait();
  }

 private:
  struct Operand {
    int arg;
    bool output;
    Desc user, inner;
    dnnl::primitive reorder;  // empty where both are the same
    Desc scratchpad;
    size_t offset;
  };

  size_t reserve(size_t bytes) {
    const size_t offset = bytes_;
    bytes_ += aligned_bytes(bytes);
    return offset;
  }

  void reorder(const Operand& operand, const void* user, char* base) const {
    memory outer(operand.user, engine(), const_cast<void*>(user));
    memory inner(operand.inner, engine(), base + operand.offset);
    operand.reorder.execute(
        stream(),
        {{DNNL_ARG_FROM, operand.output ? inner : outer},
         {DNNL_ARG_TO, operand.output ? outer : inner},
         {DNNL_ARG_SCRATCHPAD, memory(operand.scratchpad, engine(), base + scratchpad_offset_)}});
  }

  std::vector<Operand> operands_;
  dnnl::primitive primitive_;
  Desc scratchpad_;
  size_t scratchpad_bytes_ = 0, scratchpad_offset_ = 0, bytes_ = 0;
};

/// Everything that a plan depends on: the kind of operation, sizes, strides, number of threads.
struct Key {
  std::array<int64_t, 32> values{};
  int count = 0;

  void add(int64_t value) { values[static_cast<size_t>(count++)] = value; }
  bool operator==(const Key&) const = default;
};

struct KeyHash {
  size_t operator()(const Key& key) const {
    uint64_t hash = 0xcbf29ce484222325u;
    for (int i = 0; i < key.count; ++i) {
      hash = (hash ^ static_cast<uint64_t>(key.values[static_cast<size_t>(i)])) * 0x100000001b3u;
      hash ^= hash >> 29;
    }
    return static_cast<size_t>(hash);
  }
};

class PlanCache {
 public:
  static PlanCache& instance() {
    static auto* cache = new PlanCache;
    return *cache;
  }

  /// The plan of `key`, made by `make` when there is none. A null plan, for what oneDNN cannot do
  /// well, is remembered too. Plans are made one at a time: threads that start on the same shape
  /// then share one, and others find theirs meanwhile.
  template <class Make>
  std::shared_ptr<const Plan> get(const Key& key, const Make& make) {
    if (const Entry entry = find(key); entry.used != 0) return entry.plan;
    const std::lock_guard making(make_mutex_);
    if (const Entry entry = find(key); entry.used != 0) return entry.plan;
    std::shared_ptr<const Plan> plan = make();
    const std::lock_guard lock(mutex_);
    if (entries_.size() >= kPlans) {
      entries_.erase(std::min_element(entries_.begin(), entries_.end(), [](auto& x, auto& y) {
        return x.second.used < y.second.used;
      }));
    }
    entries_.emplace(key, Entry{plan, ++clock_});
    return plan;
  }

 private:
  static constexpr size_t kPlans = 256;
  struct Entry {
    std::shared_ptr<const Plan> plan;
    uint64_t used = 0;  // 0: no entry
  };

  Entry find(const Key& key) {
    const std::lock_guard lock(mutex_);
    const auto it = entries_.find(key);
    if (it == entries_.end()) return {};
    it->second.used = ++clock_;
    return it->second;
  }

  std::mutex make_mutex_, mutex_;
  uint64_t clock_ = 0;
  std::unordered_map<Key, Entry, KeyHash> entries_;
};

enum Kind : int64_t { kGemm, kForward, kBackwardInput, kBackwardWeight };

/// oneDNN always has a naive loop to offer, which is slower than wick's own way.
template <class PrimitiveDesc>
bool is_fast(const PrimitiveDesc& pd) {
  return pd.get(true) != nullptr && !std::string_view(pd.impl_info_str()).starts_with("ref");
}

// ---- matrix products
// -------------------------------------------------------------------------------

/// oneDNN wants leading dimensions of at least a row's length; 0 where that does not hold.
int64_t leading(int64_t rows, int64_t cols, int64_t ld) {
  if (rows == 1) return cols;
  return ld >= cols ? ld : 0;
}

std::shared_ptr<const Plan> gemm_plan(const Gemm<float>& g, int64_t lda, int64_t ldb, int64_t ldc) {
  const auto desc = [](int64_t rows, int64_t cols, int64_t ld, bool trans) {
    return Desc({rows, cols}, memory::data_type::f32, trans ? Dims{1, ld} : Dims{ld, 1});
  };
  const Desc a = desc(g.m, g.k, lda, g.trans_a), b = desc(g.k, g.n, ldb, g.trans_b);
  const Desc c = desc(g.m, g.n, ldc, false);
  primitive_attr attr = attributes();
  if (g.accumulate) {
    dnnl::post_ops add;
    add.append_sum(1.0f);
    attr.set_post_ops(add);
  }
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::matmul::primitive_desc pd(engine(), a, b, c, attr, true);
#else
  const dnnl::matmul::primitive_desc pd(dnnl::matmul::desc(a, b, c), attr, engine(), true);
#endif
  if (!is_fast(pd)) return nullptr;
  auto plan = std::make_shared<Plan>();
  plan->add(DNNL_ARG_SRC, false, a, a);
  plan->add(DNNL_ARG_WEIGHTS, false, b, b);
  plan->add(DNNL_ARG_DST, true, c, c);
  plan->finish<dnnl::matmul>(pd);
  return plan;
}

/// dnnl_sgemm is as fast as the primitive and has no code to generate for each shape, except where
/// b is transposed and large: there it is up to three times slower (measured with 2.6 and AVX-512).
bool wants_plan(const Gemm<float>& g) {
  constexpr double kLargeSteps = 1 << 19;
  return g.trans_b && std::min({g.m, g.n, g.k}) >= 32 && std::max({g.m, g.n, g.k}) < INT_MAX &&
         static_cast<double>(g.m) * static_cast<double>(g.n) * static_cast<double>(g.k) >=
             kLargeSteps;
}

// ---- convolution
// -----------------------------------------------------------------------------------

Dims strides_of(const Dims& sizes, bool channels_last, size_t channel) {
  // Memory order of the dimensions, outermost first.
  std::vector<size_t> order(sizes.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (channels_last) {
    order.erase(order.begin() + static_cast<std::ptrdiff_t>(channel));
    order.push_back(channel);
  }
  Dims strides(sizes.size());
  int64_t stride = 1;
  for (size_t i = order.size(); i-- > 0;) {
    strides[order[i]] = stride;
    stride *= sizes[order[i]];
  }
  return strides;
}

/// Layout of x and y inside: the caller's own, channels-first, or what oneDNN chooses.
enum class Layout { Caller, Planes, Any };

/// Reorders to a layout of oneDNN's choice pay off for channels-first tensors, but for products
/// that are done with little arithmetic; with few input channels its channels-last code for grad_x
/// is several times slower than the one for planes (measured with 2.6 on AVX-512).
Layout layout_of(Kind kind, const ConvArgs& args) {
  int64_t taps = 1;
  for (int i = 0; i < args.spatial; ++i) taps *= args.kernel[i];
  if (kind == kBackwardInput && args.c <= 4) return Layout::Planes;
  if (args.channels_last) return Layout::Caller;
  if (kind == kForward && args.groups == 1 && args.c * taps <= 16) return Layout::Caller;
  return taps == 1 && kind != kBackwardWeight ? Layout::Caller : Layout::Any;
}

struct ConvDescs {
  ConvDescs(const ConvArgs& args, bool with_bias, Layout layout) {
    Dims x_sizes{args.n, args.c}, y_sizes{args.n, args.k};
    Dims weight_sizes{args.k / args.groups, args.c / args.groups};
    if (args.groups > 1) weight_sizes.insert(weight_sizes.begin(), args.groups);
    const size_t weight_channel = weight_sizes.size() - 1;
    for (int i = 0; i < args.spatial; ++i) {
      x_sizes.push_back(args.in[i]);
      y_sizes.push_back(args.out[i]);
      weight_sizes.push_back(args.kernel[i]);
      strides.push_back(args.stride[i]);
      dilates.push_back(args.dilation[i] - 1);
      padding.push_back(args.padding[i]);
    }
    const auto desc = [](const Dims& sizes, bool last, size_t channel) {
      return Desc(sizes, memory::data_type::f32, strides_of(sizes, last, channel));
    };
    const auto any = [](const Dims& sizes) {
      return Desc(sizes, memory::data_type::f32, memory::format_tag::any);
    };
    x = desc(x_sizes, args.channels_last, 1);
    y = desc(y_sizes, args.channels_last, 1);
    weight = desc(weight_sizes, args.channels_last, weight_channel);
    inner_x = layout == Layout::Any      ? any(x_sizes)
              : layout == Layout::Caller ? x
                                         : desc(x_sizes, false, 1);
    inner_y = layout == Layout::Any      ? any(y_sizes)
              : layout == Layout::Caller ? y
                                         : desc(y_sizes, false, 1);
    inner_weight = any(weight_sizes);
    if (with_bias) bias = Desc({args.k}, memory::data_type::f32, memory::format_tag::x);
  }

  Desc x, weight, bias, y;
  Desc inner_x, inner_weight, inner_y;  // as asked of oneDNN
  Dims strides, dilates, padding;
};

using Forward = dnnl::convolution_forward;
using BackwardInput = dnnl::convolution_backward_data;
using BackwardWeight = dnnl::convolution_backward_weights;
constexpr auto kDirect = dnnl::algorithm::convolution_direct;

Forward::primitive_desc forward_desc(const ConvDescs& d, dnnl::prop_kind kind) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine(),  kind,      kDirect,   d.inner_x, d.inner_weight, d.bias, d.inner_y,
          d.strides, d.dilates, d.padding, d.padding, attributes(),   true};
#else
  return {{kind, kDirect, d.inner_x, d.inner_weight, d.bias, d.inner_y, d.strides, d.dilates,
           d.padding, d.padding},
          attributes(),
          engine(),
          true};
#endif
}

std::shared_ptr<const Plan> forward_plan(const ConvDescs& d) {
  const auto pd = forward_desc(d, dnnl::prop_kind::forward_inference);
  if (!is_fast(pd)) return nullptr;
  auto plan = std::make_shared<Plan>();
  plan->add(DNNL_ARG_SRC, false, d.x, pd.src_desc());
  plan->add(DNNL_ARG_WEIGHTS, false, d.weight, pd.weights_desc());
  plan->add(DNNL_ARG_DST, true, d.y, pd.dst_desc());
  if (d.bias != Desc()) plan->add(DNNL_ARG_BIAS, false, d.bias, d.bias);
  plan->finish<Forward>(pd);
  return plan;
}

std::shared_ptr<const Plan> backward_input_plan(const ConvDescs& d) {
  const auto hint = forward_desc(d, dnnl::prop_kind::forward_training);
  if (hint.get(true) == nullptr) return nullptr;
#if DNNL_VERSION_MAJOR >= 3
  const BackwardInput::primitive_desc pd(engine(), kDirect, d.inner_x, d.inner_weight, d.inner_y,
                                         d.strides, d.dilates, d.padding, d.padding, hint,
                                         attributes(), true);
#else
  const BackwardInput::primitive_desc pd(
      {kDirect, d.inner_x, d.inner_weight, d.inner_y, d.strides, d.dilates, d.padding, d.padding},
      attributes(), engine(), hint, true);
#endif
  if (!is_fast(pd)) return nullptr;
  auto plan = std::make_shared<Plan>();
  plan->add(DNNL_ARG_DIFF_DST, false, d.y, pd.diff_dst_desc());
  plan->add(DNNL_ARG_WEIGHTS, false, d.weight, pd.weights_desc());
  plan->add(DNNL_ARG_DIFF_SRC, true, d.x, pd.diff_src_desc());
  plan->finish<BackwardInput>(pd);
  return plan;
}

std::shared_ptr<const Plan> backward_weight_plan(const ConvDescs& d) {
  const auto hint = forward_desc(d, dnnl::prop_kind::forward_training);
  if (hint.get(true) == nullptr) return nullptr;
#if DNNL_VERSION_MAJOR >= 3
  const BackwardWeight::primitive_desc pd(engine(), kDirect, d.inner_x, d.inner_weight, d.bias,
                                          d.inner_y, d.strides, d.dilates, d.padding, d.padding,
                                          hint, attributes(), true);
#else
  const BackwardWeight::primitive_desc pd({kDirect, d.inner_x, d.inner_weight, d.bias, d.inner_y,
                                           d.strides, d.dilates, d.padding, d.padding},
                                          attributes(), engine(), hint, true);
#endif
  if (!is_fast(pd)) return nullptr;
  auto plan = std::make_shared<Plan>();
  plan->add(DNNL_ARG_SRC, false, d.x, pd.src_desc());
  plan->add(DNNL_ARG_DIFF_DST, false, d.y, pd.diff_dst_desc());
  plan->add(DNNL_ARG_DIFF_WEIGHTS, true, d.weight, pd.diff_weights_desc());
  if (d.bias != Desc()) plan->add(DNNL_ARG_DIFF_BIAS, true, d.bias, d.bias);
  plan->finish<BackwardWeight>(pd);
  return plan;
}

/// oneDNN keeps sizes in 32-bit integers inside.
bool fits(const ConvArgs& args) {
  double x = static_cast<double>(args.n) * static_cast<double>(args.c);
  double y = static_cast<double>(args.n) * static_cast<double>(args.k);
  const int64_t channels = args.c / args.groups;
  double weight = static_cast<double>(args.k) * static_cast<double>(channels);
  bool small = true;
  for (int i = 0; i < args.spatial; ++i) {
    x *= static_cast<double>(args.in[i]);
    y *= static_cast<double>(args.out[i]);
    weight *= static_cast<double>(args.kernel[i]);
    small &= args.stride[i] < INT_MAX && args.padding[i] < INT_MAX && args.dilation[i] < INT_MAX;
  }
  return small && std::max({x, y, weight}) < INT_MAX;
}

template <class Make>
bool run_conv(Kind kind, const ConvArgs& args, bool with_bias, const Make& make,
              std::initializer_list<const void*> data) {
  if (!fits(args)) return false;
  return guarded("conv", [&] {
    const Threads threads;
    Key key;
    for (int64_t value :
         {int64_t{kind}, int64_t{args.spatial}, int64_t{args.channels_last}, int64_t{with_bias},
          int64_t{threads.count()}, args.n, args.c, args.k, args.groups}) {
      key.add(value);
    }
    for (int i = 0; i < args.spatial; ++i) {
      for (int64_t value : {args.in[i], args.out[i], args.kernel[i], args.stride[i],
                            args.padding[i], args.dilation[i]}) {
        key.add(value);
      }
    }
    const auto plan = PlanCache::instance().get(
        key, [&] { return make(ConvDescs(args, with_bias, layout_of(kind, args))); });
    if (plan != nullptr) plan->run(data);
    return plan != nullptr;
  });
}

}  // namespace

bool gemm(const Gemm<float>& g) {
  const int64_t lda = g.trans_a ? leading(g.k, g.m, g.lda) : leading(g.m, g.k, g.lda);
  const int64_t ldb = g.trans_b ? leading(g.n, g.k, g.ldb) : leading(g.k, g.n, g.ldb);
  const int64_t ldc = leading(g.m, g.n, g.ldc);
  if (g.bias != nullptr || g.k == 0 || lda == 0 || ldb == 0 || ldc == 0) return false;
  return guarded("matmul", [&] {
    const Threads threads;
    if (wants_plan(g)) {
      Key key;
      for (int64_t value : {int64_t{kGemm}, int64_t{threads.count()}, g.m, g.n, g.k, lda, ldb, ldc,
                            int64_t{g.trans_a}, int64_t{g.accumulate}}) {
        key.add(value);
      }
      const auto plan = PlanCache::instance().get(key, [&] { return gemm_plan(g, lda, ldb, ldc); });
      if (plan != nullptr) {
        plan->run({g.a, g.b, g.c});
        return true;
      }
    }
    const dnnl_status_t status =
        dnnl_sgemm(g.trans_a ? 'T' : 'N', g.trans_b ? 'T' : 'N', g.m, g.n, g.k, 1.0f, g.a, lda, g.b,
                   ldb, g.accumulate ? 1.0f : 0.0f, g.c, ldc);
    if (status != dnnl_success) fail("matmul", status, "sgemm");
    return true;
  });
}

bool conv(const ConvArgs& args, const float* x, const float* weight, const float* bias, float* y) {
  return run_conv(kForward, args, bias != nullptr, forward_plan, {x, weight, y, bias});
}

bool conv_backward_input(const ConvArgs& args, const float* grad_y, const float* weight,
                         float* grad_x) {
  return run_conv(kBackwardInput, args, false, backward_input_plan, {grad_y, weight, grad_x});
}

bool conv_backward_weight(const ConvArgs& args, const float* x, const float* grad_y,
                          float* grad_weight, float* grad_bias) {
  return run_conv(kBackwardWeight, args, grad_bias != nullptr, backward_weight_plan,
                  {x, grad_y, grad_weight, grad_bias});
}

}  // namespace wick::cpu::dnn

#else

namespace wick::cpu::dnn {

bool gemm(const Gemm<float>&) { return false; }
bool conv(const ConvArgs&, const float*, const float*, const float*, float*) { return false; }
bool conv_backward_input(const ConvArgs&, const float*, const float*, float*) { return false; }
bool conv_backward_weight(const ConvArgs&, const float*, const float*, float*, float*) {
  return false;
}

}  // namespace wick::cpu::dnn

#endif
