// Puts a prepared image in the place of an object's text.
#pragma once
#include <sys/stat.h>

#include "object.h"

namespace btfuse {

/** <directory>/<build-id>-<version>-<calls>.img into `path` (BT_PATH_MAX bytes). False: too long.
 */
bool image_path(const char* directory, uint32_t length, const Object& object, char* path);

/**
 * Checks the image file against the object and maps it over the text. Nothing has changed unless it
 * returns 0; else -errno, -EPROTO for an image that is not this object's or not this shim's, -EPERM
 * for one that somebody else could have written.
 */
int map_image(const Object& object, const char* path, uint64_t euid);

/** The same for a static program, named after what fstat says of its file. */
bool file_image_path(const char* directory, uint32_t length, const struct stat& file, char* path);

/**
 * Opens the image file, checks who owns it, and reads its trailer. A descriptor; -EPERM and -EPROTO
 * as map_image.
 */
long open_image(const char* path, uint64_t euid, ImageTrailer& image);
/** A run of pages of an image: where it belongs from the base of the object. */
struct ImagePiece {
  uint64_t vaddr, length;
};
ImagePiece piece_of(const ImageTrailer& image, uint32_t index);
/** Puts the pieces over the text of the object at `base`. 0 or -errno, some of them done. */
long map_pieces(uint64_t base, const ImageTrailer& image, long fd);
/** The same checks on a descriptor. 0 or -errno. */
int check_image(long fd, uint64_t euid, ImageTrailer& image);
/** Writes ld.so's handler word while ld.so has not yet made it read-only: in an audit module. */
void prepare_loader(const Object& loader);

}  // namespace btfuse
