#include <sys/resource.h>
#include <tests/misuse/misuse.h>
#include <wick/core/autograd.h>
#include <wick/core/ops.h>

#include <cmath>
#include <limits>

// Wrong shapes, types, indices, sizes, devices and random numbers.
using namespace wick;

namespace {
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kHuge = int64_t{1} << 50;
}  // namespace

// --- undefined tensors
MISUSE(Tensor, undefined, ValueError, "expected a defined tensor") { Tensor().sizes(); }
MISUSE(Tensor, undefined_operand, ValueError, "expected a defined tensor") { ones({2}) + Tensor(); }
MISUSE(Tensor, undefined_in_place, ValueError, "expected a defined tensor") { Tensor().zero_(); }
MISUSE(Tensor, undefined_backward, ValueError, "expected a defined tensor") { Tensor().backward(); }
MISUSE(Tensor, moved_from, ValueError, "expected a defined tensor", "moved from") {
  Tensor a = ones({2});
  const Tensor b = std::move(a);
  (a * b).sum();
}

// --- creation
MISUSE(Tensor, negative_size, ValueError, "zeros", "must not be negative", "[2, -3]") {
  zeros({2, -3});
}
MISUSE(Tensor, element_count_overflows, ShapeError, "empty", "more elements") {
  empty({int64_t{1} << 40, int64_t{1} << 40});
}
MISUSE(Tensor, byte_count_overflows, ShapeError, "more elements") {
  empty({std::numeric_limits<int64_t>::max()}, kFloat64);
}
MISUSE(Tensor, more_memory_than_there_is, OutOfMemoryError, "out of", "memory", "requested") {
  zeros({kHuge});
}
MISUSE(Tensor, result_larger_than_memory, OutOfMemoryError, "out of", "memory", "requested") {
  ones({1, 1}).expand({kHuge, 8}) + 1;
}
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
MISUSE(Tensor, memory_runs_out_step_by_step, OutOfMemoryError, "out of host memory", "requested",
       "in use") {
  set_default_device(kCPU);  // a GPU takes more address space than the limit leaves
  const rlimit limit{rlim_t{3} << 30, rlim_t{3} << 30};
  ::setrlimit(RLIMIT_AS, &limit);
  std::vector<Tensor> all;
  for (;;) all.push_back(empty({int64_t{64} << 20}));
}
#endif
MISUSE(Tensor, nine_dimensions, ShapeError, "at most 8", "9") {
  zeros({1, 1, 1, 1, 1, 1, 1, 1, 1});
}
MISUSE(Tensor, ragged_rows, ShapeError, "tensor", "[2]", "[1]") { tensor({{1, 2}, {3}}); }
MISUSE(Tensor, number_too_large_for_type, ValueError, "300", "uint8") { full({2}, 300, kUInt8); }
MISUSE(Tensor, fill_too_large_for_type, ValueError, "300", "int8") { zeros({2}, kInt8).fill_(300); }
MISUSE(Tensor, nan_for_integers, ValueError, "nan") { full({2}, kNan, kInt64); }
MISUSE(Tensor, arange_zero_step, ValueError, "arange", "must not be zero") { arange(0, 5, 0); }
MISUSE(Tensor, arange_wrong_way, ValueError, "arange", "does not lead from 5 to 0") {
  arange(5, 0, 1);
}
MISUSE(Tensor, arange_nan, ValueError, "arange", "finite", "nan") { arange(0, kNan); }
MISUSE(Tensor, arange_endless, ShapeError, "arange") { arange(0., 1e300, 1e-300); }
MISUSE(Tensor, blob_of_null, ValueError, "from_blob", "null", "[3]") { from_blob(nullptr, {3}); }
MISUSE(Tensor, blob_misaligned, ValueError, "from_blob", "aligned to 4") {
  alignas(8) char bytes[16];
  from_blob(bytes + 1, {2});
}
MISUSE(Tensor, default_dtype_integer, DTypeError, "int32") { set_default_dtype(kInt32); }

