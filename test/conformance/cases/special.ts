/** Fifos, sockets and device nodes; file handles; watches; /proc; calls that are refused. */
import { type Case, family } from '../case.ts';

export const specialCases: readonly Case[] = [
  ...family('mknod', {
    'every type': `
      umask(0)
      mknod("a", S_IFREG|0640, 0)
      mknod("b", S_IFIFO|0640)
      mknod("c", S_IFCHR|0640, 0x103)
      mknod("d", S_IFBLK|0640, 0x700)
      mknod("e", S_IFSOCK|0640)
      mknod("f", S_IFDIR|0640)
      mknod("g", S_IFLNK|0640)
      mknod("h", 0640)
      mknod("i", 0150000)
      mknod("j", S_IFCHR|0640, 0xfff00fff)
      mknod("k", S_IFIFO|0640, 0x103)
      mknod("b", S_IFREG|0640)`,
    'by another user': `
      chmod(".", 0777)
      become(1000)
      mknod("a", S_IFREG|0640)
      mknod("b", S_IFIFO|0640)
      mknod("c", S_IFCHR|0640, 0x103)
      mknod("d", S_IFBLK|0640, 0x700)
      mknod("e", S_IFSOCK|0640)
      mknod("f", S_IFDIR|0640)
      mknod("z", S_IFCHR|0640, 0)`,
  }),
  ...family('fifo', {
    'both ends in one process': `
      mknod("p", S_IFIFO|0600)
      open("p", O_WRONLY|O_NONBLOCK)
      r = open("p", O_RDONLY|O_NONBLOCK)
      read(r, 10)
      w = open("p", O_WRONLY|O_NONBLOCK)
      read(r, 10)
      write(w, "through the fifo")
      ioctl(r, FIONREAD, ints(0))
      read(r, 7)
      poll(r)
      poll(w)
      fstat(r)
      lseek(r, 0, SEEK_SET)
      pread(r, 1, 0)
      read(w, 1)
      write(r, "x")
      ftruncate(w, 0)
      close(w)
      read(r, 20)
      read(r, 20)
      close(r)
      b = open("p", O_RDWR)
      write(b, "x")
      read(b, 10)
      unlink("p")
      write(b, "y")
      read(b, 10)`,
    'waiting for the other end': `
      mknod("p", S_IFIFO|0600)
      fork b
      & r = open("p", O_RDONLY)
      pending
      b: w = open("p", O_WRONLY)
      collect
      & read(r, 10)
      pending
      b: write(w, "data")
      collect
      close(r)
      b: write(w, "nobody")`,
    'without the right': `
      mknod("p", S_IFIFO|0600)
      become(1000)
      open("p", O_RDONLY|O_NONBLOCK)
      open("p", O_PATH)`,
    'a signal interrupts the open': `
      mknod("p", S_IFIFO|0600)
      & open("p", O_RDONLY)
      pending
      signal a
      collect`,
    'cat and echo': `
      mknod("p", S_IFIFO|0600)
      run("/bin/sh", "-c", "echo hello >p & cat p; wait")`,
  }),
  ...family('socket', {
    'bind, connect and the name': `
      s = socket(AF_UNIX, SOCK_STREAM)
      bind(s, sun("sock"))
      stat("sock")
      listen(s, 5)
      c = socket(AF_UNIX, SOCK_STREAM)
      connect(c, sun("sock"))
      t = accept(s)
      write(c, "hello")
      read(t, 10)
      x = socket(AF_UNIX, SOCK_STREAM)
      bind(x, sun("sock"))
      bind(x, sun("missing/sock"))
      connect(x, sun("missing"))
      open("plain", O_CREAT, 0600)
      connect(x, sun("plain"))
      open("sock", O_RDWR)
      open("sock", O_PATH)
      rename("sock", "moved")
      connect(x, sun("moved"))
      unlink("moved")
      y = socket(AF_UNIX, SOCK_STREAM)
      connect(y, sun("moved"))
      bind(y, sun("$D/absolute"))
      chmod("absolute", 0700)`,
    'umask and rights': `
      umask(077)
      s = socket(AF_UNIX, SOCK_DGRAM)
      bind(s, sun("sock"))
      stat("sock")
      become(1000)
      c = socket(AF_UNIX, SOCK_DGRAM)
      connect(c, sun("sock"))
      bind(c, sun("mine"))`,
    'mknod of a socket has nobody behind it': `
      mknod("s", S_IFSOCK|0600)
      c = socket(AF_UNIX, SOCK_STREAM)
      connect(c, sun("s"))
      open("s", O_RDONLY)`,
  }),
  ...family('device', {
    'null and zero': `
      mknod("null", S_IFCHR|0666, 0x103)
      mknod("zero", S_IFCHR|0666, 0x105)
      f = open("null", O_RDWR)
      write(f, "gone")
      read(f, 5)
      fstat(f)
      g = open("zero", O_RDONLY)
      read(g, 4)
      open("null", O_WRONLY|O_TRUNC|O_CREAT, 0600)
      mknod("none", S_IFCHR|0666, 0xfe3)
      open("none", O_RDONLY)
      become(1000)
      open("null", O_RDWR)`,
  }),
  ...family('handles', {
    'there and back': `
      f = open("f", O_CREAT|O_RDWR, 0644)
      write(f, "contents")
      d = open(".", O_DIRECTORY)
      name_to_handle_at(AT_FDCWD, "f", handle(0, 128), buf(8))
      g = open_by_handle_at(d, handle(0), O_RDONLY)
      read(g, 10)
      fstat(g)
      rename("f", "h")
      open_by_handle_at(d, handle(0), O_RDWR)
      unlink("h")
      open_by_handle_at(d, handle(0), O_RDONLY)
      close(f)
      close(g)`,
    'a file that is gone': `
      f = open("f", O_CREAT|O_RDWR, 0644)
      d = open(".", O_DIRECTORY)
      name_to_handle_at(AT_FDCWD, "f", handle(0, 128), buf(8))
      unlink("f")
      close(f)
      open_by_handle_at(d, handle(0), O_RDONLY)`,
    arguments: `
      f = open("f", O_CREAT|O_RDWR, 0644)
      symlink("f", "l")
      mkdir("d", 0755)
      d = open(".", O_DIRECTORY)
      name_to_handle_at(AT_FDCWD, "f", handle(1, 0), buf(8))
      name_to_handle_at(AT_FDCWD, "f", handle(1, 129), buf(8))
      name_to_handle_at(AT_FDCWD, "missing", handle(1, 128), buf(8))
      name_to_handle_at(AT_FDCWD, "f", BADPTR, buf(8))
      name_to_handle_at(AT_FDCWD, "f", handle(1, 128), BADPTR)
      name_to_handle_at(f, "", handle(1, 128), buf(8), AT_EMPTY_PATH)
      name_to_handle_at(f, "", handle(1, 128), buf(8))
      name_to_handle_at(AT_FDCWD, "l", handle(2, 128), buf(8))
      open_by_handle_at(d, handle(2), O_RDONLY)
      open_by_handle_at(d, handle(2), O_PATH)
      name_to_handle_at(AT_FDCWD, "l", handle(2, 128), buf(8), AT_SYMLINK_FOLLOW)
      g = open_by_handle_at(d, handle(2), O_RDONLY)
      name_to_handle_at(AT_FDCWD, "d", handle(3, 128), buf(8))
      g = open_by_handle_at(f, handle(3), O_DIRECTORY)
      list(g)
      open_by_handle_at(99, handle(3), O_RDONLY)
      open_by_handle_at(d, handle(4, 0), O_RDONLY)
      name_to_handle_at(AT_FDCWD, "f", handle(5, 128), buf(8), 0x8000)
      become(1000)
      open_by_handle_at(d, handle(3), O_RDONLY)`,
  }),
  ...family('inotify', {
    'what a watch of a directory tells': `
      i = inotify_init1(IN_NONBLOCK)
      mkdir("d", 0755)
      w = inotify_add_watch(i, "d", IN_ALL_EVENTS)
      f = open("d/f", O_CREAT|O_RDWR, 0644)
      write(f, "x")
      read(f, 1)
      close(f)
      events(i)
      chmod("d/f", 0600)
      rename("d/f", "d/g")
      link("d/g", "d/h")
      unlink("d/g")
      mkdir("d/s", 0755)
      rmdir("d/s")
      events(i)
      chmod("d", 0700)
      unlink("d/h")
      rmdir("d")
      events(i)
      inotify_rm_watch(i, w)`,
    'what a watch of a file tells': `
      i = inotify_init1(IN_NONBLOCK)
      f = open("f", O_CREAT|O_RDWR, 0644)
      inotify_add_watch(i, "f", IN_ALL_EVENTS)
      write(f, "x")
      ftruncate(f, 0)
      rename("f", "g")
      unlink("g")
      events(i)
      close(f)
      events(i)`,
    arguments: `
      i = inotify_init1(0)
      inotify_add_watch(i, "missing", IN_CREATE)
      inotify_add_watch(i, ".", 0)
      inotify_add_watch(99, ".", IN_CREATE)
      open("f", O_CREAT, 0600)
      inotify_add_watch(i, "f", IN_ONLYDIR|IN_CREATE)
      inotify_add_watch(i, BADPTR, IN_CREATE)
      w = inotify_add_watch(i, ".", IN_CREATE)
      inotify_add_watch(i, ".", IN_DELETE)
      inotify_rm_watch(i, w)
      inotify_rm_watch(i, w)`,
  }),
  ...family('proc', {
    'descriptors by name': `
      f = open("f", O_CREAT|O_RDWR, 0644)
      write(f, "contents")
      readlink("/proc/self/fd/3", 200)
      stat("/proc/self/fd/3")
      g = open("/proc/self/fd/3", O_RDONLY)
      read(g, 4)
      lseek(f, 0, SEEK_CUR)
      open("/dev/fd/3", O_RDONLY)
      unlink("f")
      readlink("/proc/self/fd/3", 200)
      h = open("/proc/self/fd/3", O_RDWR)
      read(h, 4)
      truncate("/proc/self/fd/3", 2)
      chmod("/proc/self/fd/3", 0600)
      fstat(f)
      d = open(".", O_DIRECTORY)
      readlink("/proc/self/fd/"+"7", 200)
      stat("/proc/self/fd/7/f")
      run("/bin/sh", "-c", "cat /dev/fd/0 </proc/self/fd/3 | wc -c")`,
    'the last name of what is gone': `
      mkdir("d", 0755)
      f = open("d/f", O_CREAT|O_RDWR, 0644)
      l = open("d/"+"l"*255, O_CREAT|O_RDWR, 0644)
      k = open("k", O_CREAT|O_RDWR, 0644)
      o = open("o", O_CREAT|O_RDWR, 0644)
      mkdir("d/e", 0755)
      e = open("d/e", O_DIRECTORY)
      rename("d/f", "d/h")
      unlink("d/h")
      unlink("d/"+"l"*255)
      rename("k", "o")
      rmdir("d/e")
      readlink("/proc/self/fd/3", 200)
      readlink("/proc/self/fd/4", 400)
      readlink("/proc/self/fd/5", 200)
      readlink("/proc/self/fd/6", 200)
      readlink("/proc/self/fd/7", 200)
      rmdir("d")
      readlink("/proc/self/fd/3", 200)
      readlink("/proc/self/fd/3", 5)
      fchdir(e)
      getcwd(200)
      readlink("/proc/self/cwd", 200)
      mknod("p", S_IFIFO|0600)
      p = open("p", O_PATH)
      unlink("p")
      readlink("/proc/self/fd/8", 200)`,
    'cwd and exe': `
      mkdir("d", 0755)
      chdir("d")
      readlink("/proc/self/cwd", 200)
      open("x", O_CREAT, 0644)
      stat("/proc/self/cwd/x")
      run("/bin/sh", "-c", "readlink /proc/self/cwd; ls /proc/self/cwd/")
      copyin("/bin/readlink", "rl")
      run("./rl", "/proc/self/exe")`,
    'a link to an unlinked file': `
      f = open(".", O_TMPFILE|O_RDWR, 0600)
      write(f, "x")
      linkat(AT_FDCWD, "/proc/self/fd/3", AT_FDCWD, "named", AT_SYMLINK_FOLLOW)
      stat("named")`,
  }),
  ...family('refused', {
    'what only the owner of the machine does': `
      become(1000)
      chroot(".")
      mount("none", ".", "tmpfs", 0, NULL)
      umount2(".")
      pivot_root(".", ".")
      swapon("f")
      acct("f")`,
    'mounts of things that are not there': `
      mount("none", "missing", "tmpfs", 0, NULL)
      umount2("missing")
      mkdir("d", 0755)
      umount2("d")
      pivot_root("missing", "missing")
      chroot("missing")`,
  }),
];
