#pragma once

#include <wick/core/accessor.h>
#include <wick/core/array_ref.h>
#include <wick/core/options.h>
#include <wick/core/scalar.h>
#include <wick/core/tensor_impl.h>
#include <wick/kernels/pointwise_list.h>
#include <concepts>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace wick {

namespace cuda {
class Stream;
}
namespace indexing {
class TensorIndex;
}

class Tensor;
using TensorList = ArrayRef<Tensor>;

/// An n-dimensional array with reference semantics: copies share elements. A default-constructed
/// Tensor is undefined; using it throws ValueError. Every method with a free function of the same
/// name does what is documented there (core/ops/).
class WICK_API Tensor {
 public:
  Tensor() = default;
  explicit Tensor(IntrusivePtr<TensorImpl> impl) noexcept : impl_(std::move(impl)) {}
  Tensor(const Tensor&) = default;
  Tensor(Tensor&&) noexcept = default;
  ~Tensor() = default;
  Tensor& operator=(const Tensor& o) & {
    impl_ = o.impl_;
    return *this;
  }
  Tensor& operator=(Tensor&& o) & noexcept {
    impl_ = std::move(o.impl_);
    return *this;
  }
  /// `x[0] = y`, `x.slice(...) = y`, `x[0] = 1`: writes into the elements of the view.
  Tensor& operator=(const Tensor& o) &&;
  Tensor& operator=(Tensor&& o) &&;
  Tensor& operator=(Scalar value) &&;

  // --- what it is
  bool defined() const noexcept { return static_cast<bool>(impl_); }
  explicit operator bool() const = delete;
  int64_t dim() const { return impl().dim(); }
  int64_t ndimension() const { return dim(); }
  int64_t numel() const { return impl().numel(); }
  IntArrayRef sizes() const { return impl().sizes(); }
  IntArrayRef strides() const { return impl().strides(); }
  /// Negative `dim` counts from the end. Throws IndexError.
  int64_t size(int64_t dim) const;
  int64_t stride(int64_t dim) const;
  int64_t storage_offset() const { return impl().storage_offset(); }
  DType dtype() const { return impl().dtype(); }
  ScalarType scalar_type() const { return dtype(); }
  Device device() const { return impl().device(); }
  Layout layout() const { return kStrided; }
  TensorOptions options() const { return TensorOptions(dtype()).device(device()); }
  bool is_cuda() const { return device().is_cuda(); }
  bool is_cpu() const { return device().is_cpu(); }
  int64_t get_device() const { return is_cuda() ? device().index() : -1; }
  bool is_floating_point() const { return wick::is_floating_point(dtype()); }
  bool is_signed() const { return wick::is_signed(dtype()); }
  int64_t element_size() const { return wick::element_size(dtype()); }
  int64_t itemsize() const { return element_size(); }
  int64_t nbytes() const { return numel() * element_size(); }
  bool is_contiguous(MemoryFormat format = MemoryFormat::Contiguous) const;
  bool is_same(const Tensor& o) const noexcept { return impl_ == o.impl_; }
  bool is_alias_of(const Tensor& o) const { return storage() == o.storage(); }
  const Storage& storage() const { return impl().storage(); }
  TensorImpl* unsafeGetTensorImpl() const noexcept { return impl_.get(); }
  const IntrusivePtr<TensorImpl>& impl_ptr() const noexcept { return impl_; }

  // --- elements
  /// Address of the first element (device memory on CUDA).
  void* data_ptr() const { return impl().data(); }
  /// Throws DTypeError unless T is the element type.
  template <class T>
  T* data_ptr() const {
    check_type(dtype_of<std::remove_const_t<T>>);
    return static_cast<T*>(impl().data());
  }
  /// The only element as a number, whatever its type. Throws ValueError unless numel() == 1.
  Scalar item() const;
  template <class T>
  T item() const {
    return item().to<T>();
  }
  /// All elements in row-major order, converted.
  template <class T>
  std::vector<T> to_vector() const;
  /// The elements by N indices, unchecked: `x.accessor<float, 2>()[i][j]`. Valid as long as x's
  /// memory. Throws DeviceError for a tensor that is not on the CPU.
  template <class T, size_t N>
  TensorAccessor<T, N> accessor() const {
    T* const data = data_ptr<T>();
    check_accessor(N);
    return {data, sizes().data(), strides().data()};
  }
  bool equal(const Tensor& other) const;
  bool allclose(const Tensor& other, double rtol = 1e-5, double atol = 1e-8,
                bool equal_nan = false) const;
  /// Python-style text: "tensor([1., 2.])".
  std::string str() const;