// --- random numbers
MISUSE(Random, randint_empty_range, ValueError, "randint", "low < high", "5 and 5") {
  randint(5, 5, {2});
}
MISUSE(Random, randint_beyond_type, ValueError, "randint", "uint8", "300") {
  randint(0, 300, {2}, kUInt8);
}
MISUSE(Random, randperm_negative, ValueError, "randperm", "n >= 0", "-1") { randperm(-1); }
MISUSE(Random, randn_of_integers, DTypeError, "randn", "floating-point", "int64") {
  randn({2}, kInt64);
}
MISUSE(Random, normal_negative_deviation, ValueError, "normal_", "std >= 0", "-1") {
  empty({2}).normal_(0, -1);
}
MISUSE(Random, normal_nan_deviation, ValueError, "normal_", "nan") { empty({2}).normal_(0, kNan); }
MISUSE(Random, uniform_reversed, ValueError, "uniform_", "low <= high", "2 and 1") {
  empty({2}).uniform_(2, 1);
}
MISUSE(Random, uniform_nan, ValueError, "uniform_", "nan") { empty({2}).uniform_(0, kNan); }
MISUSE(Random, dropout_probability, ValueError, "dropout", "[0, 1]", "1.5") {
  dropout(ones({2}), 1.5);
}
MISUSE(Random, dropout_nan, ValueError, "dropout", "nan") { dropout(ones({2}), kNan); }
MISUSE(Random, dropout_of_integers, DTypeError, "dropout", "int64") {
  dropout(ones({2}, kInt64), 0.5);
}

// --- devices
MISUSE(Device, unknown_name, ValueError, "Device", "cuda:N", "gpu") { Device("gpu"); }
MISUSE(Device, name_of_two_lines, ValueError, "Device", "two\\nlines") { Device("two\nlines"); }
MISUSE(Device, number_with_rest, ValueError, "Device", "cuda:1x") { Device("cuda:1x"); }
MISUSE(Device, negative_number, ValueError, "Device", "cuda:-1") { Device("cuda:-1"); }
MISUSE(Device, number_overflows, ValueError, "Device", "cuda:99999999999") {
  Device("cuda:99999999999");
}
MISUSE(Device, index_out_of_range, ValueError, "Device", "127", "200") { Device(kCUDA, 200); }
MISUSE(Device, absent_gpu, DeviceError, "cuda:120") { ones({2}).to("cuda:120"); }
MISUSE(Device, tensor_on_absent_gpu, DeviceError, "zeros", "cuda:120") { zeros({2}, "cuda:120"); }
MISUSE(Device, second_cpu, DeviceError, "one CPU", "3") { ones({2}).to(Device(kCPU, 3)); }

