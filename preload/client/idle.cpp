#include "idle.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace btfuse {

namespace {

static_assert(BT_PROCESSES_MAX == 1u << BT_HOLDER_PROCESS_BITS);
static_assert(__builtin_offsetof(DescriptionState, references) % sizeof(uint64_t) == 0);
static_assert(__builtin_offsetof(DescriptionState, holder) ==
              __builtin_offsetof(DescriptionState, references) + sizeof(uint32_t));

/** Of the open flags, those that F_SETFL can change and every description has its own copy of. */
constexpr uint32_t kStatusFlags = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;

template <typename T>
inline T load(const T& word) {
  return __atomic_load_n(&word, __ATOMIC_ACQUIRE);
}

inline const Superblock* superblock() {
  return (const Superblock*)(client.store + BT_SUPERBLOCK_OFFSET);
}

inline const Description* record_of(uint32_t id) {
  return (const Description*)(client.store + superblock()->descriptions_offset) + id;
}

inline const Inode* inode_at(uint32_t ino) {
  return (const Inode*)(client.store + superblock()->inodes_offset) + ino;
}

inline uint32_t* warm_word(uint32_t ino) {
  return (uint32_t*)(client.ring + BT_RING_WARM_OFFSET) + ino % BT_WARM_MAX;
}

/** Nothing hangs on the description but the reading and writing of a named file or directory. */
bool is_plain(const Description* record) {
  if (load(record->state) != BT_DESCRIPTION_STATE_OPEN) return false;
  const uint32_t mode = load(record->mode);
  return (mode == S_IFREG || mode == S_IFDIR) && load(record->maps) == 0 &&
         load(record->locks) == 0;
}

bool is_wanted(const Description* record, const Attributes& file, uint32_t open_flags) {
  if (!is_plain(record) || load(record->ino) != file.ino) return false;
  if (load(record->open_flags) != open_flags) return false;
  const Inode* inode = inode_at(file.ino);
  return load(inode->generation) == file.generation && load(inode->nlink) != 0 &&
         (load(inode->flags) & BT_INODE_WATCHED) == 0;
}

/** Who we are, in a form that does not fit the next process with our record. */
uint32_t holder_word(uint32_t process) {
  return process | load(process_at(process)->generation) << BT_HOLDER_PROCESS_BITS;
}

/** From no reference to one of ours. The server sees both words change at once. */
bool claim(DescriptionState* state, uint32_t process) {
  uint64_t* pair = (uint64_t*)&state->references;
  uint64_t idle = load(*pair);
  if ((uint32_t)idle != 0) return false;
  const uint64_t ours = (uint64_t)holder_word(process) << 32 | 1;
  return __atomic_compare_exchange_n(pair, &idle, ours, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

}  // namespace

void announce_idle(uint32_t description) {
  if (client.store == nullptr) return;
  uint32_t* word = warm_word(load(record_of(description)->ino));
  if (__atomic_load_n(word, __ATOMIC_RELAXED) != description)
    __atomic_store_n(word, description, __ATOMIC_RELAXED);
}

bool may_stay_idle(uint32_t description) {
  if (client.store == nullptr) return false;
  const Description* record = record_of(description);
  const uint32_t ino = load(record->ino);
  if (!is_plain(record) || ino >= superblock()->inode_capacity) return false;
  // The count went to 0 before this look at nlink; the server looks at the count after it has taken
  // the last name away: one of us sees the other. What the server has freed by now, and maybe given
  // a new life, is not harmed by a release too many.
  const Inode* inode = inode_at(ino);
  return load(inode->nlink) != 0 && (load(inode->flags) & BT_INODE_WATCHED) == 0;
}

bool is_watched(uint32_t description) {
  if (client.store == nullptr) return false;
  const uint32_t ino = load(record_of(description)->ino);
  return ino < superblock()->inode_capacity && (load(inode_at(ino)->flags) & BT_INODE_WATCHED) != 0;
}

uint32_t revive(Thread& self, const Attributes& attributes, uint32_t open_flags,
                uint64_t user_stack) {
  const uint32_t id = __atomic_load_n(warm_word(attributes.ino), __ATOMIC_RELAXED);
  if (id == 0 || id >= BT_DESCRIPTIONS_MAX || id >= load(superblock()->descriptions_fresh))
    return 0;
  const Description* record = record_of(id);
  if (!is_wanted(record, attributes, open_flags)) return 0;
  DescriptionState* state = description_state(id);
  if (!claim(state, process_of(self))) return 0;
  // It stays what it is now; but it may have become another one before.
  if (!is_wanted(record, attributes, open_flags)) {
    release_reference(self, id, user_stack);
    return 0;
  }
  state->position = 0;
  state->status_flags = open_flags & kStatusFlags;
  state->owner_signal = 0;
  state->owner_kind = 0;
  return id;
}

}  // namespace btfuse