  // --- autograd
  bool requires_grad() const;
  Tensor& set_requires_grad(bool requires_grad) { return requires_grad_(requires_grad); }
  /// Throws AutogradError for a non-leaf switched off and DTypeError for integer tensors.
  Tensor& requires_grad_(bool requires_grad = true);
  bool is_leaf() const;
  /// The accumulated gradient; undefined if there is none.
  const Tensor& grad() const;
  Tensor& mutable_grad();
  /// The node that made this tensor; null for a leaf. For a view whose base was changed in place it
  /// is made anew.
  IntrusivePtr<Node> grad_fn() const;
  int64_t output_nr() const;
  /// Accumulates the gradients of all leaves. `gradient` may be left out for one element.
  /// `retain_graph` defaults to `create_graph`.
  void backward(const Tensor& gradient = {}, std::optional<bool> retain_graph = std::nullopt,
                bool create_graph = false, std::optional<TensorList> inputs = std::nullopt) const;
  void retain_grad();
  bool retains_grad() const;
  /// Calls `hook` with the gradient of this tensor in every backward pass; a defined result
  /// replaces it. Returns a handle for remove_hook.
  unsigned register_hook(std::function<Tensor(Tensor)> hook);
  void remove_hook(unsigned handle);
  /// The same elements without history. In-place changes are seen by both.
  Tensor detach() const;
  Tensor& detach_();
  /// As detach(); LibTorch's name.
  Tensor data() const { return detach(); }
  /// Replaces elements and geometry by those of `other`, keeping identity and autograd metadata.
  void set_data(const Tensor& other);
  uint32_t _version() const { return impl().version(); }
  bool is_view() const;
  /// The tensor that this one is a view of, as autograd sees it; undefined if none.
  Tensor _base() const;

  // --- conversion
  /// A copy in another type or on another device; x itself if there is nothing to do, unless
  /// `copy`. With `non_blocking` the call does not wait for a copy from pinned memory to a GPU, nor
  /// for one from a GPU to the CPU, which goes to pinned memory and may be read after
  /// cuda::synchronize().
  Tensor to(const TensorOptions& options, bool non_blocking = false, bool copy = false) const;
  Tensor to(DType dtype, bool non_blocking = false, bool copy = false) const;
  Tensor to(Device device, bool non_blocking = false, bool copy = false) const;
  Tensor to(DeviceType type, bool non_blocking = false, bool copy = false) const {
    return to(Device(type), non_blocking, copy);
  }
  Tensor to(const char* device, bool non_blocking = false, bool copy = false) const {
    return to(Device(device), non_blocking, copy);
  }
  Tensor to(Device device, DType dtype, bool non_blocking = false, bool copy = false) const;
  Tensor to(const Tensor& like, bool non_blocking = false, bool copy = false) const;
  Tensor type_as(const Tensor& like) const { return to(like.dtype()); }
  Tensor cpu() const { return to(Device(kCPU)); }
  Tensor cuda() const { return to(Device(kCUDA)); }
  /// A copy in page-locked memory, which a GPU reads and writes by itself; x itself if it lies
  /// there. CPU tensors; throws DeviceError without CUDA.
  Tensor pin_memory() const;
  bool is_pinned() const { return storage()->is_pinned(); }
  /// Says that `stream`, which is not the one that this CUDA tensor was made on, was given work
  /// with it: its memory will not be used again before that is done.
  void record_stream(const cuda::Stream& stream) const;
  Tensor clone() const;
  Tensor contiguous(MemoryFormat format = MemoryFormat::Contiguous) const;
  /// Writes source's elements, broadcast and converted, into this tensor. With `non_blocking` the
  /// call does not wait for a copy between a GPU and pinned memory.
  Tensor& copy_(const Tensor& source, bool non_blocking = false);
  Tensor& fill_(Scalar value);
  Tensor& zero_();
  /// Random numbers in place, from the generator of manual_seed; floating types.
  Tensor& uniform_(double low = 0, double high = 1);
  Tensor& normal_(double mean = 0, double std = 1);
  Tensor& exponential_(double lambd = 1);
  /// Integers of [from, to), of any type; without `to` up to the largest that the type (or its
  /// mantissa) holds.
  Tensor& random_();
  Tensor& random_(int64_t to);
  Tensor& random_(int64_t from, std::optional<int64_t> to);
  /// 1 with probability p, else 0, in any type; p is a number or broadcasts to this shape.
  Tensor& bernoulli_(double p = 0.5);
  Tensor& bernoulli_(const Tensor& p);
  Tensor bernoulli() const;
  Tensor multinomial(int64_t num_samples, bool replacement = false) const;
  /// Another shape, row-major, for the first elements in memory; what is added is uninitialised.
  /// Throws for views and tensors that require a gradient.
  Tensor& resize_(IntArrayRef sizes);