// --- views and indices
MISUSE(View, index_out_of_range, IndexError, "select", "index 5", "dimension 0", "size 3") {
  zeros({3})[5];
}
MISUSE(View, negative_index_out_of_range, IndexError, "select", "index -4", "size 3") {
  zeros({3})[-4];
}
MISUSE(View, index_of_a_number, IndexError, "select", "without dimensions") { zeros({})[0]; }
MISUSE(View, write_out_of_range, IndexError, "select", "index 9") { zeros({3})[9] = 1; }
MISUSE(View, size_of_missing_dimension, IndexError, "size", "dimension 2", "2 dimensions") {
  zeros({2, 3}).size(2);
}
MISUSE(View, sizes_do_not_fit, ShapeError, "view", "[4]", "[2, 3]") { zeros({2, 3}).view({4}); }
MISUSE(View, two_open_sizes, ShapeError, "view", "-1", "[-1, -1]") { zeros({2, 3}).view({-1, -1}); }
MISUSE(View, open_size_does_not_divide, ShapeError, "reshape", "[4, -1]", "6") {
  zeros({2, 3}).reshape({4, -1});
}
MISUSE(View, open_size_of_nothing, ShapeError, "view", "any size") { zeros({0, 3}).view({-1, 0}); }
MISUSE(View, view_would_copy, ShapeError, "view", "strides", "reshape()") {
  zeros({2, 3}).transpose(0, 1).view({6});
}
MISUSE(View, transpose_missing_dimension, IndexError, "transpose", "dimension 2") {
  zeros({2, 3}).transpose(0, 2);
}
MISUSE(View, permute_twice, ShapeError, "permute", "twice", "[0, 0]") {
  zeros({2, 3}).permute({0, 0});
}
MISUSE(View, permute_too_few, ShapeError, "permute", "expected 2", "[0]") {
  zeros({2, 3}).permute({0});
}
MISUSE(View, transpose_of_three, ShapeError, "t:", "at most 2", "[2, 3, 4]") {
  zeros({2, 3, 4}).t();
}
MISUSE(View, expand_grown_size, ShapeError, "expand", "[3]", "[4]") { zeros({3}).expand({4}); }
MISUSE(View, expand_fewer_dimensions, ShapeError, "expand", "fewer") { zeros({2, 3}).expand({3}); }
MISUSE(View, expand_overflows, ShapeError, "expand", "more elements") {
  zeros({1, 1}).expand({int64_t{1} << 40, int64_t{1} << 40});
}
MISUSE(View, flatten_backwards, ShapeError, "flatten", "comes after") {
  zeros({2, 3, 4}).flatten(2, 1);
}
MISUSE(View, slice_step_zero, ValueError, "slice", "step > 0", "0") {
  zeros({4}).slice(0, std::nullopt, std::nullopt, 0);
}
MISUSE(View, narrow_beyond_end, IndexError, "narrow", "3 elements from 2", "size 4") {
  zeros({4}).narrow(0, 2, 3);
}
MISUSE(View, strided_outside_storage, ShapeError, "as_strided", "storage of 4 elements") {
  zeros({4}).as_strided({3}, {2});
}
MISUSE(View, strided_negative, ShapeError, "as_strided", "negative", "[-1]") {
  zeros({4}).as_strided({2}, {-1}, 3);
}
MISUSE(View, strided_overflows, ShapeError, "as_strided", "outside") {
  zeros({4}).as_strided({int64_t{1} << 32, 2}, {int64_t{1} << 40, 1});
}
MISUSE(View, index_select_out_of_range, IndexError, "index_select", "7", "3") {
  zeros({3, 2}).index_select(0, tensor({0, 7}));
}
MISUSE(View, index_select_by_float, DTypeError, "index_select", "int64", "float32") {
  zeros({3, 2}).index_select(0, ones({2}));
}
MISUSE(View, index_select_by_matrix, ShapeError, "index_select", "1 dimension", "[2, 2]") {
  zeros({3, 2}).index_select(0, zeros({2, 2}, kInt64));
}
MISUSE(View, cat_nothing, ValueError, "cat", "at least one") { cat({}); }
MISUSE(View, cat_other_sizes, ShapeError, "cat", "[2, 3]", "[2, 4]") {
  cat({zeros({2, 3}), zeros({2, 4})}, 0);
}
MISUSE(View, cat_numbers, ShapeError, "cat", "no dimensions", "stack()") {
  cat({zeros({}), ones({})});
}
MISUSE(View, stack_other_sizes, ShapeError, "stack", "[2]", "[3]") {
  stack({zeros({2}), zeros({3})});
}
MISUSE(View, channels_last_of_three, ShapeError, "ChannelsLast", "[N, C, H, W]", "[2, 3, 4]") {
  zeros({2, 3, 4}).contiguous(MemoryFormat::ChannelsLast);
}

