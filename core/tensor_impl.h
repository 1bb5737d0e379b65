#pragma once

#include <wick/core/array_ref.h>
#include <wick/core/dtype.h>
#include <wick/core/storage.h>
#include <cstdint>

namespace wick {

class Node;

namespace detail {
struct AutogradMeta;
}

/// What a Tensor points to: element type, geometry, storage, and, on demand, autograd metadata.
class WICK_API TensorImpl final : public RefCounted<TensorImpl> {
 public:
  /// Sizes and strides as given; ndim <= kMaxRank, checked by the caller.
  static IntrusivePtr<TensorImpl> make(Storage storage, int64_t offset, IntArrayRef sizes,
                                       IntArrayRef strides, DType dtype);
  /// Dense, row-major.
  static IntrusivePtr<TensorImpl> make(Storage storage, int64_t offset, IntArrayRef sizes,
                                       DType dtype);
  static void destroy(TensorImpl* impl) noexcept;

  DType dtype() const noexcept { return dtype_; }
  Device device() const noexcept { return storage_->device(); }
  int dim() const noexcept { return ndim_; }
  int64_t numel() const noexcept { return numel_; }
  IntArrayRef sizes() const noexcept { return {sizes_, ndim_}; }
  IntArrayRef strides() const noexcept { return {strides_, ndim_}; }
  int64_t size(int d) const noexcept { return sizes_[d]; }
  int64_t stride(int d) const noexcept { return strides_[d]; }
  int64_t storage_offset() const noexcept { return offset_; }
  bool is_contiguous() const noexcept { return contiguous_; }
  const Storage& storage() const noexcept { return storage_; }
  /// Address of the first element.
  void* data() const noexcept {
    return static_cast<char*>(storage_->data()) + offset_ * element_size(dtype_);
  }
  uint32_t version() const noexcept { return storage_->version(); }

  /// Takes over storage, geometry and dtype of `other`; keeps the autograd metadata.
  void assign_data(const TensorImpl& other);

  detail::AutogradMeta* meta() const noexcept { return meta_; }
  detail::AutogradMeta& ensure_meta();

 private:
  TensorImpl() = default;
  ~TensorImpl() = default;
  void refresh() noexcept;  // numel_ and contiguous_ from sizes and strides

  uint8_t ndim_ = 0;
  DType dtype_ = DType::Float32;
  bool contiguous_ = true;
  Storage storage_;
  int64_t offset_ = 0;
  int64_t numel_ = 1;
  detail::AutogradMeta* meta_ = nullptr;
  int64_t sizes_[kMaxRank];
  int64_t strides_[kMaxRank];
};

}  // namespace wick