  // --- views and indexing
  Tensor view(IntArrayRef sizes) const;
  Tensor view_as(const Tensor& like) const { return view(like.sizes()); }
  Tensor reshape(IntArrayRef sizes) const;
  Tensor flatten(int64_t start_dim = 0, int64_t end_dim = -1) const;
  Tensor transpose(int64_t dim0, int64_t dim1) const;
  /// Matrix transpose of a tensor with at most 2 dimensions.
  Tensor t() const;
  Tensor permute(IntArrayRef dims) const;
  Tensor squeeze() const;
  Tensor squeeze(int64_t dim) const;
  Tensor unsqueeze(int64_t dim) const;
  Tensor expand(IntArrayRef sizes) const;
  Tensor expand_as(const Tensor& like) const { return expand(like.sizes()); }
  Tensor select(int64_t dim, int64_t index) const;
  Tensor operator[](int64_t index) const { return select(0, index); }
  Tensor slice(int64_t dim, std::optional<int64_t> start = std::nullopt,
               std::optional<int64_t> end = std::nullopt, int64_t step = 1) const;
  Tensor narrow(int64_t dim, int64_t start, int64_t length) const;
  Tensor as_strided(IntArrayRef sizes, IntArrayRef strides,
                    std::optional<int64_t> storage_offset = std::nullopt) const;
  Tensor index_select(int64_t dim, const Tensor& index) const;
  std::vector<Tensor> split(int64_t split_size, int64_t dim = 0) const;
  std::vector<Tensor> split(IntArrayRef sizes, int64_t dim = 0) const;
  std::vector<Tensor> split_with_sizes(IntArrayRef sizes, int64_t dim = 0) const;
  std::vector<Tensor> chunk(int64_t chunks, int64_t dim = 0) const;
  std::vector<Tensor> unbind(int64_t dim = 0) const;
  /// All slices of `size` elements, `step` apart, of a dimension, in a new last dimension.
  Tensor unfold(int64_t dimension, int64_t size, int64_t step) const;
  Tensor diagonal(int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1) const;
  Tensor movedim(IntArrayRef source, IntArrayRef destination) const;
  /// The tensor itself gets the other shape. Throws AutogradError for views and tensors that
  /// require a gradient.
  Tensor& transpose_(int64_t dim0, int64_t dim1);
  Tensor& t_();
  Tensor& squeeze_();
  Tensor& squeeze_(int64_t dim);
  Tensor& unsqueeze_(int64_t dim);
  Tensor swapaxes(int64_t dim0, int64_t dim1) const { return transpose(dim0, dim1); }
  Tensor swapdims(int64_t dim0, int64_t dim1) const { return transpose(dim0, dim1); }
  Tensor unflatten(int64_t dim, IntArrayRef sizes) const;
  Tensor reshape_as(const Tensor& like) const { return reshape(like.sizes()); }
  Tensor broadcast_to(IntArrayRef sizes) const { return expand(sizes); }
  Tensor ravel() const { return reshape({-1}); }
  Tensor flip(IntArrayRef dims) const;
  Tensor roll(IntArrayRef shifts, IntArrayRef dims = {}) const;
  Tensor rot90(int64_t k = 1, IntArrayRef dims = {0, 1}) const;
  /// Copies of the whole, `repeats` times along each dimension; new dimensions come first.
  Tensor repeat(IntArrayRef repeats) const;
  Tensor repeat_interleave(int64_t repeats, std::optional<int64_t> dim = std::nullopt) const;
  Tensor repeat_interleave(const Tensor& repeats, std::optional<int64_t> dim = std::nullopt) const;
  Tensor tile(IntArrayRef repeats) const;
  Tensor tril(int64_t diagonal = 0) const;
  Tensor triu(int64_t diagonal = 0) const;
  Tensor diag(int64_t diagonal = 0) const;
  /// `x.index({0, Slice(1, None), "...", mask})`, see core/ops/indexing.h.
  Tensor index(ArrayRef<indexing::TensorIndex> indices) const;
  Tensor index(std::initializer_list<indexing::TensorIndex> indices) const;
  Tensor& index_put_(ArrayRef<indexing::TensorIndex> indices, const Tensor& values,
                     bool accumulate = false);
  Tensor& index_put_(std::initializer_list<indexing::TensorIndex> indices, const Tensor& values,
                     bool accumulate = false);
  Tensor& index_put_(ArrayRef<indexing::TensorIndex> indices, Scalar value);
  Tensor& index_put_(std::initializer_list<indexing::TensorIndex> indices, Scalar value);
  Tensor index_add(int64_t dim, const Tensor& index, const Tensor& source, Scalar alpha = 1) const;
  Tensor& index_add_(int64_t dim, const Tensor& index, const Tensor& source, Scalar alpha = 1);
  Tensor index_copy(int64_t dim, const Tensor& index, const Tensor& source) const;
  Tensor& index_copy_(int64_t dim, const Tensor& index, const Tensor& source);
  Tensor index_fill(int64_t dim, const Tensor& index, Scalar value) const;
  Tensor& index_fill_(int64_t dim, const Tensor& index, Scalar value);
  Tensor gather(int64_t dim, const Tensor& index) const;
  Tensor scatter(int64_t dim, const Tensor& index, const Tensor& source) const;
  Tensor scatter(int64_t dim, const Tensor& index, Scalar value) const;
  Tensor& scatter_(int64_t dim, const Tensor& index, const Tensor& source);
  Tensor& scatter_(int64_t dim, const Tensor& index, Scalar value);
  Tensor scatter_add(int64_t dim, const Tensor& index, const Tensor& source) const;
  Tensor& scatter_add_(int64_t dim, const Tensor& index, const Tensor& source);
  Tensor take(const Tensor& index) const;
  Tensor take_along_dim(const Tensor& index, std::optional<int64_t> dim = std::nullopt) const;
  Tensor masked_select(const Tensor& mask) const;
  Tensor& masked_fill_(const Tensor& mask, Scalar value);
  Tensor nonzero() const;