// --- pointwise, reductions, products
MISUSE(Op, shapes_do_not_broadcast, ShapeError, "add", "[2, 3]", "[4]") {
  zeros({2, 3}) + zeros({4});
}
MISUSE(Op, in_place_result_grows, ShapeError, "add_", "[2, 3]", "[3]") {
  Tensor x = zeros({3});
  x += zeros({2, 3});
}
MISUSE(Op, in_place_float_into_integer, DTypeError, "float32", "int64") {
  Tensor x = zeros({3}, kInt64);
  x += ones({3}) / 2;
}
MISUSE(Op, in_place_on_expanded, ValueError, "mul_", "single memory location", "clone()") {
  Tensor x = zeros({1}).expand({3});
  x *= 2;
}
MISUSE(Op, copy_of_other_shape, ShapeError, "copy_", "[4]", "[3]") { zeros({3}).copy_(zeros({4})); }
MISUSE(Op, subtract_bools, DTypeError, "sub", "bool") { zeros({2}, kBool) - zeros({2}, kBool); }
MISUSE(Op, negative_integer_power, ValueError, "pow", "negative") { ones({2}, kInt64).pow(-1); }
MISUSE(Op, condition_of_numbers, DTypeError, "where", "bool", "float32") {
  where(ones({2}), ones({2}), zeros({2}));
}
MISUSE(Op, masked_fill_by_numbers, DTypeError, "bool", "int64") {
  ones({2}).masked_fill(zeros({2}, kInt64), 1);
}
MISUSE(Op, gelu_kind, ValueError, "gelu", "tanh", "exact") { gelu(ones({2}), "exact"); }
MISUSE(Op, item_of_many, ValueError, "item", "one element", "[2]") { zeros({2}).item(); }
MISUSE(Op, item_does_not_fit, ValueError, "Scalar", "300") { full({}, 300).item<int8_t>(); }
MISUSE(Op, item_nan_as_integer, ValueError, "nan", "int64") { full({}, kNan).item<int64_t>(); }
MISUSE(Op, pointer_of_other_type, DTypeError, "data_ptr", "float32", "float64") {
  zeros({2}).data_ptr<double>();
}
MISUSE(Op, sum_over_missing_dimension, IndexError, "sum", "dimension 2") { zeros({2, 3}).sum(2); }
MISUSE(Op, sum_over_one_dimension_twice, ValueError, "sum", "more than once") {
  zeros({2, 3}).sum({0, -2});
}
MISUSE(Op, mean_of_integers, DTypeError, "mean", "floating-point", "int64") {
  ones({2}, kInt64).mean();
}
MISUSE(Op, max_of_nothing, ValueError, "max", "at least one element", "[0]") { zeros({0}).max(); }
MISUSE(Op, argmax_of_nothing, ValueError, "argmax", "at least one element", "[2, 0]") {
  zeros({2, 0}).argmax(1);
}
MISUSE(Op, softmax_over_missing_dimension, IndexError, "softmax", "dimension 3") {
  zeros({2, 3}).softmax(3);
}
MISUSE(Op, softmax_of_integers, DTypeError, "softmax", "int64") { ones({2}, kInt64).softmax(0); }
MISUSE(Op, matmul_inner_sizes, ShapeError, "matmul", "[2, 3]", "[4, 5]", "3 and 4") {
  matmul(zeros({2, 3}), zeros({4, 5}));
}
MISUSE(Op, matmul_types, DTypeError, "matmul", "float32", "float64", ".to(dtype)") {
  matmul(zeros({2, 3}), zeros({3, 2}, kFloat64));
}
MISUSE(Op, matmul_number, ShapeError, "matmul", "at least 1 dimension", "mul()") {
  matmul(zeros({}), zeros({3}));
}
MISUSE(Op, linear_features, ShapeError, "linear: expected x of shape [..., 5], got [2, 4]") {
  linear(zeros({2, 4}), zeros({3, 5}));
}
MISUSE(Op, compare_types, DTypeError, "equal", "float32", "int64") {
  ones({2}).equal(ones({2}, kInt64));
}
MISUSE(Op, allclose_tolerance, ValueError, "allclose", "-1") { ones({2}).allclose(ones({2}), -1); }

