#pragma once

#include <wick/core/check.h>
#include <initializer_list>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace wick {

/// A dictionary that remembers the order of insertion. Keys are unique; look-up is hashed.
/// Error texts name the `key_description` ("Parameter 'w' already defined").
template <class Key, class Value>
class OrderedDict {
 public:
  class Item {
   public:
    Item(Key key, Value value) : pair_(std::move(key), std::move(value)) {}
    const Key& key() const { return pair_.first; }
    Value& value() { return pair_.second; }
    const Value& value() const { return pair_.second; }
    Value& operator*() { return value(); }
    const Value& operator*() const { return value(); }
    Value* operator->() { return &value(); }
    const Value* operator->() const { return &value(); }
    const std::pair<Key, Value>& pair() const { return pair_; }

   private:
    std::pair<Key, Value> pair_;
  };
  using Iterator = typename std::vector<Item>::iterator;
  using ConstIterator = typename std::vector<Item>::const_iterator;

  explicit OrderedDict(std::string key_description = "Key")
      : key_description_(std::move(key_description)) {}
  OrderedDict(std::initializer_list<Item> items) : key_description_("Key") {
    for (const Item& item : items) insert(item.key(), item.value());
  }

  const std::string& key_description() const { return key_description_; }
  size_t size() const { return items_.size(); }
  bool is_empty() const { return items_.empty(); }
  Iterator begin() { return items_.begin(); }
  Iterator end() { return items_.end(); }
  ConstIterator begin() const { return items_.begin(); }
  ConstIterator end() const { return items_.end(); }
  Item& front() { return at_index(0); }
  const Item& front() const { return at_index(0); }
  Item& back() { return at_index(size() - 1); }
  const Item& back() const { return at_index(size() - 1); }
  Item& operator[](size_t index) { return at_index(index); }
  const Item& operator[](size_t index) const { return at_index(index); }
  /// Throws IndexError if there is no such key.
  Value& operator[](const Key& key) { return *checked_find(key); }
  const Value& operator[](const Key& key) const {
    return *const_cast<OrderedDict*>(this)->checked_find(key);
  }
  Value* find(const Key& key) noexcept {
    const auto found = index_.find(key);
    return found == index_.end() ? nullptr : &items_[found->second].value();
  }
  const Value* find(const Key& key) const noexcept {
    return const_cast<OrderedDict*>(this)->find(key);
  }
  bool contains(const Key& key) const noexcept { return index_.contains(key); }

  /// Throws ValueError if the key is there already.
  template <class K, class V>
  Value& insert(K&& key, V&& value) {
    WICK_CHECK(ValueError, !index_.contains(key), key_description_, " '", key, "' already defined");
    index_.emplace(key, items_.size());
    items_.emplace_back(std::forward<K>(key), std::forward<V>(value));
    return items_.back().value();
  }
  void update(const OrderedDict& other) {
    for (const Item& item : other) insert(item.key(), item.value());
  }
  void erase(const Key& key) {
    const auto found = index_.find(key);
    WICK_CHECK(IndexError, found != index_.end(), key_description_, " '", key, "' doesn't exist");
    const size_t at = found->second;
    index_.erase(found);
    items_.erase(items_.begin() + static_cast<std::ptrdiff_t>(at));
    for (auto& entry : index_)
      if (entry.second > at) --entry.second;
  }
  void clear() {
    index_.clear();
    items_.clear();
  }
  std::vector<Key> keys() const {
    std::vector<Key> result;
    for (const Item& item : items_) result.push_back(item.key());
    return result;
  }
  std::vector<Value> values() const {
    std::vector<Value> result;
    for (const Item& item : items_) result.push_back(item.value());
    return result;
  }
  const std::vector<Item>& items() const { return items_; }
  std::vector<std::pair<Key, Value>> pairs() const {
    std::vector<std::pair<Key, Value>> result;
    for (const Item& item : items_) result.push_back(item.pair());
    return result;
  }

 private:
  Item& at_index(size_t index) {
    WICK_CHECK(IndexError, index < size(), "Index ", index, " is out of bounds");
    return items_[index];
  }
  const Item& at_index(size_t index) const {
    return const_cast<OrderedDict*>(this)->at_index(index);
  }
  Value* checked_find(const Key& key) {
    Value* value = find(key);
    WICK_CHECK(IndexError, value, key_description_, " '", key, "' is not defined");
    return value;
  }

  std::unordered_map<Key, size_t> index_;
  std::vector<Item> items_;
  std::string key_description_;
};

}  // namespace wick
