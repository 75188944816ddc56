# Stressors of the file system class, one after another, a fixed number of operations each: which pass, skip and fail.
mkdir tmp
for stressor in $STRESSORS; do case $stressor in hdd | iomix) size="--$stressor-bytes 2m" ;; fallocate | copy-file | sync-file | fiemap) size="--$stressor-bytes 4m" ;; dirmany) size='--dirmany-bytes 4k' ;; *) size= ;; esac
  timeout -k 5 40 stress-ng --$stressor 2 --$stressor-ops ${OPS:-20} $size --temp-path "$D/tmp" --timeout 10 --verify --no-rand-seed > "$HOST/$stressor" 2>&1; echo "$stressor: $?"
  grep -iE 'fail|skip|error|killed|unexpected' "$HOST/$stressor" | sed -E 's/^stress-ng: *//; s/\[[0-9]+\]//g; s/stress-ng-([a-z-]+)-?[0-9]*/\1/g; s/[0-9]{3,}/N/g' | sort -u | head -10; ls -A tmp; rm -rf tmp/*; done
rm -rf tmp; ls -A; echo scenario complete