// --- layers and losses as functions
MISUSE(Op, conv_channels, ShapeError, "conv2d", "3 channels", "[1, 4, 8, 8]") {
  conv2d(zeros({1, 4, 8, 8}), zeros({2, 3, 3, 3}));
}
MISUSE(Op, conv_kernel_larger_than_image, ShapeError, "conv2d", "kernel", "[1, 1, 2, 2]") {
  conv2d(zeros({1, 1, 2, 2}), zeros({1, 1, 3, 3}));
}
MISUSE(Op, conv_groups_zero, ValueError, "conv2d", "groups > 0") {
  conv2d(zeros({1, 1, 4, 4}), zeros({1, 1, 3, 3}), {}, 1, 0, 1, 0);
}
MISUSE(Op, conv_stride_zero, ValueError, "conv2d", "stride >= 1", "0") {
  conv2d(zeros({1, 1, 4, 4}), zeros({1, 1, 3, 3}), {}, 0);
}
MISUSE(Op, conv_padding_negative, ValueError, "conv2d", "padding >= 0", "-1") {
  conv2d(zeros({1, 1, 4, 4}), zeros({1, 1, 3, 3}), {}, 1, -1);
}
MISUSE(Op, conv_padding_huge, ValueError, "conv2d", "padding") {
  conv2d(zeros({1, 1, 4, 4}), zeros({1, 1, 3, 3}), {}, 1, std::numeric_limits<int64_t>::max());
}
MISUSE(Op, conv_of_integers, DTypeError, "conv2d", "int64") {
  conv2d(zeros({1, 1, 4, 4}, kInt64), zeros({1, 1, 3, 3}, kInt64));
}
MISUSE(Op, conv_bias_size, ShapeError, "conv2d", "bias", "[2]", "[3]") {
  conv2d(zeros({1, 1, 4, 4}), zeros({2, 1, 3, 3}), zeros({3}));
}
MISUSE(Op, pool_padding, ValueError, "max_pool2d", "half the kernel") {
  max_pool2d(zeros({1, 1, 4, 4}), 2, {}, 2);
}
MISUSE(Op, pool_of_matrix, ShapeError, "max_pool2d", "[N, C, H, W]", "[4, 4]") {
  max_pool2d(zeros({4, 4}), 2);
}
MISUSE(Op, pool_divisor_zero, ValueError, "avg_pool2d", "divisor_override") {
  avg_pool2d(zeros({1, 1, 4, 4}), 2, {}, 0, false, true, 0);
}
MISUSE(Op, batch_norm_one_value, ValueError, "batch_norm", "more than 1 value", "[1, 3]") {
  batch_norm(zeros({1, 3}), {}, {}, {}, {}, true);
}
MISUSE(Op, batch_norm_without_statistics, ValueError, "batch_norm", "running_mean") {
  batch_norm(zeros({2, 3}), {}, {}, {}, {}, false);
}
MISUSE(Op, label_too_large, IndexError, "cross_entropy", "10") {
  cross_entropy(zeros({2, 10}), tensor({3, 10}));
}
MISUSE(Op, label_negative, IndexError, "nll_loss", "-1") {
  nll_loss(zeros({2, 10}), tensor({3, -1}));
}
MISUSE(Op, labels_of_wrong_count, ShapeError, "cross_entropy", "[2]", "[3]") {
  cross_entropy(zeros({2, 10}), tensor({1, 2, 3}));
}
MISUSE(Op, labels_of_wrong_type, DTypeError, "nll_loss", "int64", "int32") {
  nll_loss(zeros({2, 10}), zeros({2}, kInt32));
}
MISUSE(Op, label_smoothing, ValueError, "label_smoothing", "[0, 1]", "nan") {
  cross_entropy(zeros({2, 10}), tensor({1, 2}), {}, Reduction::Mean, -100, kNan);
}
MISUSE(Op, class_weights, ShapeError, "cross_entropy", "weight", "10", "[3]") {
  cross_entropy(zeros({2, 10}), tensor({1, 2}), ones({3}));
}
MISUSE(Op, mse_would_broadcast, ShapeError, "mse_loss", "[4, 1]", "[4]") {
  mse_loss(zeros({4, 1}), zeros({4}));
}
MISUSE(Op, embedding_out_of_range, IndexError, "embedding", "5") {
  embedding(zeros({5, 2}), tensor({0, 5}));
}
