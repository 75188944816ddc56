# A real source tree of over 1,000 files, packed and unpacked; every copy is compared with the original.
sources=(include/linux include/asm-generic include/x86_64-linux-gnu include/aarch64-linux-gnu include/c++)
cd /usr && for s in "${sources[@]}"; do [ -d $s ] && present+=($s); done
cd "$D"
count=$(cd /usr && find "${present[@]}" -type f | wc -l)
[ "$count" -gt 1000 ] || { echo "only $count files"; exit 1; }
tar -C /usr -cf all.tar "${present[@]}"; echo "packed from the host: $?"
mkdir out; tar -xf all.tar -C out; echo "unpacked: $?"
for s in "${present[@]}"; do diff -r --no-dereference /usr/$s out/$s || echo "differs: $s"; done
(cd out && find . -printf '%p %y %m %l %s\n' | grep -v ' d ' | sort) > in-tree
(cd /usr && find "${present[@]}" -printf './%p %y %m %l %s\n' | grep -v ' d ' | sort) > on-host
diff <(sed 's/^[.] .*//; /^$/d' in-tree) on-host && echo same-listing
(cd out && tar -cf ../again.tar --sort=name --format=pax include); tar -tf again.tar | wc -l > listed
tar -df again.tar -C out; echo "compared: $?"
tar --sort=name -czf small.tgz -C out include/linux/can; tar -tzf small.tgz | sort; mkdir small; tar -xzf small.tgz -C small --strip-components=2; diff -r small/can out/include/linux/can && echo same-gz
tar -cf - -C out include/asm-generic | (mkdir piped; cd piped; tar -xf -); diff -r piped/include/asm-generic out/include/asm-generic && echo same-pipe
tar -rf small.tar -C out include/linux/fuse.h; tar -uf small.tar -C out include/linux/fuse.h; tar --delete -f small.tar include/linux/fuse.h 2>&1; tar -tf small.tar
mkdir links; echo x > links/a; ln links/a links/b; ln -s a links/c; truncate -s 1M links/sparse; echo end >> links/sparse; mkdir links/dir; chmod 2711 links/dir; touch -d @1 links/dir links/a
tar --sort=name -cSpf links.tar links; rm -r links; tar -xpf links.tar; stat -c '%n %a %h %s %b %Y' links/a links/b links/dir links/sparse | sed 's/\(sparse.*\) .*/\1/'; readlink links/c
tar -xf links.tar --keep-old-files 2>&1 | sort | head -2; tar -xf links.tar --overwrite; echo $?; tar -xf links.tar --unlink-first; echo $?
tar -xf absent.tar; echo $?; head -c 5000 all.tar > cut.tar; mkdir cut; tar -xf cut.tar -C cut > /dev/null 2>&1; echo $?
command -v cpio > /dev/null && { (cd out && find include/linux -depth -print | cpio -o --quiet) > x.cpio; mkdir c; (cd c && cpio -id --quiet < ../x.cpio); diff -r c/include/linux out/include/linux && echo same-cpio; rm -rf c x.cpio; }
rm all.tar again.tar; rm -rf piped; du -s --apparent-size out | wc -l
echo scenario complete
