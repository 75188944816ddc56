// memcpy and kin for code without libc, and copies that survive a bad pointer.
#pragma once
#include <cstddef>
#include <cstdint>

extern "C" {
void* memcpy(void* to, const void* from, std::size_t size);
void* memmove(void* to, const void* from, std::size_t size);
void* memset(void* to, int value, std::size_t size);
int memcmp(const void* a, const void* b, std::size_t size);
std::size_t strlen(const char* text);
}