  // --- pointwise
#define WICK_METHOD(name, Name) \
  Tensor name() const;          \
  Tensor& name##_();
  WICK_UNARY_FLOAT_OPS(WICK_METHOD)
  WICK_UNARY_RARE_OPS(WICK_METHOD)
  WICK_UNARY_ROUNDING_OPS(WICK_METHOD)
  WICK_UNARY_ANY_OPS(WICK_METHOD)
#undef WICK_METHOD
#define WICK_METHOD(name, Name)           \
  Tensor name(const Tensor& other) const; \
  Tensor& name##_(const Tensor& other);
  WICK_BINARY_OPS(WICK_METHOD)
  WICK_BINARY_RARE_OPS(WICK_METHOD)
#undef WICK_METHOD
#define WICK_METHOD(name, Name)    \
  Tensor name(Scalar other) const; \
  Tensor& name##_(Scalar other);
  WICK_BINARY_SCALAR_OPS(WICK_METHOD)
#undef WICK_METHOD
#define WICK_METHOD(name, Name)           \
  Tensor name(const Tensor& other) const; \
  Tensor name(Scalar other) const;
  WICK_COMPARE_OPS(WICK_METHOD)
#undef WICK_METHOD
  Tensor add(const Tensor& other, Scalar alpha) const;
  Tensor& add_(const Tensor& other, Scalar alpha);
  Tensor div(const Tensor& other, const std::optional<std::string>& rounding_mode) const;
  Tensor& div_(const Tensor& other, const std::optional<std::string>& rounding_mode);
  Tensor div(Scalar other, const std::optional<std::string>& rounding_mode) const;
  Tensor& div_(Scalar other, const std::optional<std::string>& rounding_mode);
  Tensor clamp(const std::optional<Scalar>& min,
               const std::optional<Scalar>& max = std::nullopt) const;
  Tensor clamp(const std::optional<Tensor>& min,
               const std::optional<Tensor>& max = std::nullopt) const;
  Tensor& clamp_(const std::optional<Scalar>& min, const std::optional<Scalar>& max = std::nullopt);
  Tensor& clamp_(const std::optional<Tensor>& min, const std::optional<Tensor>& max = std::nullopt);
  Tensor clamp_min(Scalar min) const { return clamp(min); }
  Tensor clamp_max(Scalar max) const { return clamp(std::optional<Scalar>(), max); }
  Tensor& clamp_min_(Scalar min) { return clamp_(min); }
  Tensor& clamp_max_(Scalar max) { return clamp_(std::optional<Scalar>(), max); }
  Tensor isnan() const;
  Tensor isinf() const;
  Tensor isfinite() const;
  Tensor logical_not() const;
  Tensor logical_and(const Tensor& other) const;
  Tensor logical_or(const Tensor& other) const;
  Tensor logical_xor(const Tensor& other) const;
  Tensor bitwise_not() const;
  Tensor operator~() const { return bitwise_not(); }
  Tensor lerp(const Tensor& end, Scalar weight) const;
  Tensor lerp(const Tensor& end, const Tensor& weight) const;
  Tensor& lerp_(const Tensor& end, Scalar weight);
  Tensor& lerp_(const Tensor& end, const Tensor& weight);
  Tensor addcmul(const Tensor& a, const Tensor& b, Scalar value = 1) const;
  Tensor& addcmul_(const Tensor& a, const Tensor& b, Scalar value = 1);
  Tensor addcdiv(const Tensor& a, const Tensor& b, Scalar value = 1) const;
  Tensor& addcdiv_(const Tensor& a, const Tensor& b, Scalar value = 1);
  Tensor fmax(const Tensor& other) const;
  Tensor fmin(const Tensor& other) const;
  Tensor xlogy(const Tensor& other) const;
  Tensor nan_to_num(std::optional<double> nan = std::nullopt,
                    std::optional<double> posinf = std::nullopt,
                    std::optional<double> neginf = std::nullopt) const;
  Tensor& nan_to_num_(std::optional<double> nan = std::nullopt,
                      std::optional<double> posinf = std::nullopt,
                      std::optional<double> neginf = std::nullopt);
  Tensor operator-() const { return neg(); }
  Tensor& operator+=(const Tensor& o) { return add_(o); }
  Tensor& operator+=(Scalar o) { return add_(o); }
  Tensor& operator-=(const Tensor& o) { return sub_(o); }
  Tensor& operator-=(Scalar o) { return sub_(o); }
  Tensor& operator*=(const Tensor& o) { return mul_(o); }
  Tensor& operator*=(Scalar o) { return mul_(o); }
  Tensor& operator/=(const Tensor& o) { return div_(o); }
  Tensor& operator/=(Scalar o) { return div_(o); }
  Tensor where(const Tensor& condition, const Tensor& other) const;
  Tensor masked_fill(const Tensor& mask, Scalar value) const;

