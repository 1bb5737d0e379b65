#include <tests/support/cuda.h>
#include <tests/support/random_ops.h>
#include <tests/support/sample_tensors.h>
#include <wick/core/autograd.h>
#include <chrono>
#include <cmath>
#include <cstdlib>

// Random programs: ops on random shapes, types and views, each result and everything that shares
// elements with it compared with plain arrays; and gradients of whole programs compared with
// differences of the plain computation. WICK_RANDOM_SECONDS (10) and WICK_RANDOM_SEED (1) say how
// long and which; a failure prints the program and its seed.
namespace wick::test {
namespace {

constexpr double kLargest = 1e3;  // larger results are compared, but not computed with

double in_type(double v, DType dtype) {
  if (dtype == kBool) return v != 0 ? 1 : 0;
  if (dtype == kFloat16 && std::abs(v) >= 65520) return std::copysign(INFINITY, v);
  if (dtype != kFloat64 && std::abs(v) > 3.4028235e38) return std::copysign(INFINITY, v);
  if (dtype == kFloat32) return static_cast<float>(v);
  if (is_floating_point(dtype) || dtype == kInt64) return v;
  const double range = std::ldexp(1, 8 * static_cast<int>(element_size(dtype)));
  const double low = is_signed(dtype) ? -range / 2 : 0;
  return v - std::floor((v - low) / range) * range;  // wraps around
}

class Program {
 public:
  Program(uint64_t seed, bool gradients) : random_(seed), gradients_(gradients) {
    const int64_t inputs = random_.between(1, 4);
    for (int64_t i = 0; i < inputs; ++i) add_input();
  }

  /// Draws and runs steps; false if something differs.
  bool run() {
    const int64_t steps = random_.between(1, 10);
    for (int64_t i = 0; i < steps && !over_; ++i)
      if (!draw_step()) return false;
    return true;
  }

  /// Whether backward gives the slope of the plain computation along a random direction. `compared`
  /// is false where that says nothing.
  bool check_gradients(bool& compared) {
    compared = false;
    std::vector<Tensor> outputs, seeds;
    std::vector<std::vector<double>> weights(values_.size());
    for (size_t i = inputs_.size(); i < values_.size(); ++i) {
      const Value& v = values_[i];
      if (!v.tensor.requires_grad() || v.plain.numel() == 0) continue;
      for (int64_t e = 0; e < v.plain.numel(); ++e) weights[i].push_back(random_.real(-1, 1));
      outputs.push_back(v.tensor);
      seeds.push_back(tensor(weights[i], kFloat64).to(v.dtype()).view(v.sizes()));
    }
    if (outputs.empty()) return true;
    std::vector<std::vector<double>> direction(inputs_.size());
    for (size_t i = 0; i < inputs_.size(); ++i)
      for (int64_t e = 0; e < inputs_[i].numel(); ++e) direction[i].push_back(random_.real(-1, 1));
    double recorded = 0, size = 0;
    try {
      autograd::backward(outputs, seeds);
    } catch (const Error& error) {
      if (std::string(error.what()).find("modified by an inplace operation") != std::string::npos)
        return true;
      return fail(error.what());
    }
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (!values_[i].tensor.grad().defined()) continue;
      const std::vector<double> g = values_[i].tensor.grad().to_vector<double>();
      for (size_t e = 0; e < g.size(); ++e) {
        recorded += g[e] * direction[i][e];
        size += std::abs(g[e] * direction[i][e]);
      }
    }
    const auto at = [&](double h) {
      const std::vector<Plain> plains = execute(direction, h);
      double total = 0;
      for (size_t i = 0; i < plains.size(); ++i) {
        if (weights[i].empty()) continue;
        const std::vector<double> v = values_of(plains[i]);
        for (size_t e = 0; e < v.size(); ++e) total += v[e] * weights[i][e];
      }
      return total;
    };
    const auto slope = [&](double h) { return (at(h) - at(-h)) / (2 * h); };
    const double wide = slope(2e-5), narrow = slope(1e-5);
    const double allowed = 1e-5 * (1 + size + std::abs(narrow));
    if (!(std::abs(wide - narrow) <= allowed / 4)) return true;  // a kink, or overflow
    compared = true;
    // A kink that is very near bends both; a shorter step may miss it.
    for (const double h : {1e-5, 1e-6, 1e-7})
      if (std::abs(recorded - slope(h)) <= allowed) return true;
    constexpr double kShort = 1e-7;
    const double here = at(0), forward = (at(kShort) - here) / kShort;
    const double backward = (here - at(-kShort)) / kShort;
    if (!(std::abs(forward - backward) <= allowed)) {  // a kink that is nearer still
      compared = false;
      return true;
    }
    return fail(str("backward gives a slope of ", recorded, ", the plain computation ", narrow));
  }

