#include "reader.h"

#include <sys/stat.h>
#include <time.h>

#include "clock.h"
#include "memory.h"

namespace btfuse {
namespace {

constexpr int kRetries = 3;
/** Chains are a record or two long; a longer way means that a record was followed into its next
 * life. */
constexpr int kChainMax = 64;
/** An AVL tree of 2^32 nodes is no higher. */
constexpr int kTreeMax = 48;
/** Time stamps are no finer than this, as in the kernel with its ticks of 1 to 10 ms. */
constexpr int64_t kTick = 1'000'000;
constexpr int64_t kSecond = 1'000'000'000;
constexpr uint64_t kDay = 24 * 60 * 60;
/** Cycles for which a reading of the clock serves the relatime rule, whose grain is a day. */
constexpr uint64_t kClockCycles = 1ull << 32;

template <typename T>
inline T load(const T& word) {
  return __atomic_load_n(&word, __ATOMIC_RELAXED);
}
inline uint32_t acquire(const uint32_t& word) {
  return __atomic_load_n(&word, __ATOMIC_ACQUIRE);
}
inline void reads_done() {
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
}

inline const Superblock* superblock() {
  return (const Superblock*)(client.store + BT_SUPERBLOCK_OFFSET);
}
inline const Inode* inode_at(uint32_t ino) {
  return (const Inode*)(client.store + superblock()->inodes_offset) + ino;
}
inline const Dentry* dentry_at(uint32_t index) {
  return (const Dentry*)(client.store + superblock()->dentries_offset) + index;
}
inline bool is_inode(uint32_t ino) {
  return ino != 0 && ino < superblock()->inode_capacity;
}

/** src/store/names.ts: FNV-1a seeded with the parent, murmur's finaliser. */
constexpr uint32_t kFnvPrime = 0x01000193;
inline uint32_t hash_seed(uint32_t parent) {
  return (0x811c9dc5u ^ parent) * kFnvPrime;
}
inline uint32_t hash_finish(uint32_t hash) {
  hash = (hash ^ (hash >> 16)) * 0x85ebca6b;
  hash = (hash ^ (hash >> 13)) * 0xc2b2ae35;
  return hash ^ (hash >> 16);
}

inline uint32_t bucket_of(uint32_t hash) {
  const uint32_t level = load(superblock()->hash_level), split = load(superblock()->hash_split);
  const uint32_t bucket = hash & ((1u << level) - 1);
  return bucket < split ? hash & ((2u << level) - 1) : bucket;
}

bool same_name(const Dentry* dentry, const char* name, uint32_t length) {
  const uint32_t inlined = length < sizeof dentry->name ? length : sizeof dentry->name;
  if (memcmp(dentry->name, name, inlined) != 0) return false;
  uint32_t done = inlined;
  uint32_t index = load(dentry->text);
  while (done < length) {
    if (index == 0 || index >= superblock()->text_capacity) return false;
    const Text* text = (const Text*)(client.store + superblock()->texts_offset) + index;
    const uint32_t left = length - done;
    const uint32_t piece = left < sizeof text->bytes ? left : sizeof text->bytes;
    if (memcmp(text->bytes, name + done, piece) != 0) return false;
    done += piece;
    index = load(text->next);
  }
  return true;
}

enum class Found { YES, NO, LOST };

/** The inode that `parent` has under this name. The caller checks the parent's sequence afterwards.
 */
Found find(uint32_t parent, const char* name, uint32_t length, uint32_t hash, uint32_t& ino) {
  const uint32_t* buckets = (const uint32_t*)(client.store + superblock()->buckets_offset);
  const uint32_t epoch = acquire(superblock()->namespace_epoch);
  if (epoch & 1) return Found::LOST;
  const uint32_t bucket = bucket_of(hash);
  uint32_t index = acquire(buckets[bucket]);
  for (int i = 0; index != 0; i++) {
    if (i == kChainMax || index >= superblock()->dentry_capacity) return Found::LOST;
    const Dentry* dentry = dentry_at(index);
    // Under its own seqlock: a record that was freed and taken again between two of these loads
    // would otherwise lead from our chain to the end of the free ones, and a name that is there
    // would be missed.
    const uint32_t sequence = acquire(dentry->sequence);
    const uint32_t next = acquire(dentry->hash_next);
    const uint32_t its_hash = acquire(dentry->hash), its_parent = acquire(dentry->parent);
    if ((sequence & 1) || load(dentry->sequence) != sequence) return Found::LOST;
    if (its_parent == 0 || bucket_of(its_hash) != bucket) return Found::LOST;
    if (its_hash == hash && its_parent == parent && load(dentry->name_length) == length &&
        same_name(dentry, name, length)) {
      ino = load(dentry->ino);
      return is_inode(ino) ? Found::YES : Found::LOST;
    }
    index = next;
  }
  reads_done();
  return load(superblock()->namespace_epoch) == epoch ? Found::NO : Found::LOST;
}

bool in_group(const Searcher& who, uint32_t gid) {
  if (who.gid == gid) return true;
  const uint32_t count = load(who.process->group_count);
  for (uint32_t i = 0; i < count && i < BT_GROUPS_MAX; i++) {
    if (who.process->groups[i] == gid) return true;
  }
  return false;
}

/** False also where an ACL decides: that is the server's. */
bool permitted(const Searcher& who, uint32_t mode, uint32_t flags, uint32_t uid, uint32_t gid,
               uint32_t mask) {
  if (who.overrides) return !(mask & 1) || S_ISDIR(mode) || (mode & 0111) != 0;
  uint32_t bits = mode;
  if (uid == who.uid) {
    bits = mode >> 6;
  } else if (flags & BT_INODE_ACL) {
    return false;
  } else if (in_group(who, gid)) {
    bits = mode >> 3;
  }
  return (bits & mask) == mask;
}

/** One step of the walk: an inode as it was at `sequence`. */
struct Place {
  const Inode* inode;
  uint32_t ino;
  uint32_t sequence;
  uint32_t mode;
};

inline bool enter(uint32_t ino, Place& place) {
  place.inode = inode_at(ino);
  place.ino = ino;
  place.sequence = acquire(place.inode->sequence);
  place.mode = load(place.inode->mode);
  return (place.sequence & 1) == 0;
}

inline bool unchanged(const Place& place) {
  reads_done();
  return load(place.inode->sequence) == place.sequence;
}

bool copy_attributes(const Place& place, Attributes& out) {
  const uint32_t* from = (const uint32_t*)place.inode;
  uint32_t* to = (uint32_t*)&out;
  for (uint32_t i = 1; i < sizeof out / sizeof *to; i++) to[i] = load(from[i]);
  out.ino = place.ino;
  return unchanged(place);
}

enum class Step { ON, ABSENT, ASK, AGAIN };

/** From the directory `place` by one name to what it names. */
Step step(const Searcher& who, Place& place, const char* name, uint32_t length, uint32_t hash) {
  if (!S_ISDIR(place.mode)) return Step::ASK;
  if (!permitted(who, place.mode, load(place.inode->flags), load(place.inode->uid),
                 load(place.inode->gid), 1)) {
    return Step::ASK;
  }
  if (length == 1 && name[0] == '.') return unchanged(place) ? Step::ON : Step::AGAIN;
  uint32_t ino = 0;
  if (length == 2 && name[0] == '.' && name[1] == '.') {
    ino = load(place.inode->link);
    if (place.ino == BT_ROOT_INO || !is_inode(ino)) return Step::ASK;
  } else {
    const Found found = find(place.ino, name, length, hash, ino);
    if (found == Found::LOST) return Step::AGAIN;
    if (found == Found::NO) return unchanged(place) ? Step::ABSENT : Step::AGAIN;
  }
  // Hand over hand: the child's sequence is read while the parent still names it.
  Place next;
  const bool whole = enter(ino, next);
  if (!unchanged(place) || !whole) return Step::AGAIN;
  place = next;
  return Step::ON;
}

Step walk(const Searcher& who, uint32_t start, const char* at, const char* end, bool nofollow,
          Attributes& out) {
  Place place;
  if (!enter(start, place)) return Step::AGAIN;
  bool slash = false;
  for (;;) {
    for (; at < end && *at == '/'; at++) slash = true;
    if (at == end) break;
    if (S_ISLNK(place.mode)) return Step::ASK;
    const char* name = at;
    uint32_t hash = hash_seed(place.ino);
    for (; at < end && *at != '/'; at++) hash = (hash ^ (unsigned char)*at) * kFnvPrime;
    const uint32_t length = (uint32_t)(at - name);
    if (length > BT_NAME_MAX) return Step::ASK;
    const Step result = step(who, place, name, length, hash_finish(hash));
    if (result != Step::ON) return result;
    slash = false;
  }
  if (S_ISLNK(place.mode) && (!nofollow || slash)) return Step::ASK;
  if (slash && !S_ISDIR(place.mode)) return Step::ASK;
  return copy_attributes(place, out) ? Step::ON : Step::AGAIN;
}

unsigned char* queried(uint32_t ino) {
  return client.ring + BT_RING_QUERIED_OFFSET + ino % BT_QUERIED_MAX;
}

/**
 * Somebody is told the time stamps: the next write has to renew them. After the look at them, so
 * that a mark that a writer has cleared meanwhile is set again (writers clear it before they
 * renew).
 */
inline void tell_stamps(uint32_t ino) {
  if (load(*queried(ino)) == 0) __atomic_store_n(queried(ino), 1, __ATOMIC_RELAXED);
}

/** The kernel moves the times of its fifo, and the server has to ask it for them (ADR 13). */
inline bool is_kernels(const Attributes& attributes) {
  return (attributes.flags & BT_INODE_NODE) != 0 && S_ISFIFO(attributes.mode);
}

inline uint32_t ino_of(const FileView& view) {
  return (uint32_t)(view.inode - inode_at(0));
}

uint64_t cycles() {
  uint32_t low, high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
}

/** Seconds of CLOCK_REALTIME, a few seconds old at most. */
uint64_t rough_seconds() {
  static uint64_t seconds, read_at;
  const uint64_t now = cycles();
  if (seconds == 0 || now - read_at > kClockCycles) {
    timespec time = {};
    kernel(SYS_clock_gettime, CLOCK_REALTIME, &time);
    seconds = (uint64_t)time.tv_sec;
    read_at = now;
  }
  return seconds;
}

}  // namespace

bool quick_attributes(uint32_t ino, Attributes& out) {
  if (client.store == nullptr || !is_inode(ino)) return false;
  for (int i = 0; i < kRetries; i++) {
    Place place;
    if (!enter(ino, place) || !copy_attributes(place, out)) continue;
    if (is_kernels(out)) return false;
    tell_stamps(ino);
    return true;
  }
  return false;
}

Quick quick_lookup(const Searcher& who, uint32_t description, const char* path, uint32_t length,
                   bool nofollow, Attributes& out) {
  if (client.store == nullptr) return Quick::ASK;
  uint32_t start = BT_ROOT_INO;
  if (description != 0) {
    const Description* record =
        (const Description*)(client.store + superblock()->descriptions_offset) + description;
    start = load(record->ino);
    if (load(record->state) != BT_DESCRIPTION_STATE_OPEN || !is_inode(start)) return Quick::ASK;
  }
  for (int i = 0; i < kRetries; i++) {
    const Step result = walk(who, start, path, path + length, nofollow, out);
    if (result == Step::ON) {
      if (is_kernels(out)) return Quick::ASK;
      tell_stamps(out.ino);
      return Quick::HIT;
    }
    if (result == Step::ABSENT) return Quick::ABSENT;
    if (result == Step::ASK) break;
  }
  return Quick::ASK;
}

bool quick_access(const Searcher& who, const Attributes& attributes, uint32_t mask) {
  // W_OK of what chattr guards is the server's to refuse.
  if ((mask & 2) && (attributes.flags & (BT_INODE_IMMUTABLE | BT_INODE_APPEND))) return false;
  return permitted(who, attributes.mode, attributes.flags, attributes.uid, attributes.gid, mask);
}

bool view_file(uint32_t ino, FileView& view) {
  if (client.store == nullptr || !is_inode(ino)) return false;
  view.inode = inode_at(ino);
  view.sequence = acquire(view.inode->sequence);
  view.size = load(view.inode->size);
  view.mode = load(view.inode->mode);
  view.flags = load(view.inode->flags);
  return (view.sequence & 1) == 0;
}

bool still_holds(const FileView& view) {
  reads_done();
  return load(view.inode->sequence) == view.sequence;
}

uint64_t find_run(const FileView& view, uint64_t block, uint64_t& count) {
  const uint64_t blocks = client.data_size / BT_PAGE_SIZE;
  uint64_t best_first = load(view.inode->extent_file_block);
  uint64_t best_data = load(view.inode->extent_data_block);
  uint64_t best_count = load(view.inode->extent_count);
  uint64_t hole_end = best_count != 0 && block < best_first ? best_first : ~0ull;
  if (best_count == 0 || block < best_first) best_count = 0;
  if (best_count != 0 && block >= best_first + best_count) {
    best_count = 0;
    uint32_t node = load(view.inode->root);
    const Extent* table = (const Extent*)(client.store + superblock()->extents_offset);
    for (int i = 0; node != 0 && node < superblock()->extent_capacity && i < kTreeMax; i++) {
      const uint64_t first = load(table[node].file_block);
      if (first <= block) {
        best_first = first;
        best_data = load(table[node].data_block);
        best_count = load(table[node].count);
        node = load(table[node].right);
      } else {
        hole_end = first;
        node = load(table[node].left);
      }
    }
  }
  if (best_count != 0 && block < best_first + best_count) {
    count = best_first + best_count - block;
    const uint64_t data = best_data + (block - best_first);
    if (data < blocks && count <= blocks - data) return data;
    count = 1;
    return 0;
  }
  count = hole_end - block;
  return 0;
}

bool stamps_are_fresh(const FileView& view) {
  if (load(*queried(ino_of(view))) != 0) return false;
  const int64_t mtime = load(view.inode->mtime), ctime = load(view.inode->ctime);
  const uint32_t nanoseconds = load(view.inode->mtimensec);
  // What utimensat or chmod has set is not of a write.
  if (mtime != ctime || nanoseconds != load(view.inode->ctimensec)) return false;
  int64_t stamp;
  if (__builtin_mul_overflow(mtime, kSecond, &stamp)) return false;
  const int64_t age = (int64_t)((uint64_t)latest_now() - (uint64_t)stamp - nanoseconds);
  return age < kTick && age > -kTick;
}

void forget_told_stamps(const FileView& view) {
  __atomic_store_n(queried(ino_of(view)), 0, __ATOMIC_RELAXED);
}

bool wants_atime(const FileView& view) {
  const bool kept = (view.flags & BT_INODE_NOATIME) != 0;
  const int64_t atime = load(view.inode->atime), mtime = load(view.inode->mtime);
  const int64_t ctime = load(view.inode->ctime);
  const uint32_t nanoseconds = load(view.inode->atimensec);
  if (atime < mtime || (atime == mtime && nanoseconds <= load(view.inode->mtimensec))) return !kept;
  if (atime < ctime || (atime == ctime && nanoseconds <= load(view.inode->ctimensec))) return !kept;
  return !kept && rough_seconds() >= (uint64_t)atime + kDay;
}

}  // namespace btfuse