  // --- reductions
  Tensor sum(std::optional<DType> dtype = std::nullopt) const;
  Tensor sum(OptionalIntArrayRef dim, bool keepdim = false,
             std::optional<DType> dtype = std::nullopt) const;
  Tensor mean(std::optional<DType> dtype = std::nullopt) const;
  Tensor mean(OptionalIntArrayRef dim, bool keepdim = false,
              std::optional<DType> dtype = std::nullopt) const;
  Tensor max() const;
  std::tuple<Tensor, Tensor> max(int64_t dim, bool keepdim = false) const;
  Tensor min() const;
  std::tuple<Tensor, Tensor> min(int64_t dim, bool keepdim = false) const;
  Tensor argmax(std::optional<int64_t> dim = std::nullopt, bool keepdim = false) const;
  Tensor argmin(std::optional<int64_t> dim = std::nullopt, bool keepdim = false) const;
  Tensor prod(std::optional<DType> dtype = std::nullopt) const;
  Tensor prod(int64_t dim, bool keepdim = false, std::optional<DType> dtype = std::nullopt) const;
  Tensor amax(IntArrayRef dim = {}, bool keepdim = false) const;
  Tensor amin(IntArrayRef dim = {}, bool keepdim = false) const;
  std::tuple<Tensor, Tensor> aminmax(std::optional<int64_t> dim = std::nullopt,
                                     bool keepdim = false) const;
  Tensor all(OptionalIntArrayRef dim = std::nullopt, bool keepdim = false) const;
  Tensor any(OptionalIntArrayRef dim = std::nullopt, bool keepdim = false) const;
  Tensor count_nonzero(OptionalIntArrayRef dim = std::nullopt) const;
  Tensor var(OptionalIntArrayRef dim = std::nullopt, std::optional<int64_t> correction = 1,
             bool keepdim = false) const;
  Tensor var(std::same_as<bool> auto unbiased) const { return var({}, unbiased); }
  Tensor std(OptionalIntArrayRef dim = std::nullopt, std::optional<int64_t> correction = 1,
             bool keepdim = false) const;
  Tensor std(std::same_as<bool> auto unbiased) const { return std({}, unbiased); }
  Tensor norm(Scalar p = 2) const;
  Tensor norm(std::optional<Scalar> p, IntArrayRef dim, bool keepdim = false,
              std::optional<DType> dtype = std::nullopt) const;
  Tensor logsumexp(IntArrayRef dim, bool keepdim = false) const;
  Tensor cumsum(int64_t dim, std::optional<DType> dtype = std::nullopt) const;
  Tensor cumprod(int64_t dim, std::optional<DType> dtype = std::nullopt) const;
  std::tuple<Tensor, Tensor> cummax(int64_t dim) const;
  std::tuple<Tensor, Tensor> cummin(int64_t dim) const;
  std::tuple<Tensor, Tensor> sort(int64_t dim = -1, bool descending = false) const;
  std::tuple<Tensor, Tensor> sort(std::optional<bool> stable, int64_t dim,
                                  bool descending = false) const;
  Tensor argsort(int64_t dim = -1, bool descending = false) const;
  std::tuple<Tensor, Tensor> topk(int64_t k, int64_t dim = -1, bool largest = true,
                                  bool sorted = true) const;
  std::tuple<Tensor, Tensor> kthvalue(int64_t k, int64_t dim = -1, bool keepdim = false) const;
  Tensor median() const;
  std::tuple<Tensor, Tensor> median(int64_t dim, bool keepdim = false) const;
  std::tuple<Tensor, Tensor> mode(int64_t dim = -1, bool keepdim = false) const;
  Tensor bincount(const Tensor& weights = {}, int64_t minlength = 0) const;
  Tensor histc(int64_t bins = 100, Scalar min = 0, Scalar max = 0) const;

