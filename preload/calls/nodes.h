// The nodes directory of the session (ADR 13): what the kernel itself has to hold for fifos and
// sockets of the tree, and the token file for descriptors in messages.
#pragma once
#include "descriptors.h"

namespace btfuse {

/** Longest name of a device file of the host, without NUL. */
inline constexpr uint32_t kDevicePath = 128;
/** "btfuse.<ino>.<generation>" in hexadecimal, with NUL. */
inline constexpr uint32_t kNodeName = 32;

/** Descriptor of the directory, opened at the first need and then kept; -errno. */
long nodes_fd(Thread& self);

/** Writes the name of the node of an inode; its length. */
uint32_t node_name(uint32_t ino, uint32_t generation, char* to);
/** Reads such a name; false when it is none. */
bool parse_node_name(const char* text, uint32_t length, uint32_t& ino, uint32_t& generation);

/**
 * Opens what stands for a fifo (`device` empty) or a device node (`device`: the host's file) with
 * the program's flags. No slot may be in use: this may wait for ever. The fd, or -errno.
 */
long open_node(Thread& self, uint32_t description, const char* device, uint32_t flags);

}  // namespace btfuse
