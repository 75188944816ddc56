# Runs one scenario in $D, then writes what it left there to $SCRATCH/tree: for every entry its name,
# type, mode, owner, links, size, blocks and link target, and for every file a checksum, in which the
# name of $D itself does not count.
bash "$SCRIPT"
status=$?
cd "$D" || exit 98
checksums() { sed -E 's/^\\?([0-9a-f]+) [ *](.*)$/content|\2|\1/'; }
{
  find . -printf 'entry|%P|%y|%m|%U:%G|%n|%s|%b|%l\n' | sort
  find . -type f -exec grep -lF -e "$D" {} + | sort >"$SCRATCH/naming"
  find . -type f | sort | grep -vxFf "$SCRATCH/naming" | tr '\n' '\0' | xargs -0 -r sha256sum |
    checksums
  while read -r file; do
    echo "$(sed "s|$D|D|g" "$file" | sha256sum | cut -d' ' -f1)  $file" | checksums
  done <"$SCRATCH/naming"
} >"$SCRATCH/tree" 2>"$SCRATCH/report-errors"
exit $status