  // --- products, softmax
  Tensor matmul(const Tensor& other) const;
  Tensor mm(const Tensor& other) const;
  Tensor bmm(const Tensor& other) const;
  Tensor mv(const Tensor& other) const;
  Tensor dot(const Tensor& other) const;
  Tensor outer(const Tensor& other) const;
  Tensor ger(const Tensor& other) const;
  Tensor addmm(const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1) const;
  Tensor addmv(const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1) const;
  Tensor baddbmm(const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1) const;
  Tensor trace() const;
  Tensor cross(const Tensor& other, std::optional<int64_t> dim = std::nullopt) const;
  Tensor cholesky(bool upper = false) const;
  Tensor inverse() const;
  Tensor det() const;
  std::tuple<Tensor, Tensor> slogdet() const;
  Tensor matrix_power(int64_t n) const;
  Tensor softmax(int64_t dim, std::optional<DType> dtype = std::nullopt) const;
  Tensor log_softmax(int64_t dim, std::optional<DType> dtype = std::nullopt) const;

  /// The impl; throws ValueError when undefined.
  TensorImpl& impl() const {
    if (!impl_) [[unlikely]]
      throw_undefined();
    return *impl_;
  }

 private:
  [[noreturn]] static void throw_undefined();
  void check_type(DType wanted) const;
  void check_accessor(size_t dims) const;

  IntrusivePtr<TensorImpl> impl_;
};

WICK_API std::ostream& operator<<(std::ostream& out, const Tensor& tensor);
inline std::string to_string(const Tensor& tensor) { return tensor.str(); }

}  // namespace wick