  const std::string& text() const { return text_; }

 private:
  bool fail(const std::string& what) {
    text_ += "  " + what + "\n";
    for (const Value& v : values_)
      if (v.plain.numel() <= 8) text_ += v.tensor.detach().str() + "\n";
    return false;
  }

  void add_input() {
    constexpr DType kTypes[] = {kFloat32, kFloat64, kFloat32, kFloat16, kBFloat16,
                                kInt64,   kInt32,   kInt8,    kUInt8,   kBool};
    const DType dtype = gradients_ ? kFloat64 : kTypes[random_.below(std::size(kTypes))];
    Ints sizes;
    for (int64_t d = random_.below(4); d > 0; --d)
      sizes.push_back(random_.chance(12) ? 0 : random_.chance(12) ? 33 : random_.between(1, 4));
    Value v;
    v.plain = plain(sizes);
    std::vector<double> elements;
    for (int64_t e = 0; e < v.plain.numel(); ++e) {
      const double drawn = random_.real(-3, 3);
      elements.push_back(is_floating_point(dtype) ? drawn : in_type(std::floor(drawn), dtype));
    }
    v.tensor = tensor(elements, kFloat64).to(dtype).view(sizes);
    write(v.plain, v.tensor.to_vector<double>());  // as the type rounds them
    v.of_leaf = gradients_;
    if (gradients_) v.tensor.requires_grad_();
    inputs_.push_back(copy_of(v.plain));
    text_ +=
        str("  ", static_cast<int64_t>(values_.size()), " = ", dtype, " ", to_string(sizes), "\n");
    values_.push_back(std::move(v));
  }
  static std::string to_string(const Ints& sizes) { return wick::to_string(IntArrayRef(sizes)); }

  bool draw_step() {
    const auto& ops = random_ops();
    Step step;
    std::vector<const Value*> in;
    bool found = false;
    for (int attempt = 0; attempt < 50 && !found; ++attempt) {
      step = {
          &ops[static_cast<size_t>(random_.below(static_cast<int64_t>(ops.size())))], {}, {}, 0};
      in.clear();
      for (size_t i = 0; i < step.op->arguments; ++i) {
        step.in.push_back(static_cast<size_t>(random_.below(static_cast<int64_t>(values_.size()))));
        in.push_back(&values_[step.in.back()]);
      }
      found = step.op->draw(random_, in, step) && !(step.op->in_place && in[0]->of_leaf);
    }
    if (!found) return true;
    text_ += str("  ", static_cast<int64_t>(values_.size()), " = ", step.op->name, "(");
    for (const size_t i : step.in) text_ += str(" ", static_cast<int64_t>(i));
    text_ += str(" ; ", to_string(step.n), " )\n");
    return run_step(step, in);
  }

  bool run_step(const Step& step, const std::vector<const Value*>& in) {
    std::vector<Tensor> tensors;
    std::vector<Plain> plains;
    double largest = 1, count = 1;
    for (const Value* v : in) {
      tensors.push_back(v->tensor);
      plains.push_back(v->plain);
      for (const double e : values_of(v->plain)) largest = std::max(largest, std::abs(e));
      count = std::max(count, static_cast<double>(v->plain.numel()));
    }
    const DType dtype = plain_result_type(*step.op, in);
    const double slack = step.op->errors == Errors::Pointwise ? 1
                         : step.op->errors == Errors::Sum     ? count * largest
                                                              : count * largest * largest;
    Value result;
    try {
      result.tensor = step.op->run(tensors, step);
      finish_device_work();
    } catch (const Error& error) {
      return fail(error.what());
    }
    result.plain = step.op->plain(in_common_type(*step.op, plains, in), step);
    for (const Value* v : in) result.of_leaf |= v->of_leaf && v->plain.data == result.plain.data;
    convert(result.plain, dtype);
    if (result.tensor.dtype() != dtype)
      return fail(str("is ", result.tensor.dtype(), ", should be ", dtype));
    if (result.tensor.sizes().vec() != result.plain.sizes)
      return fail(str("has shape ", result.tensor.sizes(), ", should have ",
                      to_string(result.plain.sizes)));
    values_.push_back(std::move(result));
    steps_.push_back(step);
    return compare_all(slack);
  }

  static void convert(const Plain& x, DType dtype) {
    for_each_index(x.sizes, [&](const Ints& i) { x.at(i) = in_type(x.at(i), dtype); });
  }

