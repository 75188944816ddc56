# plant DIR: a small tree of every kind of entry, with fixed times.
plant() {
  mkdir -p "$1/dir/sub/deep" "$1/empty"
  printf 'alpha\nbeta\ngamma\n' > "$1/text"
  seq 1 5000 > "$1/dir/numbers"
  head -c 100000 /dev/zero | tr '\0' 'z' > "$1/dir/sub/big"
  printf 'exec me\n' > "$1/dir/script"
  chmod 750 "$1/dir/script"
  chmod 4755 "$1/dir/sub/big"
  ln -s ../text "$1/dir/soft"
  ln -s nowhere "$1/dangling"
  ln "$1/text" "$1/dir/hard"
  touch "$1/.dot" "$1/with space"
  chmod 1777 "$1/empty"
  find "$1" -exec touch -h -d '2022-03-04 05:06:07.123456789 UTC' {} +
}
