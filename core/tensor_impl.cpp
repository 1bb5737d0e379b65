#include <wick/core/tensor_impl.h>

#include <wick/core/allocator.h>
#include <wick/core/autograd_meta.h>
#include <new>

namespace wick {

void TensorImpl::refresh() noexcept {
  int64_t numel = 1;
  bool contiguous = true;
  for (int d = ndim_ - 1; d >= 0; --d) {
    contiguous &= sizes_[d] == 1 || strides_[d] == numel;
    numel *= sizes_[d];
  }
  numel_ = numel;
  contiguous_ = contiguous || numel == 0;
}

IntrusivePtr<TensorImpl> TensorImpl::make(Storage storage, int64_t offset, IntArrayRef sizes,
                                          IntArrayRef strides, DType dtype) {
  auto* impl = new (detail::allocate_small(sizeof(TensorImpl))) TensorImpl;
  detail::count(detail::Counter::Tensors, 1);
  impl->storage_ = std::move(storage);
  impl->offset_ = offset;
  impl->dtype_ = dtype;
  impl->ndim_ = static_cast<uint8_t>(sizes.size());
  for (int d = 0; d < impl->ndim_; ++d) {
    impl->sizes_[d] = sizes[d];
    impl->strides_[d] = strides[d];
  }
  impl->refresh();
  return IntrusivePtr<TensorImpl>(impl);
}

IntrusivePtr<TensorImpl> TensorImpl::make(Storage storage, int64_t offset, IntArrayRef sizes,
                                          DType dtype) {
  auto* impl = new (detail::allocate_small(sizeof(TensorImpl))) TensorImpl;
  detail::count(detail::Counter::Tensors, 1);
  impl->storage_ = std::move(storage);
  impl->offset_ = offset;
  impl->dtype_ = dtype;
  impl->ndim_ = static_cast<uint8_t>(sizes.size());
  int64_t numel = 1;
  int64_t stride = 1;
  for (int d = impl->ndim_ - 1; d >= 0; --d) {
    impl->sizes_[d] = sizes[d];
    impl->strides_[d] = stride;
    numel *= sizes[d];
    stride *= sizes[d] > 0 ? sizes[d] : 1;
  }
  impl->numel_ = numel;
  return IntrusivePtr<TensorImpl>(impl);
}

void TensorImpl::destroy(TensorImpl* impl) noexcept {
  if (impl->meta_) {
    if (impl->meta_->retains_grad) detail::forget_retained(*impl);
    impl->meta_->~AutogradMeta();
    detail::release_small(impl->meta_, sizeof(detail::AutogradMeta));
  }
  impl->~TensorImpl();
  detail::release_small(impl, sizeof(TensorImpl));
  detail::count(detail::Counter::Tensors, -1);
}

void TensorImpl::assign_data(const TensorImpl& other) {
  storage_ = other.storage_;
  offset_ = other.offset_;
  dtype_ = other.dtype_;
  ndim_ = other.ndim_;
  for (int d = 0; d < ndim_; ++d) {
    sizes_[d] = other.sizes_[d];
    strides_[d] = other.strides_[d];
  }
  refresh();
  if (meta_) {
    if (auto* accumulator = meta_->accumulator.load(std::memory_order_acquire))
      accumulator->refresh_meta(*this);
  }
}

detail::AutogradMeta& TensorImpl::ensure_meta() {
  if (!meta_) {
    meta_ = new (detail::allocate_small(sizeof(detail::AutogradMeta))) detail::AutogradMeta;
  }
  return *meta_;
}

}  // namespace wick