  // Arguments of several types are converted first, except where the first one's elements are
  // shared or changed.
  static std::vector<Plain> in_common_type(const RandomOp& op, std::vector<Plain> plains,
                                           const std::vector<const Value*>& in) {
    if (op.in_place || plains.size() != 2) return plains;
    const DType common =
        op.typed == Typed::Floating ? plain_result_type(op, in) : plain_promotion(in);
    for (Plain& x : plains) convert(x = copy_of(x), common);
    return plains;
  }

  // The new value and all that shares its elements are near the plain ones, and become equal to
  // them; nothing else has changed.
  bool compare_all(double slack) {
    const auto changed = values_.back().plain.data;
    bool usable = true;
    for (size_t i = 0; i < values_.size(); ++i) {
      const Value& v = values_[i];
      const std::vector<double> got = v.tensor.to_vector<double>(), wanted = values_of(v.plain);
      const bool exact = v.plain.data != changed;
      const double fine = precision(is_reduced_float(v.dtype()) ? kFloat32 : v.dtype());
      for (size_t e = 0; e < got.size(); ++e) {
        const double allowed =
            exact ? 0
                  : 16 * (precision(v.dtype()) * std::abs(wanted[e]) + fine * slack) +
                        (v.dtype() == kFloat16 ? 1e-7 : 0);
        const bool same = got[e] == wanted[e] || (std::isnan(got[e]) && std::isnan(wanted[e])) ||
                          std::abs(got[e] - wanted[e]) <= allowed ||
                          (v.dtype() == kFloat16 && std::abs(wanted[e]) > 65000);
        if (!same)
          return fail(str("value ", static_cast<int64_t>(i), " has ", got[e], " at element ",
                          static_cast<int64_t>(e), ", should have ", wanted[e]));
        usable &= std::abs(got[e]) <= kLargest;
      }
      if (!exact) write(v.plain, got);
    }
    if (!usable && steps_.back().op->in_place) {
      over_ = true;
    } else if (!usable) {
      values_.pop_back();
      steps_.pop_back();
    }
    return true;
  }

  // The steps again, from inputs moved by h along the direction.
  std::vector<Plain> execute(const std::vector<std::vector<double>>& direction, double h) const {
    std::vector<Plain> plains;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      plains.push_back(copy_of(inputs_[i]));
      std::vector<double> moved = values_of(inputs_[i]);
      for (size_t e = 0; e < moved.size(); ++e) moved[e] += h * direction[i][e];
      write(plains.back(), moved);
    }
    for (const Step& step : steps_) {
      std::vector<Plain> in;
      for (const size_t i : step.in) in.push_back(plains[i]);
      plains.push_back(step.op->plain(in, step));
      const DType dtype = values_[plains.size() - 1].dtype();
      if (!is_floating_point(dtype)) convert(plains.back(), dtype);
    }
    return plains;
  }

  Random random_;
  bool gradients_;
  bool over_ = false;
  std::vector<Plain> inputs_;
  std::vector<Value> values_;
  std::vector<Step> steps_;
  std::string text_;
};

double variable(const char* name, double otherwise) {
  const char* text = std::getenv(name);
  return text && *text ? std::atof(text) : otherwise;
}

void run_programs(bool gradients) {
  const double seconds = variable("WICK_RANDOM_SECONDS", 10) / 2;
  const auto first = static_cast<uint64_t>(variable("WICK_RANDOM_SEED", 1));
  const auto start = std::chrono::steady_clock::now();
  int64_t programs = 0, compared_programs = 0;
  for (;;) {
    const double passed =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (passed >= seconds && programs >= 20) break;
    const uint64_t seed = first * 1000003 + static_cast<uint64_t>(programs++);
    Program program(seed, gradients);
    bool compared = false;
    ASSERT_TRUE(program.run() && (!gradients || program.check_gradients(compared)))
        << "program " << seed << " (WICK_RANDOM_SEED=" << first << ", number " << programs << "):\n"
        << program.text();
    compared_programs += compared;
  }
  std::printf("WICK_RANDOM_SEED=%llu: %lld programs", static_cast<unsigned long long>(first),
              static_cast<long long>(programs));
  if (gradients) {
    std::printf(", %lld with gradients compared", static_cast<long long>(compared_programs));
    EXPECT_GT(compared_programs, programs / 4) << "too little was compared";
  }
  std::printf("\n");
}

TEST(RandomPrograms, GiveWhatPlainArraysGive) { run_programs(false); }

TEST(RandomPrograms, HaveTheGradientsOfPlainArrays) { run_programs(true); }

}  // namespace
}  // namespace wick::test
