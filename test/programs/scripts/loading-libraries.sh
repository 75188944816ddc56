# A project with libraries of its own, found in every way that ld.so knows.
mkdir -p bin lib other
cat > value.c <<'END'
int value(void) { return VALUE; }
END
cat > show.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
int value(void);
int main(int argc, char **argv) {
  Dl_info info;
  dladdr((void *)value, &info);
  printf("%s: %d from %s\n", argv[0], value(), info.dli_fname);
  for (int i = 1; i < argc; i++) {
    void *library = dlopen(argv[i], RTLD_NOW);
    if (!library) {
      puts(dlerror());
      continue;
    }
    int (*other)(void) = (int (*)(void))dlsym(library, "value");
    struct link_map *map;
    dladdr((void *)other, &info);
    dlinfo(library, RTLD_DI_LINKMAP, &map);
    printf("%s: %d from %s, %s\n", argv[i], other(), info.dli_fname, map->l_name);
    dlclose(library);
  }
}
END
gcc -shared -fPIC -DVALUE=1 -o lib/libvalue.so value.c
gcc -shared -fPIC -DVALUE=2 -o other/libvalue.so value.c
gcc -shared -fPIC -DVALUE=3 -o lib/plugin.so value.c
gcc -o bin/origin show.c -Llib -lvalue '-Wl,-rpath,$ORIGIN/../lib'
gcc -o bin/rpath show.c -Llib -lvalue '-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib'
gcc -o bin/absolute show.c -Llib -lvalue "-Wl,-rpath,$D/other"
gcc -o bin/plain show.c -Llib -lvalue
gcc -o bin/slash show.c lib/libvalue.so
bin/origin; "$D/bin/origin"; (cd bin; ./origin); (cd other; ../bin/origin plugin.so ../lib/plugin.so)
ln -s bin/origin link; ./link; bin/rpath plugin.so; bin/absolute; bin/slash; (cd bin; ./slash 2>&1 | cut -d: -f3-)
bin/plain; echo $?; LD_LIBRARY_PATH=other bin/plain; LD_LIBRARY_PATH=$D/lib:other bin/plain libvalue.so plugin.so
(cd other; LD_LIBRARY_PATH=: ../bin/plain); LD_LIBRARY_PATH='$ORIGIN/../other' bin/plain
LD_PRELOAD=$D/other/libvalue.so bin/origin; LD_PRELOAD="lib/plugin.so other/libvalue.so" bin/origin
bin/origin "$D/lib/plugin.so" lib/plugin.so ./other/libvalue.so '$ORIGIN/../other/libvalue.so' absent.so "$D/absent.so"
echo text > lib/text.so; : > lib/empty.so; head -c 300 lib/plugin.so > lib/short.so; mkdir lib/dir.so
bin/origin "$D/lib/text.so" "$D/lib/empty.so" "$D/lib/short.so" "$D/lib/dir.so"
# Programs of the host with libraries of the tree.
cp bin/plain bin/absolute "$HOST"; LD_LIBRARY_PATH=$D/other "$HOST/plain"; "$HOST/absolute" | sed "s|$HOST|HOST|"
ln -s "$D/other" "$HOST/into"; LD_LIBRARY_PATH=$HOST/into "$HOST/plain" | sed "s|$HOST|HOST|g"
LD_PRELOAD=$D/lib/libvalue.so "$HOST/plain" "$HOST/into/libvalue.so" | sed "s|$HOST|HOST|g"
env -i LD_LIBRARY_PATH=other "$D/bin/plain"
# Replaced while loaded, unlinked while loaded.
cat > keep.c <<'END'
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
  void *library = dlopen(argv[1], RTLD_NOW);
  int (*value)(void) = (int (*)(void))dlsym(library, "value");
  printf("%d\n", value());
  fflush(stdout);
  system("cp other/libvalue.so lib/new.so; mv lib/new.so lib/plugin.so");
  printf("%d\n", value());
  void *again = dlopen("./lib/plugin.so", RTLD_NOW);
  printf("%d\n", ((int (*)(void))dlsym(again, "value"))());
  system("rm lib/plugin.so");
  printf("%d %d\n", value(), ((int (*)(void))dlsym(again, "value"))());
}
END
gcc -o keep keep.c; ./keep "$D/lib/plugin.so"
# C++: an exception through a library, thread-local data, constructors.
cat > thrower.cpp <<'END'
#include <cstdio>
#include <stdexcept>
thread_local int count = 5;
struct Early { Early() { std::puts("constructed"); } ~Early() { std::puts("destroyed"); } } early;
int thrower(int (*callback)(int)) {
  try { return callback(count++); } catch (const std::logic_error &e) { std::puts(e.what()); throw; }
}
END
cat > catcher.cpp <<'END'
#include <cstdio>
#include <stdexcept>
#include <thread>
int thrower(int (*callback)(int));
int main() {
  auto work = [] {
    try { thrower([](int n) -> int { throw std::logic_error("thrown " + std::to_string(n)); }); }
    catch (const std::exception &e) { std::printf("caught %s\n", e.what()); }
  };
  work(); work();
  std::thread(work).join();
}
END
g++ -shared -fPIC -o lib/libthrower.so thrower.cpp && g++ -o bin/catcher catcher.cpp -Llib -lthrower '-Wl,-rpath,$ORIGIN/../lib' && bin/catcher
# Large zero-initialised data and constants in the same pages as the end of the file's data.
cat > data.c <<'END'
#include <stdio.h>
int filled[3000] = {1, 2, 3}, zero[100000];
const char text[] = "constant";
int check(void) {
  for (int i = 0; i < 100000; i++) if (zero[i]++) return i + 1;
  filled[0]++;
  return filled[0] == 2 ? 0 : -1;
}
END
gcc -shared -fPIC -o lib/libdata.so data.c
echo 'int check(void); int main(void) { return check(); }' > use.c
gcc -o bin/use use.c -Llib -ldata '-Wl,-rpath,$ORIGIN/../lib'; bin/use; echo $?; bin/use; echo $?
rm lib/dir.so -r
echo scenario complete
