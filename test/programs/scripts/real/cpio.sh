mkdir -p src/sub; seq 1000 > src/a; echo b > src/sub/b; ln src/a src/hard; ln -s a src/soft; mkfifo src/fifo; chmod 600 src/sub/b; touch -d 2020-01-02T03:04:05Z src/a src/sub/b; : > src/empty
for format in bin odc newc crc tar ustar; do
  find src -print0 | sort -z | cpio -o0 -H $format --quiet > $format.cpio; echo "$format $?"
  cpio -tv --quiet < $format.cpio | awk '{ print $1, $9, $10, $11 }' | sort
  mkdir out; (cd out; cpio -idm --quiet < ../$format.cpio; find . -printf '%P %y %m %n %s\n' | grep '[fl] ' | sort; stat -c %Y src/a; cat src/soft | md5sum)
  rm -rf out
done
find src -depth -print0 | cpio -p0dlm --quiet pass; stat -c %h pass/src/a; find pass | sort; rm -rf pass
mkdir out; cd out; cpio -i --quiet 'src/s*' -d < ../newc.cpio; find . | sort; cpio -i --quiet < ../newc.cpio; echo "exists: $?"; cpio -iu --quiet --rename-batch-file=<(seq 20) < ../newc.cpio; ls; cd ..
echo garbage | cpio -t; echo "status $?"; echo more > more; echo more | cpio -oA -H newc --quiet -F newc.cpio; cpio -t --quiet < newc.cpio | tail -1
rm -rf src out *.cpio more; echo scenario complete
