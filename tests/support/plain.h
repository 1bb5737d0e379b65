#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

// Arrays of doubles, computed as plainly as can be: an index at a time, with nothing shared with
// wick. Views share elements.
namespace wick::test {

using Ints = std::vector<int64_t>;

struct Plain {
  std::shared_ptr<std::vector<double>> data;
  Ints sizes, strides;
  int64_t offset = 0;

  int64_t dim() const { return static_cast<int64_t>(sizes.size()); }
  int64_t numel() const;
  double& at(const Ints& index) const;
};

/// Elements in row-major order, zero.
Plain plain(const Ints& sizes);
/// Calls f with every index of an array of these sizes, in row-major order.
void for_each_index(const Ints& sizes, const std::function<void(const Ints&)>& f);
/// The elements in row-major order, for reading and for writing.
std::vector<double> values_of(const Plain& x);
void write(const Plain& x, const std::vector<double>& values);
Plain copy_of(const Plain& x);
/// Whether two indices reach one element.
bool repeats_elements(const Plain& x);

/// The shape of a result of broadcasting; false if there is none.
bool broadcast(const Ints& a, const Ints& b, Ints& out);
/// The element of x that belongs to an index of a shape that x broadcasts to.
double& broadcast_at(const Plain& x, const Ints& index);
Plain map(const Plain& x, const std::function<double(double)>& f);
Plain map(const Plain& a, const Plain& b, const std::function<double(double, double)>& f);
/// Combines the elements along `dim` (all of them in order if dim < 0).
Plain reduce(const Plain& x, int64_t dim, bool keepdim,
             const std::function<double(const std::vector<double>&)>& f);
/// Replaces the rows along `dim`: f gets a row and gives one of the same length.
Plain map_rows(const Plain& x, int64_t dim,
               const std::function<std::vector<double>(const std::vector<double>&)>& f);
/// The product of [.., m, k] and [.., k, n] with the same or broadcast leading dimensions.
Plain product(const Plain& a, const Plain& b);

}  // namespace wick::test
